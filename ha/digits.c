/* SPDX-License-Identifier: Apache-2.0 */
/* digits.c - see digits.h. */
#include "ha/digits.h"

#define DIGITS_MOST 9 /* any so many fit */

bool digits_parse(const char *text, size_t length, unsigned most, unsigned *value_out)
{
    unsigned value = 0;

    if (length == 0 || length > DIGITS_MOST)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    if (value > most)
        return false;
    *value_out = value;
    return true;
}
