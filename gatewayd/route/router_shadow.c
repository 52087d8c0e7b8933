/* SPDX-License-Identifier: Apache-2.0 */
/*
 * router_shadow.c - routes that can never win. Only what is certain is said: a route is covered
 * when for each of its hosts and paths another one stands on the same host, takes whatever it takes
 * and always comes first.
 */
#include "gatewayd/route/router_private.h"

#include "conf/base/builder.h"

#define CANDIDATES_MAX 64 /* of those that meet a changed route, so many are looked at */
#define COVERERS_MAX   4  /* named in a sentence */

static bool same_condition(const struct rule_condition *a, const struct rule_condition *b,
                           bool is_header)
{
    bool same_name =
        is_header ? text_equals_nocase(a->name, b->name) : text_equals(a->name, b->name);

    return same_name && (b->want == RULE_WANT_PRESENT || text_equals(a->value, b->value));
}

/* Is each condition of `wide` implied by one of `narrow`? */
static bool are_implied(const struct rule_condition *wide, unsigned wide_count,
                        const struct rule_condition *narrow, unsigned narrow_count, bool is_header)
{
    for (unsigned i = 0; i < wide_count; i++) {
        unsigned j = 0;

        while (j < narrow_count && !same_condition(&narrow[j], &wide[i], is_header))
            j++;
        if (j == narrow_count)
            return false;
    }
    return true;
}

static bool lists_all_methods(const struct rule *wide, const struct rule *narrow)
{
    if ((narrow->methods & ~wide->methods) != 0)
        return false;
    for (unsigned i = 0; i < narrow->odd_method_count; i++) {
        unsigned j = 0;

        while (j < wide->odd_method_count &&
               !text_equals(narrow->odd_methods[i], wide->odd_methods[j]))
            j++;
        if (j == wide->odd_method_count)
            return false;
    }
    return true;
}

static bool takes_methods_of(const struct rule *wide, const struct rule *narrow)
{
    if (!wide->any_method)
        return !narrow->any_method && lists_all_methods(wide, narrow);
    return narrow->any_method || (narrow->methods & (1u << METHOD_TRACE)) == 0;
}

/* On a better path it is enough that `wide` takes all; on an equal one it must come first, too. */
static bool takes_all(const struct rule *wide, const struct rule *narrow, bool is_better_path)
{
    if (!are_implied(wide->headers, wide->header_count, narrow->headers, narrow->header_count,
                     true) ||
        !are_implied(wide->query, wide->query_count, narrow->query, narrow->query_count, false))
        return false;
    if (!takes_methods_of(wide, narrow))
        return false;
    if (is_better_path)
        return true;
    if (narrow->any_method != wide->any_method)
        return false;
    if (wide->header_count != narrow->header_count)
        return wide->header_count > narrow->header_count;
    if (wide->query_count != narrow->query_count)
        return wide->query_count > narrow->query_count;
    return text_compare(wide->name, narrow->name) < 0;
}

/* ---- who covers one host and path of a route ---- */

static const struct router_entry *find_coverer(const struct router_list *list,
                                               const struct route_piece *route,
                                               const struct rule_path *path, bool is_better_path)
{
    for (const struct router_entry *e = list->first; e != NULL; e = e->next) {
        if (e->route == route)
            continue;
        if (!is_better_path && path->kind == RULE_PATH_REGEX &&
            !text_equals(e->path->path, path->path))
            continue;
        if (takes_all(e->rule, route->rule, is_better_path))
            return e;
    }
    return NULL;
}

/* Prefixes come before regexes: one on the way of everything the regex can match covers it. */
static const struct router_entry *find_prefix_coverer(const struct router *router,
                                                      const struct router_site *site,
                                                      const struct route_piece *route,
                                                      const struct rule_path *path)
{
    const struct router_node *node = &site->root;
    const struct router_entry *coverer;

    for (unsigned i = 0; i < path->segment_count; i++) {
        node = router_find_node(router, node, ROUTER_NODE_SEGMENT, path->segments[i]);
        if (node == NULL)
            return NULL;
        coverer = find_coverer(&node->here, route, path, true);
        if (coverer != NULL)
            return coverer;
    }
    return NULL;
}

static const struct router_list *find_list(const struct router *router,
                                           const struct router_site *site,
                                           const struct rule_path *path)
{
    const struct router_node *node = &site->root;

    switch (path->kind) {
    case RULE_PATH_ANY:
        return &node->here;
    case RULE_PATH_EXACT:
        node = router_find_node(router, node, ROUTER_NODE_EXACT, path->path);
        return node == NULL ? NULL : &node->whole;
    case RULE_PATH_REGEX:
    case RULE_PATH_PREFIX:
    case RULE_PATH_TEMPLATE:
        break;
    }
    for (unsigned i = 0; i < path->segment_count && node != NULL; i++) {
        bool is_variable = path->variables != NULL && path->variables[i].length > 0;

        node = is_variable ? node->variable
                           : router_find_node(router, node, ROUTER_NODE_SEGMENT, path->segments[i]);
    }
    if (node == NULL)
        return NULL;
    if (path->kind == RULE_PATH_REGEX)
        return &node->regexes;
    return path->kind == RULE_PATH_PREFIX ? &node->here : &node->whole;
}

