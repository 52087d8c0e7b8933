/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query.c - finding one parameter. Names are compared while they are decoded, so that only the
 * value that is asked for needs memory.
 */
#include "gatewayd/route/query.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The decoded byte at *at, which moves behind it. */
static char next_byte(struct text t, size_t *at)
{
    char c = t.at[*at];
    int high;
    int low;

    *at += 1;
    if (c == '+')
        return ' ';
    if (c != '%' || *at + 2 > t.length)
        return c;
    high = hex_digit(t.at[*at]);
    low = hex_digit(t.at[*at + 1]);
    if (high < 0 || low < 0)
        return c;
    *at += 2;
    return (char)(high << 4 | low);
}

static bool is_name(struct text encoded, struct text name)
{
    size_t at = 0;
    size_t i = 0;

    while (at < encoded.length) {
        if (i == name.length || next_byte(encoded, &at) != name.at[i])
            return false;
        i++;
    }
    return i == name.length;
}

static enum query_found decode(struct text encoded, struct arena *arena, struct text *value_out)
{
    size_t length = 0;
    char *into;

    if (text_find_byte(encoded, '%') == encoded.length &&
        text_find_byte(encoded, '+') == encoded.length) {
        *value_out = encoded;
        return QUERY_FOUND;
    }
    into = arena_try_alloc(arena, encoded.length);
    if (into == NULL)
        return QUERY_NO_ROOM;
    for (size_t at = 0; at < encoded.length;)
        into[length++] = next_byte(encoded, &at);
    *value_out = text_from(into, length);
    return QUERY_FOUND;
}

enum query_found query_find(struct text query, struct text name, struct arena *arena,
                            struct text *value_out)
{
    struct text rest = query;
    struct text parameter;

    if (text_is_empty(query))
        return QUERY_ABSENT;
    while (text_cut(&rest, '&', &parameter)) {
        size_t equals = text_find_byte(parameter, '=');

        if (parameter.length > 0 && is_name(text_first(parameter, equals), name))
            return decode(text_skip(parameter, equals + 1), arena, value_out);
    }
    return QUERY_ABSENT;
}
