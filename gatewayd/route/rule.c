/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule.c - compiling the `match` of a route. What conf has checked already is checked again where a
 * mistake would end in a rule that matches something else.
 */
#include "gatewayd/route/rule.h"

#include "conf/base/mem.h"
#include "gatewayd/http/authority.h"
#include "gatewayd/http/path.h"

static bool compile_host(struct rule *rule, struct text written, struct builder *why)
{
    struct rule_host *host = &rule->hosts[rule->host_count];
    struct authority authority;
    struct text name = arena_copy(&rule->arena, written);

    host->kind = RULE_HOST_EXACT;
    if (text_starts_with(name, TEXT_OF("*."))) {
        host->kind = RULE_HOST_WILDCARD;
        name = text_skip(name, 2);
    }
    if (authority_parse(name, &rule->arena, &authority) != REFUSAL_NONE || authority.has_port ||
        text_is_empty(authority.host)) {
        builder_addf(why, "The host %.*s of the route %.*s is not a name or an address.",
                     TEXT_ARGS(written), TEXT_ARGS(rule->name));
        return false;
    }
    host->name = authority.host;
    rule->host_count++;
    return true;
}

static bool compile_hosts(struct rule *rule, const struct texts *hosts, struct builder *why)
{
    size_t count = hosts->count == 0 ? 1 : hosts->count;

    rule->hosts = arena_zalloc(&rule->arena, count * sizeof(*rule->hosts));
    for (size_t i = 0; i < hosts->count; i++) {
        if (!compile_host(rule, hosts->items[i], why))
            return false;
    }
    if (hosts->count == 0)
        rule->hosts[rule->host_count++].kind = RULE_HOST_ANY;
    return true;
}

/* Splits path->path; true if a segment is a variable. */
static bool split_path(struct rule *rule, struct rule_path *path)
{
    struct text segment;
    unsigned count = 0;
    bool has_variables = false;

    for (size_t at = 0; rule_next_segment(path->path, &at, &segment);)
        count++;
    path->segments = arena_zalloc(&rule->arena, (count + 1) * sizeof(*path->segments));
    path->variables = arena_zalloc(&rule->arena, (count + 1) * sizeof(*path->variables));
    for (size_t at = 0; rule_next_segment(path->path, &at, &segment); path->segment_count++) {
        path->segments[path->segment_count] = segment;
        if (route_is_variable(segment, &path->variables[path->segment_count]))
            has_variables = true;
    }
    if (!has_variables)
        path->variables = NULL;
    return has_variables;
}

/* The literal beginning of an anchored regex up to a slash, as far as it is certain:
 * "^/api/v[0-9]" has "/api/". */
static struct text literal_prefix(struct text source)
{
    struct text literal;
    size_t end = 0;

    if (!text_starts_with(source, TEXT_OF("^/")) || text_find_byte(source, '|') < source.length ||
        text_contains(source, TEXT_OF("(?")) || text_contains(source, TEXT_OF("(*")))
        return TEXT_EMPTY;
    literal = text_skip(source, 1);
    while (end < literal.length && strchr("\\^$.[]()?*+{}", literal.at[end]) == NULL)
        end++;
    /* A quantifier takes the last character with it. */
    if (end > 0 && end < literal.length && strchr("?*+{", literal.at[end]) != NULL)
        end--;
    while (end > 0 && literal.at[end - 1] != '/')
        end--;
    return text_first(literal, end);
}

/* Only segments that are whole: what stands behind the last slash is not. */
static void split_regex(struct rule *rule, struct rule_path *path)
{
    struct text literal = literal_prefix(path->path);
    struct text segment;

    path->segments = arena_zalloc(&rule->arena, (literal.length + 1) * sizeof(*path->segments));
    for (size_t at = 0; rule_next_segment(literal, &at, &segment) && at < literal.length;)
        path->segments[path->segment_count++] = segment;
}

static bool compile_regex(struct rule *rule, struct rule_path *path, struct text source,
                          struct builder *why)
{
    path->kind = RULE_PATH_REGEX;
    path->path = source;
    builder_addf(why, "The path ~%.*s of the route %.*s does not compile: ", TEXT_ARGS(source),
                 TEXT_ARGS(rule->name));
    path->pattern = pattern_new(source, why);
    if (path->pattern == NULL) {
        builder_add_byte(why, '.');
        return false;
    }
    builder_clear(why);
    split_regex(rule, path);
    return true;
}

static bool normalise(struct rule *rule, struct text written, struct text *path_out,
                      struct builder *why)
{
    struct path parsed;
    enum refusal refusal = path_parse_pattern(written, &rule->arena, &parsed);

    if (refusal != REFUSAL_NONE) {
        builder_addf(why, "The path %.*s of the route %.*s matches nothing: %.*s",
                     TEXT_ARGS(written), TEXT_ARGS(rule->name),
                     TEXT_ARGS(refusal_sentence(refusal)));
        return false;
    }
    *path_out = parsed.text;
    return true;
}

