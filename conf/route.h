/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route.h - what is matched and what is done, as configured. Paths and hosts are as written: the
 * router normalises them as it does requests. Lifetime: its resource.
 */
#ifndef CONF_ROUTE_H
#define CONF_ROUTE_H

#include "conf/limit.h"
#include "conf/values.h"

enum route_encoded_slash { ROUTE_ENCODED_SLASH_REFUSE, ROUTE_ENCODED_SLASH_KEEP };

/* Bits of route_auth.methods */
enum route_auth_method { ROUTE_AUTH_KEY = 1 << 0 };

/* Derived: which of the four is set. */
enum route_action { ROUTE_TO_UPSTREAM, ROUTE_TO_SPLIT, ROUTE_RESPOND, ROUTE_REDIRECT };

/* An empty list matches anything. */
struct route_match {
    struct texts hosts;   /* a name, an IPv4 or [IPv6] address, or "*." and a name */
    struct texts paths;   /* "/prefix", "=/exact", "/a/{template}", "~regex" */
    struct texts methods; /* tokens */
    struct pairs headers; /* "value" compared whole, "~regex", "*" present */
    struct pairs query;   /* the same */
};

struct route_split_item {
    struct text upstream;
    int64_t weight; /* 0 to 1000000; at least one is above 0 */
};

struct route_split {
    const struct route_split_item *items;
    size_t count;
};

struct route_respond {
    int64_t status; /* 200 to 599 */
    struct pairs headers;
    struct text body;
};

/* The location is an absolute URI or a path. In it these are replaced: {NAME} of the template that
 * matched (as it stood in the path, still encoded), {scheme}, {host} (with the port, as the client
 * sent it), {path} (normalised) and {query} ("?" and the query as it came, or nothing). */
struct route_redirect {
    int64_t status; /* 301, 302, 303, 307 or 308 */
    struct text location;
};

/* strip_prefix takes the prefix that matched off; `path` replaces the path, {NAME} in it standing
 * for what the template matched; with both, what strip_prefix left is put behind `path`. */
struct route_rewrite {
    bool strip_prefix;
    struct text path; /* empty: as it is */
    struct text host; /* empty: as it is */
};

struct route_auth {
    uint32_t methods; /* ROUTE_AUTH_…: any of them suffices */
    bool optional;
    struct texts groups; /* any of them */
    struct texts scopes; /* all of them */
};

struct route_headers {
    struct pairs set;
    struct pairs add;    /* a name may be there several times */
    struct texts remove; /* done first, then set, then add */
};

struct route {
    struct text name;
    struct route_match match;
    struct text upstream;                  /* ROUTE_TO_UPSTREAM, else empty */
    struct route_split split;              /* ROUTE_TO_SPLIT, else count 0 */
    const struct route_respond *respond;   /* ROUTE_RESPOND, else NULL */
    const struct route_redirect *redirect; /* ROUTE_REDIRECT, else NULL */
    const struct route_rewrite *rewrite;   /* NULL: none */
    const struct route_auth *auth;         /* NULL: open */
    struct limits limits;
    bool plan_limits;
    int64_t timeout;  /* ms; 0: none */
    int64_t max_body; /* bytes; -1: the node's max.body_bytes */
    struct route_headers request_headers;
    struct route_headers response_headers;
    enum route_encoded_slash encoded_slash;
    enum route_action action; /* derived */
};

extern const struct schema route_schema;

/* "NAME" inside "{NAME}" that is the whole segment; false if `segment` is no variable. */
bool route_is_variable(struct text segment, struct text *name_out);

#endif
