/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule.h - the `match` of one route, compiled: hosts and paths normalised, methods as bits,
 * patterns compiled. It answers by itself whether it takes a request (router_explain), and is what
 * the router's index points to.
 *
 * Lifetime: its route piece. Never modified after rule_new; read by any thread.
 */
#ifndef GATEWAYD_ROUTE_RULE_H
#define GATEWAYD_ROUTE_RULE_H

#include "conf/base/arena.h"
#include "conf/route.h"
#include "gatewayd/http/message.h"
#include "gatewayd/route/pattern.h"

/* From worse to better. */
enum rule_host_kind { RULE_HOST_ANY, RULE_HOST_WILDCARD, RULE_HOST_EXACT };
enum rule_path_kind {
    RULE_PATH_ANY, /* "/" as a prefix, and no path at all */
    RULE_PATH_REGEX,
    RULE_PATH_PREFIX, /* prefixes and templates are compared with each other */
    RULE_PATH_TEMPLATE,
    RULE_PATH_EXACT,
};

struct rule_host {
    enum rule_host_kind kind;
    struct text name; /* as request_head.host is: lower case; of a wildcard what follows "*." */
};

struct rule_path {
    enum rule_path_kind kind;
    struct text written;     /* as configured, "" for a route without paths */
    struct text path;        /* normalised; a prefix without trailing slash; a regex: its source */
    struct text *segments;   /* of prefixes, templates and exact paths */
    struct text *variables;  /* the name of each segment that is one, else empty; NULL: none */
    unsigned segment_count;  /* "/" has none, "/a" one, "/a/" two: "a" and "" */
    struct pattern *pattern; /* of a regex, else NULL. Its segments are those that every path it
                                matches begins with: "^/api/v[0-9]/x" has "api" */
};

enum rule_want { RULE_WANT_VALUE, RULE_WANT_PATTERN, RULE_WANT_PRESENT };

/* One line of match.headers or match.query. */
struct rule_condition {
    struct text name;
    enum header_id id; /* of a header */
    enum rule_want want;
    struct text value; /* as written */
    struct pattern *pattern;
};

struct rule {
    struct arena arena;
    struct text name;        /* of the route */
    struct rule_host *hosts; /* at least one; RULE_HOST_ANY stands for none */
    unsigned host_count;
    struct rule_path *paths; /* at least one; RULE_PATH_ANY stands for none */
    unsigned path_count;
    bool any_method;
    uint32_t methods;         /* 1 << enum method: those listed */
    struct text *odd_methods; /* listed ones that have no number */
    unsigned odd_method_count;
    struct rule_condition *headers;
    unsigned header_count;
    struct rule_condition *query;
    unsigned query_count;
};

/* Compiles; the rule copies what it needs. NULL and a sentence in `why` when the route cannot be
 * matched as written (conf checks most of it before). */
MUST_USE struct rule *rule_new(const struct route *route, struct builder *why);
void rule_free(struct rule **rule);

/* How well the method fits; GET takes HEAD too, and TRACE has to be listed. */
enum rule_method_fit {
    RULE_METHOD_NOT,
    RULE_METHOD_ANY,
    RULE_METHOD_AS_GET, /* HEAD, and the route lists GET but not HEAD */
    RULE_METHOD_NAMED,
};
enum rule_method_fit rule_method_fit(const struct rule *rule, const struct request_head *head);

/* Do all headers and query parameters fit? Joined and decoded values are made in `arena`; a full
 * one is PATTERN_GAVE_UP. */
enum pattern_result rule_conditions_hold(const struct rule *rule, const struct request_head *head,
                                         struct arena *arena);

bool rule_host_matches(const struct rule_host *host, struct text name);
enum pattern_result rule_path_matches(const struct rule_path *path, struct text request_path);

/* The next segment of a path from *at (which stands on a '/'), moving it behind; false at the end.
 * "/" has none, "/a/" has "a" and "". */
static inline bool rule_next_segment(struct text path, size_t *at, struct text *segment_out)
{
    const char *slash;
    size_t start = *at + 1;

    if (*at >= path.length || (*at == 0 && path.length == 1))
        return false;
    slash = memchr(path.at + start, '/', path.length - start);
    *at = slash == NULL ? path.length : (size_t)(slash - path.at);
    *segment_out = text_from(path.at + start, *at - start);
    return true;
}

#endif
