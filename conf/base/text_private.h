/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text_private.h - eight bytes at a time: what text.c and text_hash.c share.
 */
#ifndef CONF_BASE_TEXT_PRIVATE_H
#define CONF_BASE_TEXT_PRIVATE_H

#include <endian.h>

#include "conf/base/text.h"

/* Eight bytes as a little-endian number. */
static inline uint64_t text_load8(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return le64toh(word);
}

static inline uint64_t text_load4(const char *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof(word));
    return le32toh(word);
}

static inline uint64_t text_load1(const char *at)
{
    return (unsigned char)*at;
}

/* The last 0..7 bytes, little-endian, padded with zeros; reads no byte outside. Overlapping loads
 * put the same byte at the same place twice, which or-ing does not mind. */
static inline uint64_t text_load_tail(const char *at, size_t length)
{
    if (length >= 4)
        return text_load4(at) | text_load4(at + length - 4) << (8 * (length - 4));
    if (length == 0)
        return 0;
    return text_load1(at) | text_load1(at + length / 2) << (8 * (length / 2)) |
           text_load1(at + length - 1) << (8 * (length - 1));
}

#define TEXT_EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Lower case for the ASCII letters among eight bytes: the sums carry into a byte's top bit from
 * 'A' on and from past 'Z' on, so they differ there for upper-case letters only. */
static inline uint64_t text_lower8(uint64_t word)
{
    uint64_t low = word & TEXT_EACH_BYTE(0x7f);
    uint64_t from_a = low + TEXT_EACH_BYTE(0x80 - 'A');
    uint64_t past_z = low + TEXT_EACH_BYTE(0x7f - 'Z');
    uint64_t upper = (from_a ^ past_z) & ~word & TEXT_EACH_BYTE(0x80);
    return word | upper >> 2;
}

#endif
