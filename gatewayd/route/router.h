/* SPDX-License-Identifier: Apache-2.0 */
/*
 * router.h - which route takes a request, by the contract's order (§3, "Which route wins").
 *
 * An index over the rules of all routes: a hash of hosts, for each host a tree of path segments
 * and a list of regexes. A match walks it best first, so the first route that fits in everything
 * is the answer; no allocation but in the caller's arena (joined headers, Allow), no locks, no
 * state. Cost does not grow with the number of routes, but with those that share host and path.
 *
 * Lifetime: counted, by snapshots, on the control thread only. The routes it points to are kept by
 * the snapshot. Immutable once built: read by any thread.
 */
#ifndef GATEWAYD_ROUTE_ROUTER_H
#define GATEWAYD_ROUTE_ROUTER_H

#include "conf/base/arena.h"
#include "gatewayd/route/rule.h"

struct route_piece;
struct router;

enum router_outcome {
    ROUTER_FOUND,
    ROUTER_NO_ROUTE,  /* 404 */
    ROUTER_NO_METHOD, /* 405: .allow is the union of what would have been allowed */
    ROUTER_GAVE_UP,   /* 500: a regex cost more than the limits allow; not silently "no match" */
};

struct router_match {
    const struct route_piece *route; /* ROUTER_FOUND */
    const struct rule_host *host;    /* which of its hosts and paths */
    const struct rule_path *path;
    size_t prefix_length; /* bytes of the request's path that a RULE_PATH_PREFIX took, else 0 */
    struct text allow;    /* ROUTER_NO_METHOD: "GET, HEAD, POST", in the arena */
};

/* `head` needs method, method_name, host, path, query, headers. OPTIONS * is not for routers. */
MUST_USE enum router_outcome router_match(const struct router *router,
                                          const struct request_head *head, struct arena *arena,
                                          struct router_match *match_out);

/* What {name} of the matched template stands for in `path` (the one that was matched), still
 * encoded; false when it has no such variable. */
MUST_USE bool router_find_capture(const struct router_match *match, struct text path,
                                  struct text name, struct text *value_out);

/* ---- for people: control thread ---- */

/* One route that matches, and why it wins or loses. */
struct router_candidate {
    const struct route_piece *route;
    const struct rule_host *host;
    const struct rule_path *path;
    struct text because; /* a clause: "its host is exact, orders's is a wildcard" */
};

/* All that match, best first, in the arena; the first one is what router_match finds. Goes through
 * all routes. Those that match in everything but the method follow, `wrong_method_out` of them. */
struct router_candidate *router_explain(const struct router *router,
                                        const struct request_head *head, struct arena *arena,
                                        size_t *count_out, size_t *wrong_method_out);

/* Says of `route` and of those that meet it on the same host and path which can never win and why,
 * a sentence each. Nothing when the route is unknown. */
typedef void router_warning_fn(void *arg, struct text route, struct text sentence);
void router_warn(const struct router *router, struct text route, router_warning_fn *warn,
                 void *arg);

size_t router_route_count(const struct router *router);

/* ---- building: control thread, in slices ---- */

struct router_builder;

/* `routes` (borrowed until the router is there) in the order of names. The router counts none of
 * them. */
struct router_builder *router_builder_new(struct route_piece *const *routes, size_t count);
void router_builder_free(struct router_builder **b);

/* Works off about `amount` routes; true when the router is ready. */
MUST_USE bool router_builder_step(struct router_builder *b, size_t amount);
struct router *router_builder_take(struct router_builder **b); /* frees the builder */

struct router *router_ref(struct router *router);
void router_unref(struct router **router);

#endif
