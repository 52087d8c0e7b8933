/* SPDX-License-Identifier: Apache-2.0 */
/*
 * router_explain.c - every route that matches a request, in order, and what decided. It asks each
 * rule by itself and uses nothing of the index.
 */
#include "gatewayd/route/router_private.h"

#include <stdlib.h>

#include "conf/base/mem.h"

struct finding {
    const struct route_piece *route;
    struct router_claim claim;
    bool has_given_up;
};

static bool consider(const struct request_head *head, const struct rule_host *host,
                     const struct rule_path *path, struct finding *f)
{
    struct router_claim claim = { f->route->rule, host, path, f->claim.fit };
    enum router_criterion ignored;

    if (!rule_host_matches(host, head->host))
        return false;
    switch (rule_path_matches(path, head->path)) {
    case PATTERN_NO:
        return false;
    case PATTERN_GAVE_UP:
        f->has_given_up = true;
        break;
    case PATTERN_YES:
        break;
    }
    if (f->claim.host == NULL || router_compare(&claim, &f->claim, &ignored) < 0)
        f->claim = claim;
    return true;
}

/* The best of its hosts and paths that match; false if the route does not match at all. */
static bool find(const struct route_piece *route, const struct request_head *head,
                 struct arena *arena, struct finding *f)
{
    const struct rule *rule = route->rule;

    *f = (struct finding){ .route = route, .claim = { .rule = rule } };
    f->claim.fit = rule_method_fit(rule, head);
    switch (rule_conditions_hold(rule, head, arena)) {
    case PATTERN_NO:
        return false;
    case PATTERN_GAVE_UP:
        f->has_given_up = true;
        break;
    case PATTERN_YES:
        break;
    }
    for (unsigned h = 0; h < rule->host_count; h++) {
        for (unsigned p = 0; p < rule->path_count; p++)
            (void)consider(head, &rule->hosts[h], &rule->paths[p], f);
    }
    return f->claim.host != NULL;
}

static int compare_findings(const void *a, const void *b)
{
    const struct finding *x = a;
    const struct finding *y = b;
    bool x_fits = x->claim.fit != RULE_METHOD_NOT;
    bool y_fits = y->claim.fit != RULE_METHOD_NOT;
    enum router_criterion ignored;

    if (x_fits != y_fits)
        return x_fits ? -1 : 1;
    return router_compare(&x->claim, &y->claim, &ignored);
}

/* ---- sentences ---- */

static struct text print_host(const struct rule_host *host, struct arena *arena)
{
    if (host->kind == RULE_HOST_ANY)
        return TEXT_OF("any host");
    return arena_print(arena, "%s%.*s", host->kind == RULE_HOST_WILDCARD ? "*." : "",
                       TEXT_ARGS(host->name));
}

static struct text print_path(const struct rule_path *path, struct arena *arena)
{
    static const char *const kinds[] = {
        [RULE_PATH_ANY] = "any path",         [RULE_PATH_REGEX] = "the regular expression",
        [RULE_PATH_PREFIX] = "the prefix",    [RULE_PATH_TEMPLATE] = "the template",
        [RULE_PATH_EXACT] = "the exact path",
    };

    if (path->kind == RULE_PATH_ANY)
        return TEXT_OF("any path");
    return arena_print(arena, "%s %.*s", kinds[path->kind], TEXT_ARGS(path->written));
}

static const char *fit_name(enum rule_method_fit fit)
{
    switch (fit) {
    case RULE_METHOD_NAMED:
        return "lists the method";
    case RULE_METHOD_AS_GET:
        return "lists GET only, which takes HEAD too";
    case RULE_METHOD_ANY:
        return "takes any method";
    case RULE_METHOD_NOT:
        break;
    }
    return "does not list the method";
}

/* What decided between the two, said of `better` or of the other one. */
static struct text print_because(const struct finding *better, const struct finding *worse,
                                 bool of_better, struct arena *arena)
{
    const struct router_claim *self = of_better ? &better->claim : &worse->claim;
    const struct router_claim *other = of_better ? &worse->claim : &better->claim;
    const char *is = of_better ? "is better than" : "is worse than";
    struct text name = other->rule->name;
    enum router_criterion criterion;

    (void)router_compare(&better->claim, &worse->claim, &criterion);
    switch (criterion) {
    case ROUTER_BY_HOST:
        return arena_print(arena, "its host (%.*s) %s that of %.*s (%.*s)",
                           TEXT_ARGS(print_host(self->host, arena)), is, TEXT_ARGS(name),
                           TEXT_ARGS(print_host(other->host, arena)));
    case ROUTER_BY_PATH:
        return arena_print(arena, "its path (%.*s) %s that of %.*s (%.*s)",
                           TEXT_ARGS(print_path(self->path, arena)), is, TEXT_ARGS(name),
                           TEXT_ARGS(print_path(other->path, arena)));
    case ROUTER_BY_METHOD:
        return arena_print(arena, "it %s, %.*s %s", fit_name(self->fit), TEXT_ARGS(name),
                           fit_name(other->fit));
    case ROUTER_BY_HEADERS:
        return arena_print(arena, "it asks for %u headers, %.*s for %u", self->rule->header_count,
                           TEXT_ARGS(name), other->rule->header_count);
    case ROUTER_BY_QUERY:
        return arena_print(arena, "it asks for %u query parameters, %.*s for %u",
                           self->rule->query_count, TEXT_ARGS(name), other->rule->query_count);
    case ROUTER_BY_NAME:
        break;
    }
    return arena_print(arena, "all else is equal and its name comes %s that of %.*s",
                       of_better ? "before" : "after", TEXT_ARGS(name));
}

static struct text explain_one(const struct finding *findings, size_t count, size_t i,
                               struct arena *arena)
{
    const struct finding *f = &findings[i];

    if (f->has_given_up)
        return TEXT_OF("a regular expression of it takes too many steps for this request, which "
                       "is answered 500");
    if (f->claim.fit == RULE_METHOD_NOT)
        return TEXT_OF("it matches in everything but the method");
    if (i > 0)
        return print_because(&findings[0], f, false, arena);
    if (count > 1 && findings[1].claim.fit != RULE_METHOD_NOT)
        return print_because(f, &findings[1], true, arena);
    return TEXT_OF("it is the only one that matches");
}

struct router_candidate *router_explain(const struct router *router,
                                        const struct request_head *head, struct arena *arena,
                                        size_t *count_out, size_t *wrong_method_out)
{
    struct finding *findings = mem_new_array(router->route_count + 1, sizeof(*findings));
    struct router_candidate *candidates;
    size_t count = 0;

    for (size_t i = 0; i < router->route_count; i++) {
        if (find(router->routes[i], head, arena, &findings[count]))
            count++;
    }
    qsort(findings, count, sizeof(*findings), compare_findings);
    candidates = arena_zalloc(arena, (count + 1) * sizeof(*candidates));
    *wrong_method_out = 0;
    for (size_t i = 0; i < count; i++) {
        candidates[i] = (struct router_candidate){ findings[i].route, findings[i].claim.host,
                                                   findings[i].claim.path,
                                                   explain_one(findings, count, i, arena) };
        *wrong_method_out += findings[i].claim.fit == RULE_METHOD_NOT;
    }
    *count_out = count;
    MEM_FREE(&findings);
    return candidates;
}
