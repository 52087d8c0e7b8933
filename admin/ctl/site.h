/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site.h - a site: nodes that hold virtual addresses for each other. Read from a document (the
 * answers of `gatewayctl ha config`), checked, and printed as what each node needs: keepalived's
 * configuration and the list of addresses that gatewayd and its helpers read.
 *
 * Lifetime: the arena it was bound in. Never modified after that.
 */
#ifndef ADMIN_CTL_SITE_H
#define ADMIN_CTL_SITE_H

#include "conf/base/address.h"
#include "conf/base/builder.h"
#include "conf/base/problem.h"
#include "conf/doc.h"
#include "conf/schema.h"

/* Priorities leave room for the lower ones of nodes that yield (site_print.c). */
#define SITE_NODES_MAX     5
#define SITE_ADDRESSES_MAX 32

struct site_node {
    struct text name;
    struct text interface;
    struct text ipv4; /* its own; empty: none */
    struct text ipv6;
};

struct site_nodes {
    const struct site_node *items;
    size_t count;
};

struct site_address {
    struct text name;
    struct text address; /* ADDRESS/LENGTH */
    struct text home;    /* the node that holds it while all are well */
    int64_t router_id;   /* FIELD_UNSET: counted from that of the site */
    /* derived */
    size_t home_index;
    bool is_v6;
    unsigned number; /* the VRRP number */
};

struct site_addresses {
    const struct site_address *items;
    size_t count;
};

struct site {
    struct site_nodes nodes;
    struct site_addresses addresses;
    int64_t router_id;
    struct text user;
    struct text folder;
    struct text programs;
    bool realtime;
};

extern const struct schema site_schema;

/* False if it added a problem. `file` may be NULL. */
MUST_USE bool site_bind(const struct doc *doc, const char *file, struct arena *arena,
                        struct problems *ps, struct site *site_out);

/* The index of a node, or nodes.count. */
size_t site_find_node(const struct site *site, struct text name);

/* keepalived.conf of one node. */
void site_print_keepalived(const struct site *site, size_t node, struct builder *b);

/* ha.addresses of one node. */
void site_print_addresses(const struct site *site, size_t node, struct builder *b);

/* The answers as they can be read again. */
void site_print(const struct site *site, struct builder *b);

#endif
