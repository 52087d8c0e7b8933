/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chars.h - which bytes may stand where in HTTP, and finding the first that may not.
 *
 * The scanners look at sixteen bytes at a time with SSE2 (every x86-64 has it), elsewhere at eight
 * in a word. They never read past `end`. Those that are given `floor`, the first byte that may be
 * read, take what is left at the end in one step too: together with bytes before it, whose
 * verdicts are dropped. Pure; any thread.
 */
#ifndef GATEWAYD_HTTP_CHARS_H
#define GATEWAYD_HTTP_CHARS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "conf/base/must.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
    CHARS_TOKEN = 1,      /* RFC 9110 §5.6.2 */
    CHARS_TARGET = 2,     /* visible ASCII but '#' and '\\' */
    CHARS_UNRESERVED = 4, /* RFC 3986 §2.3 */
    CHARS_HOST = 8,       /* letters, digits, '-', '.', '_' */
    CHARS_UPPER = 16,     /* 'A' to 'Z' */
    CHARS_DIGIT = 32,
};

extern const unsigned char chars_class[256];

static inline bool chars_is(char byte, unsigned classes)
{
    return (chars_class[(unsigned char)byte] & classes) != 0;
}

/* The value of a hexadecimal digit, or -1. */
static inline int chars_hex_value(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    char low = (char)(byte | 0x20);
    if (low >= 'a' && low <= 'f')
        return low - 'a' + 10;
    return -1;
}

/* The first byte that is not of `classes`, or `end`. For short runs. */
static inline const char *chars_skip(const char *at, const char *end, unsigned classes)
{
    while (at < end && chars_is(*at, classes))
        at++;
    return at;
}

static inline bool chars_is_value(char byte)
{
    unsigned char c = (unsigned char)byte;
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

#ifdef __SSE2__
/* Bit n: the byte n of the sixteen at `at` may not stand in a value. */
static inline unsigned chars_bad_in_value(const char *at)
{
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i fine = _mm_cmpeq_epi8(_mm_max_epu8(x, _mm_set1_epi8(0x20)), x);
    fine = _mm_andnot_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f)), fine);
    fine = _mm_or_si128(fine, _mm_cmpeq_epi8(x, _mm_set1_epi8('\t')));
    return (unsigned)_mm_movemask_epi8(fine) ^ 0xffff;
}

/* Bit n: the byte n of the sixteen at `at` is a colon. */
static inline unsigned chars_colons(const char *at)
{
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)at);
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8(':')));
}
#endif

/* The first control byte but a tab (so: the CR of a line's end, or something worse), or `end`. */
static inline const char *chars_skip_value(const char *floor, const char *at, const char *end)
{
#ifdef __SSE2__
    for (; end - at >= 16; at += 16) {
        unsigned bad = chars_bad_in_value(at);
        if (bad != 0)
            return at + __builtin_ctz(bad);
    }
    if (LIKELY(end - floor >= 16)) {
        unsigned bad = chars_bad_in_value(end - 16) >> (16 - (end - at));
        return bad != 0 ? at + __builtin_ctz(bad) : end;
    }
#else
    (void)floor;
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    for (; end - at >= 8; at += 8) {
        uint64_t x;
        memcpy(&x, at, sizeof(x));
        uint64_t del = x ^ (ones * 0x7f);
        if ((((x - ones * 0x20) & ~x) | ((del - ones) & ~del)) & tops)
            break; /* a control or DEL, perhaps a tab: the bytes tell */
    }
#endif
    while (at < end && chars_is_value(*at))
        at++;
    return at;
}

/* The first ':' of the 32 bytes at `at`, or NULL: there is none, or looking at single bytes would
 * not be slower. */
static inline const char *chars_find_colon(const char *floor, const char *at, const char *end)
{
#ifdef __SSE2__
    for (const char *stop = at + 32; at < stop; at += 16) {
        if (UNLIKELY(end - at < 16)) {
            if (end - floor < 16)
                return NULL;
            unsigned found = chars_colons(end - 16) >> (16 - (end - at));
            return found != 0 ? at + __builtin_ctz(found) : NULL;
        }
        unsigned found = chars_colons(at);
        if (LIKELY(found != 0))
            return at + __builtin_ctz(found);
    }
#else
    (void)floor;
    (void)at;
    (void)end;
#endif
    return NULL;
}

/* The first byte that may not stand in a target (so: the space behind it, or worse), or `end`. */
static inline const char *chars_skip_target(const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i first = _mm_set1_epi8(0x21), last = _mm_set1_epi8(0x7e);
    const __m128i hash = _mm_set1_epi8('#'), backslash = _mm_set1_epi8('\\');
    for (; end - at >= 16; at += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i fine = _mm_and_si128(_mm_cmpeq_epi8(_mm_max_epu8(x, first), x),
                                     _mm_cmpeq_epi8(_mm_min_epu8(x, last), x));
        __m128i worse = _mm_or_si128(_mm_cmpeq_epi8(x, hash), _mm_cmpeq_epi8(x, backslash));
        unsigned bad = (unsigned)_mm_movemask_epi8(_mm_andnot_si128(worse, fine)) ^ 0xffff;
        if (bad != 0)
            return at + __builtin_ctz(bad);
    }
#endif
    return chars_skip(at, end, CHARS_TARGET);
}

#endif
