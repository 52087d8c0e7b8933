/* SPDX-License-Identifier: Apache-2.0 */
/* digits.c - see digits.h. */
#include "ha/digits.h"

#define DIGITS_MOST     9 /* any so many fit */
#define DIGITS_MOST_U64 19

static bool parse(const char *text, size_t length, size_t most, uint64_t *value_out)
{
    uint64_t value = 0;

    if (length == 0 || length > most)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *value_out = value;
    return true;
}

bool digits_parse(const char *text, size_t length, unsigned most, unsigned *value_out)
{
    uint64_t value;

    if (!parse(text, length, DIGITS_MOST, &value) || value > most)
        return false;
    *value_out = (unsigned)value;
    return true;
}

bool digits_parse_u64(const char *text, size_t length, uint64_t *value_out)
{
    return parse(text, length, DIGITS_MOST_U64, value_out);
}
