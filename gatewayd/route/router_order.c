/* SPDX-License-Identifier: Apache-2.0 */
/*
 * router_order.c - the contract's order written down once more, for two routes at a time: what
 * router_explain sorts by and what the walk of router.c must agree with (the tests compare them).
 */
#include "gatewayd/route/router_private.h"

/* Below 0 when `a` is larger, that is, better. */
static int larger_first(size_t a, size_t b)
{
    return a == b ? 0 : a > b ? -1 : 1;
}

int router_compare_hosts(const struct rule_host *a, const struct rule_host *b)
{
    if (a->kind != b->kind)
        return larger_first(a->kind, b->kind);
    return a->kind == RULE_HOST_WILDCARD ? larger_first(a->name.length, b->name.length) : 0;
}

static unsigned class_of(const struct rule_path *path)
{
    return path->kind == RULE_PATH_TEMPLATE ? RULE_PATH_PREFIX : path->kind;
}

static bool is_variable(const struct rule_path *path, unsigned segment)
{
    return path->variables != NULL && path->variables[segment].length > 0;
}

int router_compare_paths(const struct rule_path *a, const struct rule_path *b)
{
    if (class_of(a) != class_of(b))
        return larger_first(class_of(a), class_of(b));
    if (class_of(a) != RULE_PATH_PREFIX)
        return 0;
    for (unsigned i = 0; i < a->segment_count && i < b->segment_count; i++) {
        if (is_variable(a, i) != is_variable(b, i))
            return is_variable(a, i) ? 1 : -1;
    }
    return larger_first(a->segment_count, b->segment_count);
}

int router_compare(const struct router_claim *a, const struct router_claim *b,
                   enum router_criterion *criterion_out)
{
    int order;

    *criterion_out = ROUTER_BY_HOST;
    order = router_compare_hosts(a->host, b->host);
    if (order != 0)
        return order;
    *criterion_out = ROUTER_BY_PATH;
    order = router_compare_paths(a->path, b->path);
    if (order != 0)
        return order;
    *criterion_out = ROUTER_BY_METHOD;
    order = larger_first(a->fit, b->fit);
    if (order != 0)
        return order;
    *criterion_out = ROUTER_BY_HEADERS;
    order = larger_first(a->rule->header_count, b->rule->header_count);
    if (order != 0)
        return order;
    *criterion_out = ROUTER_BY_QUERY;
    order = larger_first(a->rule->query_count, b->rule->query_count);
    if (order != 0)
        return order;
    *criterion_out = ROUTER_BY_NAME;
    return text_compare(a->rule->name, b->rule->name);
}
