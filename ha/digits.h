/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digits.h - whole numbers as files, requests and answers have them: decimal digits and nothing
 * else, no sign, no space.
 */
#ifndef HA_DIGITS_H
#define HA_DIGITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All of the text, which is 1 to 9 digits (leading zeros are some) of at most `most`. False: it is
 * not, and *value_out is left as it was. Any thread. */
bool digits_parse(const char *text, size_t length, unsigned most, unsigned *value_out);
/* The same of 1 to 19 digits. */
bool digits_parse_u64(const char *text, size_t length, uint64_t *value_out);

#endif
