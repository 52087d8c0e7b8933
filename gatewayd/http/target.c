/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target.c - origin-form, absolute-form and asterisk-form. Authority-form is CONNECT's, which is
 * not offered.
 */
#include "gatewayd/http/target.h"

#include "gatewayd/http/chars.h"
#include "gatewayd/http/path.h"

/* Splits "/path?query" and normalises the path. */
static enum refusal parse_path_and_query(struct request_head *head, struct text t,
                                         struct arena *arena)
{
    size_t question = text_find_byte(t, '?');
    struct path path;
    enum refusal r = path_parse(text_first(t, question), arena, &path);
    if (r != REFUSAL_NONE)
        return r;
    head->path = path.text;
    head->has_encoded_slash = path.has_encoded_slash;
    head->has_query = question < t.length;
    head->query = head->has_query ? text_skip(t, question + 1) : TEXT_EMPTY;
    return REFUSAL_NONE;
}

/* What follows "http://" or "https://". An empty path is "/", and for OPTIONS without a query "*"
 * (RFC 9112 §3.2.4). */
static enum refusal parse_absolute(struct request_head *head, struct text t, struct arena *arena)
{
    size_t length = 0;
    while (length < t.length && t.at[length] != '/' && t.at[length] != '?')
        length++;
    struct text rest = text_skip(t, length);
    head->authority = text_first(t, length);
    head->target_form = TARGET_ABSOLUTE;
    if (rest.length > 0 && rest.at[0] == '/')
        return parse_path_and_query(head, rest, arena);
    head->path = TEXT_OF("/");
    head->has_query = rest.length > 0;
    head->query = head->has_query ? text_skip(rest, 1) : TEXT_EMPTY;
    if (head->method == METHOD_OPTIONS && !head->has_query)
        head->path = TEXT_OF("*");
    return REFUSAL_NONE;
}

enum refusal target_parse(struct request_head *head, struct arena *arena)
{
    struct text t = head->target;
    if (chars_skip_target(t.at, t.at + t.length) != t.at + t.length)
        return REFUSAL_TARGET_BYTE;
    if (LIKELY(t.length > 0 && t.at[0] == '/')) {
        head->target_form = TARGET_ORIGIN;
        return parse_path_and_query(head, t, arena);
    }
    if (head->method == METHOD_OPTIONS && text_equals(t, TEXT_OF("*"))) {
        head->target_form = TARGET_ASTERISK;
        head->path = TEXT_OF("*");
        return REFUSAL_NONE;
    }
    if (text_starts_with_nocase(t, TEXT_OF("http://")))
        return parse_absolute(head, text_skip(t, 7), arena);
    if (text_starts_with_nocase(t, TEXT_OF("https://")))
        return parse_absolute(head, text_skip(t, 8), arena);
    return REFUSAL_TARGET_FORM;
}
