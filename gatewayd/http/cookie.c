/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cookie.c - "name=value; name=value".
 */
#include "gatewayd/http/cookie.h"

static bool find_in(struct text line, struct text name, struct text *value_out)
{
    struct text rest = line, pair;
    while (text_cut(&rest, ';', &pair)) {
        pair = text_trim(pair);
        size_t equals = text_find_byte(pair, '=');
        if (equals == pair.length || !text_equals(text_first(pair, equals), name))
            continue;
        struct text value = text_skip(pair, equals + 1);
        if (value.length >= 2 && value.at[0] == '"' && value.at[value.length - 1] == '"')
            value = text_from(value.at + 1, value.length - 2);
        *value_out = value;
        return true;
    }
    return false;
}

bool cookie_find(const struct headers *headers, struct text name, struct text *value_out)
{
    const struct header *h = headers_find(headers, HEADER_COOKIE);
    for (; h != NULL; h = headers_find_next(headers, h)) {
        if (h->value.length > 0 && find_in(h->value, name, value_out))
            return true;
    }
    return false;
}