static const struct router_entry *cover_one(const struct router *router,
                                            const struct route_piece *route,
                                            const struct rule_host *host,
                                            const struct rule_path *path)
{
    const struct router_site *site = router_find_site(router, host);
    const struct router_list *list = site == NULL ? NULL : find_list(router, site, path);
    const struct router_entry *coverer;

    if (list == NULL)
        return NULL;
    coverer = find_coverer(list, route, path, false);
    if (coverer == NULL && path->kind == RULE_PATH_REGEX)
        coverer = find_prefix_coverer(router, site, route, path);
    return coverer;
}

/* ---- whole routes ---- */

struct cover {
    const struct route_piece *by[COVERERS_MAX];
    unsigned count;
};

static void add_coverer(struct cover *cover, const struct route_piece *route)
{
    for (unsigned i = 0; i < cover->count; i++) {
        if (cover->by[i] == route)
            return;
    }
    if (cover->count < COVERERS_MAX)
        cover->by[cover->count++] = route;
}

static bool is_covered(const struct router *router, const struct route_piece *route,
                       struct cover *cover)
{
    const struct rule *rule = route->rule;

    cover->count = 0;
    for (unsigned h = 0; h < rule->host_count; h++) {
        for (unsigned p = 0; p < rule->path_count; p++) {
            const struct router_entry *coverer =
                cover_one(router, route, &rule->hosts[h], &rule->paths[p]);

            if (coverer == NULL)
                return false;
            add_coverer(cover, coverer->route);
        }
    }
    return true;
}

static void warn_of(const struct route_piece *route, const struct cover *cover,
                    router_warning_fn *warn, void *arg)
{
    struct builder sentence;

    builder_init(&sentence, 1024);
    builder_addf(&sentence, "The route %.*s can never win: ", TEXT_ARGS(route->rule->name));
    for (unsigned i = 0; i < cover->count; i++)
        builder_addf(&sentence, "%s%.*s",
                     i == 0                  ? ""
                     : i + 1 == cover->count ? " and "
                                             : ", ",
                     TEXT_ARGS(cover->by[i]->rule->name));
    builder_addf(&sentence, " %s everything it matches and %s first.",
                 cover->count == 1 ? "takes" : "take", cover->count == 1 ? "comes" : "come");
    warn(arg, route->rule->name, builder_text(&sentence));
    builder_fini(&sentence);
}

struct meeting {
    const struct route_piece *routes[CANDIDATES_MAX];
    unsigned count;
};

static void meet_one(struct meeting *m, const struct route_piece *route,
                     const struct route_piece *self)
{
    unsigned i = 0;

    while (i < m->count && m->routes[i] != route)
        i++;
    if (route != self && i == m->count && m->count < CANDIDATES_MAX)
        m->routes[m->count++] = route;
}

/* Regexes that have the prefix on their way. */
static void meet_regexes(struct meeting *m, const struct router_site *site,
                         const struct rule_path *prefix, const struct route_piece *self)
{
    for (const struct router_entry *e = site->regexes; e != NULL; e = e->next_regex) {
        unsigned i = 0;

        while (i < prefix->segment_count && i < e->path->segment_count &&
               text_equals(prefix->segments[i], e->path->segments[i]))
            i++;
        if (i == prefix->segment_count)
            meet_one(m, e->route, self);
    }
}

/* Those whose place in the order the route may have taken. */
static void meet(const struct router *router, const struct route_piece *route, struct meeting *m)
{
    const struct rule *rule = route->rule;

    for (unsigned h = 0; h < rule->host_count; h++) {
        const struct router_site *site = router_find_site(router, &rule->hosts[h]);

        for (unsigned p = 0; site != NULL && p < rule->path_count; p++) {
            const struct router_list *list = find_list(router, site, &rule->paths[p]);

            for (const struct router_entry *e = list == NULL ? NULL : list->first; e != NULL;
                 e = e->next)
                meet_one(m, e->route, route);
            if (rule->paths[p].kind == RULE_PATH_PREFIX)
                meet_regexes(m, site, &rule->paths[p], route);
        }
    }
}

void router_warn(const struct router *router, struct text route, router_warning_fn *warn, void *arg)
{
    const struct route_piece *self = router_find_route(router, route);
    struct meeting meeting = { .count = 0 };
    struct cover cover;

    if (self == NULL)
        return;
    if (is_covered(router, self, &cover))
        warn_of(self, &cover, warn, arg);
    meet(router, self, &meeting);
    for (unsigned i = 0; i < meeting.count; i++) {
        bool is_by_self = false;

        if (!is_covered(router, meeting.routes[i], &cover))
            continue;
        for (unsigned j = 0; j < cover.count; j++)
            is_by_self |= cover.by[j] == self;
        if (is_by_self)
            warn_of(meeting.routes[i], &cover, warn, arg);
    }
}
