/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grammar_path.c - paths of routes: prefix, =exact, template, ~regex; and what is made of them
 * (rewrite.path, redirect.location).
 */
#include "conf/grammar.h"
#include "conf/route.h"

static bool is_variable_name(struct text t)
{
    for (size_t i = 0; i < t.length; i++) {
        char c = t.at[i];
        bool is_good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                       (i > 0 && c >= '0' && c <= '9');

        if (!is_good)
            return false;
    }
    return t.length > 0;
}

bool route_is_variable(struct text segment, struct text *name_out)
{
    struct text name;

    if (segment.length < 3 || segment.at[0] != '{' || segment.at[segment.length - 1] != '}')
        return false;
    name = text_from(segment.at + 1, segment.length - 2);
    if (!is_variable_name(name))
        return false;
    *name_out = name;
    return true;
}

/* Escapes are whole, and not of what no request has. */
static bool check_escapes(struct text path, struct builder *why)
{
    for (size_t i = 0; i < path.length; i++) {
        uint64_t byte;

        if (path.at[i] != '%')
            continue;
        if (i + 2 >= path.length || !text_parse_hex_u64(text_from(path.at + i + 1, 2), &byte))
            return grammar_say(why, path, "must have two hexadecimal digits behind each %");
        if (byte == 0 || byte == '\\')
            return grammar_say(why, path, "must not have %00 or %5C, which no request may have");
    }
    return true;
}

static bool check_plain(struct text path, const char *about_query, struct builder *why)
{
    for (size_t i = 0; i < path.length; i++) {
        unsigned char c = (unsigned char)path.at[i];

        if (c == '?')
            return grammar_say(why, path, about_query);
        if (c == '#' || c == '\\' || c <= ' ' || c == 0x7f)
            return grammar_say(why, path,
                               "must be without '#', '\\', spaces and controls (a space is %20)");
    }
    return check_escapes(path, why);
}

static bool has_brace(struct text t)
{
    return text_find_byte(t, '{') < t.length || text_find_byte(t, '}') < t.length;
}

/* Is the variable in one of the segments before `end`? */
static bool is_seen(struct text path, const char *end, struct text variable)
{
    struct text rest = text_from(path.at, (size_t)(end - path.at));
    struct text segment;
    struct text name;

    while (text_cut(&rest, '/', &segment)) {
        if (route_is_variable(segment, &name) && text_equals(name, variable))
            return true;
    }
    return false;
}

static bool check_template(struct text path, struct builder *why)
{
    struct text rest = path;
    struct text segment;
    struct text name;

    while (text_cut(&rest, '/', &segment)) {
        if (!has_brace(segment))
            continue;
        if (!route_is_variable(segment, &name))
            return grammar_say(why, path,
                               "must have each {name} alone in its segment, its name being "
                               "letters, digits and '_' (a literal brace is %7B or %7D)");
        if (segment.at > path.at && is_seen(path, segment.at - 1, name))
            return grammar_say(why, path, "must have each {name} once");
    }
    return true;
}

static bool check_regex(struct text path, const struct checks *checks, struct builder *why)
{
    struct text pattern = text_skip(path, 1);

    if (pattern.length == 0)
        return grammar_say(why, path, "must have a regular expression behind the ~");
    if (checks->pattern == NULL)
        return true;
    builder_add(why, TEXT_OF("must be a regular expression behind the ~: "));
    if (!checks->pattern(pattern, why)) {
        builder_add_byte(why, '.');
        return false;
    }
    builder_clear(why);
    return true;
}

bool grammar_check_path(struct text name, struct text value, const struct checks *checks,
                        struct builder *why)
{
    struct text path = value;
    bool is_exact = value.length > 0 && value.at[0] == '=';

    if (value.length > 0 && value.at[0] == '~')
        return check_regex(value, checks, why);
    if (is_exact)
        path = text_skip(value, 1);
    if (path.length == 0 || path.at[0] != '/')
        return grammar_say(why, value,
                           "must be a path: \"/prefix\", \"=/exact\", \"/a/{template}\" or "
                           "\"~regex\"");
    if (!check_plain(path, "must be without a query; use match.query", why))
        return false;
    if (is_exact && has_brace(path))
        return grammar_say(why, value,
                           "must be without {name}; a template is exact by itself, leave out "
                           "the =");
    return check_template(path, why);
}

bool grammar_check_rewrite_path(struct text name, struct text value, const struct checks *checks,
                                struct builder *why)
{
    if (value.length == 0 || value.at[0] != '/')
        return grammar_say(why, value, "must be a path that begins with /");
    return check_plain(value, "must be without a query; that of the request is passed on", why);
}

bool grammar_check_asked_path(struct text name, struct text value, const struct checks *checks,
                              struct builder *why)
{
    if (value.length == 0 || value.at[0] != '/')
        return grammar_say(why, value, "must be a path that begins with /; a query may follow");
    for (size_t i = 0; i < value.length; i++) {
        unsigned char c = (unsigned char)value.at[i];

        if (c <= ' ' || c >= 0x7f || c == '#' || c == '\\')
            return grammar_say(why, value,
                               "must be visible ASCII without '#' and '\\' (a space is %20)");
    }
    return check_escapes(value, why);
}

bool grammar_check_location(struct text name, struct text value, const struct checks *checks,
                            struct builder *why)
{
    struct text rest = value;
    struct text scheme;

    if (!grammar_is_visible(value))
        return grammar_say(why, value, "must be visible ASCII without spaces (other bytes as %XX)");
    if (value.at[0] == '/' || text_starts_with(value, TEXT_OF("{scheme}://")) ||
        text_starts_with(value, TEXT_OF("{path}")))
        return true;
    if (text_cut(&rest, ':', &scheme) && rest.at != NULL && scheme.length > 0 &&
        text_starts_with(rest, TEXT_OF("//")) && rest.length > 2 && is_variable_name(scheme))
        return true;
    return grammar_say(why, value,
                       "must be a path that begins with / or an absolute URI such as "
                       "\"https://{host}{path}{query}\"");
}
