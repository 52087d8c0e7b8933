/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_check.c - the rules between the fields of a route.
 */
#include <stdio.h>

#include "conf/limit_list.h"
#include "conf/route_private.h"

static void check_action(struct route *route, struct schema_binding *b)
{
    bool is_set[] = {
        [ROUTE_TO_UPSTREAM] = route->upstream.length > 0,
        [ROUTE_TO_SPLIT] = route->split.count > 0,
        [ROUTE_RESPOND] = route->respond != NULL,
        [ROUTE_REDIRECT] = route->redirect != NULL,
    };
    unsigned count = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(is_set); i++) {
        if (!is_set[i])
            continue;
        route->action = (enum route_action)i;
        count++;
    }
    if (count == 0)
        schema_problem(b, "",
                       "The route %s does nothing; it must have one of upstream, split, "
                       "respond and redirect.",
                       route->name.at);
    else if (count > 1)
        schema_problem(b, "",
                       "The route %s must have only one of upstream, split, respond and "
                       "redirect, got %u of them.",
                       route->name.at, count);
}

static void check_split(const struct route *route, struct schema_binding *b)
{
    int64_t sum = 0;

    for (size_t i = 0; i < route->split.count; i++) {
        sum += route->split.items[i].weight;
        for (size_t j = 0; j < i; j++) {
            char where[64];

            if (!text_equals(route->split.items[i].upstream, route->split.items[j].upstream))
                continue;
            (void)snprintf(where, sizeof(where), "split/%zu/upstream", i);
            schema_problem(b, where, "The upstream %s is in the split already, at %zu.",
                           route->split.items[i].upstream.at, j);
        }
    }
    if (route->split.count > 0 && sum == 0)
        schema_problem(b, "split", "At least one weight of split must be above 0.");
}

/* ---- variables ---- */

static bool path_has_variable(struct text path, struct text variable)
{
    struct text rest = path;
    struct text segment;
    struct text name;

    if (path.length == 0 || path.at[0] != '/')
        return false;
    while (text_cut(&rest, '/', &segment)) {
        if (route_is_variable(segment, &name) && text_equals(name, variable))
            return true;
    }
    return false;
}

static bool all_paths_have(const struct route *route, struct text variable)
{
    for (size_t i = 0; i < route->match.paths.count; i++) {
        if (!path_has_variable(route->match.paths.items[i], variable))
            return false;
    }
    return route->match.paths.count > 0;
}

/* Of redirect.location only. */
static bool is_of_request(struct text name)
{
    static const char *const names[] = { "scheme", "host", "path", "query" };

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (text_equals(name, text_of(names[i])))
            return true;
    }
    return false;
}

static void check_variable(const struct route *route, struct text braced, bool is_location,
                           const char *where, struct schema_binding *b)
{
    struct text name;

    if (!route_is_variable(braced, &name)) {
        schema_problem(b, where,
                       "A brace in %s must be part of {name}; a literal one is %%7B or "
                       "%%7D.",
                       where);
        return;
    }
    if ((is_location && is_of_request(name)) || all_paths_have(route, name))
        return;
    schema_problem(b, where, "{%.*s} in %s must be a variable of every path in match.paths%s.",
                   TEXT_ARGS(name), where,
                   is_location ? ", or one of {scheme}, {host}, {path} and {query}" : "");
}

static void check_variables(const struct route *route, struct text text, bool is_location,
                            const char *where, struct schema_binding *b)
{
    for (size_t i = 0; i < text.length; i++) {
        struct text rest = text_skip(text, i);
        size_t end = text_find_byte(rest, '}');

        if (text.at[i] == '}') {
            check_variable(route, text_first(rest, 1), is_location, where, b);
            return;
        }
        if (text.at[i] != '{')
            continue;
        check_variable(route, text_first(rest, end + 1), is_location, where, b);
        i += end;
    }
}

static bool is_prefix(struct text path)
{
    return path.length > 0 && path.at[0] == '/' && text_find_byte(path, '{') == path.length;
}

static void check_rewrite(const struct route *route, struct schema_binding *b)
{
    if (route->rewrite == NULL)
        return;
    check_variables(route, route->rewrite->path, false, "rewrite/path", b);
    if (!route->rewrite->strip_prefix)
        return;
    for (size_t i = 0; i < route->match.paths.count; i++) {
        if (is_prefix(route->match.paths.items[i]))
            continue;
        schema_problem(b, "rewrite/strip_prefix",
                       "strip_prefix needs prefixes in match.paths, and \"%s\" is none.",
                       route->match.paths.items[i].at);
        return;
    }
}

void route_check(void *object, struct schema_binding *b)
{
    struct route *route = object;

    check_action(route, b);
    check_split(route, b);
    check_rewrite(route, b);
    if (route->redirect != NULL)
        check_variables(route, route->redirect->location, true, "redirect/location", b);
    limit_check_list(b, &route->limits);
}