static bool compile_path(struct rule *rule, struct text written, struct builder *why)
{
    struct rule_path *path = &rule->paths[rule->path_count++];
    struct text source = arena_copy(&rule->arena, written);
    bool is_exact = text_starts_with(source, TEXT_OF("="));

    path->written = source;
    if (text_starts_with(source, TEXT_OF("~")))
        return compile_regex(rule, path, text_skip(source, 1), why);
    if (!normalise(rule, is_exact ? text_skip(source, 1) : source, &path->path, why))
        return false;
    path->kind = is_exact ? RULE_PATH_EXACT : RULE_PATH_PREFIX;
    if (split_path(rule, path) && !is_exact)
        path->kind = RULE_PATH_TEMPLATE;
    if (path->kind != RULE_PATH_PREFIX)
        return true;
    if (text_ends_with(path->path, TEXT_OF("/"))) {
        path->path.length--;
        if (path->segment_count > 0)
            path->segment_count--;
    }
    if (path->segment_count == 0)
        path->kind = RULE_PATH_ANY;
    return true;
}

static bool compile_paths(struct rule *rule, const struct texts *paths, struct builder *why)
{
    size_t count = paths->count == 0 ? 1 : paths->count;

    rule->paths = arena_zalloc(&rule->arena, count * sizeof(*rule->paths));
    for (size_t i = 0; i < paths->count; i++) {
        if (!compile_path(rule, paths->items[i], why))
            return false;
    }
    if (paths->count == 0)
        rule->paths[rule->path_count++].kind = RULE_PATH_ANY;
    return true;
}

static void compile_methods(struct rule *rule, const struct texts *methods)
{
    rule->any_method = methods->count == 0;
    rule->odd_methods = arena_zalloc(&rule->arena, methods->count * sizeof(*rule->odd_methods));
    for (size_t i = 0; i < methods->count; i++) {
        enum method method = method_parse(methods->items[i]);

        if (method != METHOD_OTHER)
            rule->methods |= 1u << method;
        else
            rule->odd_methods[rule->odd_method_count++] =
                arena_copy(&rule->arena, methods->items[i]);
    }
}

static bool compile_condition(struct rule *rule, const struct pair *pair,
                              struct rule_condition *condition, struct builder *why)
{
    condition->name = arena_copy(&rule->arena, pair->name);
    condition->value = arena_copy(&rule->arena, pair->value);
    condition->id = header_id_find(pair->name);
    condition->want = RULE_WANT_VALUE;
    if (text_equals(pair->value, TEXT_OF("*")))
        condition->want = RULE_WANT_PRESENT;
    if (!text_starts_with(pair->value, TEXT_OF("~")))
        return true;
    condition->want = RULE_WANT_PATTERN;
    builder_addf(why, "%.*s %.*s of the route %.*s does not compile: ", TEXT_ARGS(pair->name),
                 TEXT_ARGS(pair->value), TEXT_ARGS(rule->name));
    condition->pattern = pattern_new(text_skip(condition->value, 1), why);
    if (condition->pattern == NULL) {
        builder_add_byte(why, '.');
        return false;
    }
    builder_clear(why);
    return true;
}

static struct rule_condition *compile_conditions(struct rule *rule, const struct pairs *pairs,
                                                 unsigned *count_out, struct builder *why)
{
    struct rule_condition *conditions =
        arena_zalloc(&rule->arena, (pairs->count + 1) * sizeof(*conditions));

    for (size_t i = 0; i < pairs->count; i++) {
        *count_out = (unsigned)i;
        if (!compile_condition(rule, &pairs->items[i], &conditions[i], why))
            break;
        *count_out = (unsigned)i + 1;
    }
    return conditions;
}

static bool compile(struct rule *rule, const struct route *route, struct builder *why)
{
    const struct route_match *match = &route->match;

    if (!compile_hosts(rule, &match->hosts, why) || !compile_paths(rule, &match->paths, why))
        return false;
    compile_methods(rule, &match->methods);
    rule->headers = compile_conditions(rule, &match->headers, &rule->header_count, why);
    if (rule->header_count < match->headers.count)
        return false;
    rule->query = compile_conditions(rule, &match->query, &rule->query_count, why);
    return rule->query_count == match->query.count;
}

struct rule *rule_new(const struct route *route, struct builder *why)
{
    struct rule *rule = mem_new(sizeof(*rule));

    arena_init(&rule->arena, SIZE_MAX);
    rule->name = arena_copy(&rule->arena, route->name);
    if (!compile(rule, route, why))
        rule_free(&rule);
    return rule;
}

void rule_free(struct rule **rule)
{
    struct rule *r = *rule;

    if (r == NULL)
        return;
    for (unsigned i = 0; i < r->path_count; i++)
        pattern_free(&r->paths[i].pattern);
    for (unsigned i = 0; i < r->header_count; i++)
        pattern_free(&r->headers[i].pattern);
    for (unsigned i = 0; i < r->query_count; i++)
        pattern_free(&r->query[i].pattern);
    arena_reset(&r->arena);
    MEM_FREE(rule);
}
