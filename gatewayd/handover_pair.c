/* SPDX-License-Identifier: Apache-2.0 */
/* handover_pair.c - see handover_pair.h. */
#include "gatewayd/handover_pair.h"

void handover_pair_print(struct text key, struct text value, struct builder *b)
{
    builder_addf(b, "%zu %zu ", key.length, value.length);
    builder_add(b, key);
    builder_add(b, value);
}

static bool cut_length(struct text *rest, uint64_t *length_out)
{
    struct text digits = text_first(*rest, text_find_byte(*rest, ' '));

    if (digits.length == rest->length || !text_parse_u64(digits, length_out))
        return false;
    *rest = text_skip(*rest, digits.length + 1);
    return true;
}

bool handover_pair_cut(struct text *rest, struct text *key_out, struct text *value_out)
{
    uint64_t key = 0;
    uint64_t value = 0;

    if (!cut_length(rest, &key) || !cut_length(rest, &value) || key > rest->length ||
        value > rest->length - key)
        return false;
    *key_out = text_first(*rest, key);
    *value_out = text_first(text_skip(*rest, key), value);
    *rest = text_skip(*rest, key + value);
    return true;
}
