/* SPDX-License-Identifier: Apache-2.0 */
/*
 * router_private.h - the index: nodes of one hash table, keyed by parent and text. Only router*.c
 * include it.
 *
 * A site is what one host (or wildcard, or "any") has: exact paths, a tree of segments, regexes.
 * All nodes of all sites are in one table, so that a look-up costs one hash and mostly one cache
 * line, however many routes there are.
 */
#ifndef GATEWAYD_ROUTE_ROUTER_PRIVATE_H
#define GATEWAYD_ROUTE_ROUTER_PRIVATE_H

#include "gatewayd/route/route_piece.h"
#include "gatewayd/route/router.h"

/* A route in a list: best first, as far as that does not depend on the request. */
struct router_entry {
    struct router_entry *next;
    struct router_entry *next_regex; /* of the site */
    size_t order;                    /* grows along every list: smaller is better */
    const struct route_piece *route;
    const struct rule *rule;
    const struct rule_host *host;
    const struct rule_path *path;
};

struct router_list {
    struct router_entry *first;
    struct router_entry *last;
};

enum router_node_kind {
    ROUTER_NODE_HOST,
    ROUTER_NODE_WILDCARD,
    ROUTER_NODE_EXACT,
    ROUTER_NODE_SEGMENT
};

struct router_site;

struct router_node {
    const struct router_node *parent; /* NULL for hosts */
    struct text key;                  /* borrowed from a rule */
    enum router_node_kind kind;
    unsigned literal_children;
    struct router_node *variable; /* the child for any one segment */
    struct router_list here;      /* prefixes that end here; of a site's root: RULE_PATH_ANY */
    struct router_list whole;     /* templates that end here; exact paths */
    struct router_list regexes;   /* all of whose matches begin with the segments down to here */
    struct router_site *site;     /* of hosts */
};

struct router_site {
    struct router_node root;
    struct router_entry *regexes; /* all of the site */
    unsigned exact_count;
};

struct router_slot {
    uint64_t hash;
    struct router_node *node; /* NULL: free */
};

struct router {
    unsigned count;
    struct arena arena;
    struct router_slot *slots;
    size_t slot_count; /* a power of two */
    size_t node_count;
    unsigned exact_hosts;
    unsigned wildcard_hosts;
    size_t wildcard_longest; /* of what follows "*." */
    struct router_site any;
    const struct route_piece **routes; /* in the order of names */
    size_t route_count;
};

uint64_t router_hash(const struct router_node *parent, enum router_node_kind kind, struct text key);

/* NULL if absent. */
struct router_node *router_find_node(const struct router *router, const struct router_node *parent,
                                     enum router_node_kind kind, struct text key);

/* The site of exactly this host of a rule, or NULL. */
struct router_site *router_find_site(const struct router *router, const struct rule_host *host);

/* NULL if there is no route of that name. */
const struct route_piece *router_find_route(const struct router *router, struct text name);

/* What decides between two that match, in this order. */
enum router_criterion {
    ROUTER_BY_HOST,
    ROUTER_BY_PATH,
    ROUTER_BY_METHOD,
    ROUTER_BY_HEADERS,
    ROUTER_BY_QUERY,
    ROUTER_BY_NAME,
};

/* One way in which a route takes a request. */
struct router_claim {
    const struct rule *rule;
    const struct rule_host *host;
    const struct rule_path *path;
    enum rule_method_fit fit;
};

/* Below 0: `a` is better. Both are taken to match the same request. */
int router_compare(const struct router_claim *a, const struct router_claim *b,
                   enum router_criterion *criterion_out);
int router_compare_hosts(const struct rule_host *a, const struct rule_host *b);
int router_compare_paths(const struct rule_path *a, const struct rule_path *b);

#endif
