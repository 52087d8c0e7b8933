/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_match.c - does a request fit a rule? Each question by itself, in the order of what it costs.
 */
#include "gatewayd/route/query.h"
#include "gatewayd/route/rule.h"

static bool lists_odd_method(const struct rule *rule, struct text name)
{
    for (unsigned i = 0; i < rule->odd_method_count; i++) {
        if (text_equals(rule->odd_methods[i], name))
            return true;
    }
    return false;
}

enum rule_method_fit rule_method_fit(const struct rule *rule, const struct request_head *head)
{
    /* TRACE shows whoever asks what proxies have added: only where somebody wants it. */
    if (rule->any_method && head->method == METHOD_TRACE)
        return RULE_METHOD_NOT;
    if (rule->any_method)
        return RULE_METHOD_ANY;
    if (head->method == METHOD_OTHER)
        return lists_odd_method(rule, head->method_name) ? RULE_METHOD_NAMED : RULE_METHOD_NOT;
    if ((rule->methods >> head->method) & 1)
        return RULE_METHOD_NAMED;
    if (head->method == METHOD_HEAD && (rule->methods >> METHOD_GET) & 1)
        return RULE_METHOD_AS_GET;
    return RULE_METHOD_NOT;
}

static enum pattern_result value_holds(const struct rule_condition *condition, struct text value)
{
    switch (condition->want) {
    case RULE_WANT_VALUE:
        return text_equals(condition->value, value) ? PATTERN_YES : PATTERN_NO;
    case RULE_WANT_PATTERN:
        return pattern_match(condition->pattern, value);
    case RULE_WANT_PRESENT:
        break;
    }
    return PATTERN_YES;
}

static enum pattern_result header_holds(const struct rule_condition *condition,
                                        const struct headers *headers, struct arena *arena)
{
    const struct header *line;
    struct text joined;

    if (condition->id != HEADER_OTHER)
        line = headers_find(headers, condition->id);
    else
        line = headers_find_named(headers, condition->name);
    if (line == NULL)
        return PATTERN_NO;
    if (condition->want == RULE_WANT_PRESENT)
        return PATTERN_YES;
    if (headers_find_next(headers, line) == NULL)
        return value_holds(condition, line->value);
    if (!headers_join(headers, condition->name, arena, &joined))
        return PATTERN_GAVE_UP;
    return value_holds(condition, joined);
}

static enum pattern_result parameter_holds(const struct rule_condition *condition,
                                           struct text query, struct arena *arena)
{
    struct text value;

    switch (query_find(query, condition->name, arena, &value)) {
    case QUERY_ABSENT:
        return PATTERN_NO;
    case QUERY_NO_ROOM:
        return PATTERN_GAVE_UP;
    case QUERY_FOUND:
        break;
    }
    return value_holds(condition, value);
}

enum pattern_result rule_conditions_hold(const struct rule *rule, const struct request_head *head,
                                         struct arena *arena)
{
    enum pattern_result result = PATTERN_YES;

    for (unsigned i = 0; i < rule->header_count && result == PATTERN_YES; i++)
        result = header_holds(&rule->headers[i], &head->headers, arena);
    for (unsigned i = 0; i < rule->query_count && result == PATTERN_YES; i++)
        result = parameter_holds(&rule->query[i], head->query, arena);
    return result;
}

bool rule_host_matches(const struct rule_host *host, struct text name)
{
    switch (host->kind) {
    case RULE_HOST_ANY:
        return true;
    case RULE_HOST_EXACT:
        return text_equals(host->name, name);
    case RULE_HOST_WILDCARD:
        break;
    }
    /* At least one byte and a dot before it: "*.example.com" is not for ".example.com". */
    return name.length > host->name.length + 1 && text_ends_with(name, host->name) &&
           name.at[name.length - host->name.length - 1] == '.';
}

static bool prefix_matches(const struct rule_path *path, struct text request)
{
    return text_starts_with(request, path->path) &&
           (request.length == path->path.length || request.at[path->path.length] == '/');
}

static bool template_matches(const struct rule_path *path, struct text request)
{
    struct text segment;
    unsigned i = 0;

    for (size_t at = 0; rule_next_segment(request, &at, &segment); i++) {
        if (i == path->segment_count)
            return false;
        if (text_is_empty(path->variables[i]) ? !text_equals(path->segments[i], segment)
                                              : text_is_empty(segment))
            return false;
    }
    return i == path->segment_count;
}

enum pattern_result rule_path_matches(const struct rule_path *path, struct text request_path)
{
    bool is_match = true;

    switch (path->kind) {
    case RULE_PATH_ANY:
        break;
    case RULE_PATH_REGEX:
        return pattern_match(path->pattern, request_path);
    case RULE_PATH_PREFIX:
        is_match = prefix_matches(path, request_path);
        break;
    case RULE_PATH_TEMPLATE:
        is_match = template_matches(path, request_path);
        break;
    case RULE_PATH_EXACT:
        is_match = text_equals(path->path, request_path);
        break;
    }
    return is_match ? PATTERN_YES : PATTERN_NO;
}
