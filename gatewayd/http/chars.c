/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chars.c - the table of byte classes.
 */
#include "gatewayd/http/chars.h"

#define LETTER (CHARS_TOKEN | CHARS_TARGET | CHARS_UNRESERVED | CHARS_HOST)

const unsigned char chars_class[256] = {
    ['a' ... 'z'] = LETTER,
    ['A' ... 'Z'] = LETTER | CHARS_UPPER,
    ['0' ... '9'] = LETTER | CHARS_DIGIT,
    ['-'] = LETTER,
    ['.'] = LETTER,
    ['_'] = LETTER,
    ['~'] = CHARS_TOKEN | CHARS_TARGET | CHARS_UNRESERVED,
    ['!'] = CHARS_TOKEN | CHARS_TARGET,
    ['$'] = CHARS_TOKEN | CHARS_TARGET,
    ['%'] = CHARS_TOKEN | CHARS_TARGET,
    ['&'] = CHARS_TOKEN | CHARS_TARGET,
    ['\''] = CHARS_TOKEN | CHARS_TARGET,
    ['*'] = CHARS_TOKEN | CHARS_TARGET,
    ['+'] = CHARS_TOKEN | CHARS_TARGET,
    ['^'] = CHARS_TOKEN | CHARS_TARGET,
    ['`'] = CHARS_TOKEN | CHARS_TARGET,
    ['|'] = CHARS_TOKEN | CHARS_TARGET,
    ['#'] = CHARS_TOKEN,
    ['"'] = CHARS_TARGET,
    ['('] = CHARS_TARGET,
    [')'] = CHARS_TARGET,
    [','] = CHARS_TARGET,
    ['/'] = CHARS_TARGET,
    [':' ... '@'] = CHARS_TARGET,
    ['['] = CHARS_TARGET,
    [']'] = CHARS_TARGET,
    ['{'] = CHARS_TARGET,
    ['}'] = CHARS_TARGET,
};
