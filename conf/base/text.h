/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.h - slices of bytes: borrowed, counted, not NUL-terminated.
 *
 * A text never owns its bytes; whoever made it says how long they live. Parsers take all of the
 * text or nothing: on failure they return false and leave their output untouched. Case-insensitive
 * comparison is ASCII only. Any thread.
 */
#ifndef CONF_BASE_TEXT_H
#define CONF_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "conf/base/must.h"

struct text {
    const char *at; /* may be NULL when length is 0 */
    size_t length;
};

/* printf("%.*s", TEXT_ARGS(t)) */
#define TEXT_ARGS(t) (int)(t).length, ((t).at == NULL ? "" : (t).at)

/* A text of a string literal, usable in constant initialisers. */
#define TEXT(literal)                                                                              \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }
#define TEXT_OF(literal) ((struct text)TEXT(literal))
#define TEXT_EMPTY       ((struct text){ NULL, 0 })

static inline struct text text_from(const char *at, size_t length)
{
    return (struct text){ at, length };
}

/* NULL gives the empty text. */
static inline struct text text_of(const char *cstring)
{
    return (struct text){ cstring, cstring == NULL ? 0 : strlen(cstring) };
}

static inline bool text_is_empty(struct text t)
{
    return t.length == 0;
}

static inline bool text_equals(struct text a, struct text b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.at, b.at, a.length) == 0);
}

/* Copies the bytes to `to`, where there is room for them; returns where they end. Most of what is
 * copied in a request is short: overlapping words cost less than a call. */
static inline char *text_copy_to(char *to, struct text t)
{
    const char *from = t.at;
    size_t length = t.length;
    if (length > 32)
        return (char *)mempcpy(to, from, length);
    if (length >= 16) {
        memcpy(to, from, 16);
        memcpy(to + length - 16, from + length - 16, 16);
    } else if (length >= 8) {
        memcpy(to, from, 8);
        memcpy(to + length - 8, from + length - 8, 8);
    } else if (length >= 4) {
        memcpy(to, from, 4);
        memcpy(to + length - 4, from + length - 4, 4);
    } else if (length > 0) {
        to[0] = from[0];
        to[length / 2] = from[length / 2];
        to[length - 1] = from[length - 1];
    }
    return to + length;
}

bool text_equals_nocase(struct text a, struct text b);
int text_compare(struct text a, struct text b); /* byte by byte, a prefix is smaller; <0, 0, >0 */
bool text_starts_with(struct text t, struct text prefix);
bool text_starts_with_nocase(struct text t, struct text prefix);
bool text_ends_with(struct text t, struct text suffix);

/* Position of the first `byte`, or t.length. */
size_t text_find_byte(struct text t, char byte);
bool text_contains(struct text t, struct text needle);

/* From `start` to the end; a start past the end gives the empty text. */
static inline struct text text_skip(struct text t, size_t start)
{
    if (start > t.length)
        return TEXT_EMPTY;
    return start == 0 ? t : text_from(t.at + start, t.length - start);
}

static inline struct text text_first(struct text t, size_t length)
{
    return text_from(t.at, length < t.length ? length : t.length);
}

/* Takes what stands before the first `separator` off the front of *rest. False when *rest is
 * used up (an empty *rest gives one empty piece first: "a,,b" has three, "" has one). Start with
 * *rest as the whole and rest->at not NULL; it ends with rest->at NULL. */
MUST_USE bool text_cut(struct text *rest, char separator, struct text *piece_out);

/* The next line of *rest (as of text_cut) that says something: without its end, LF or CRLF, a
 * comment from # on, and spaces around it. Every line passed is added to *number. False: there is
 * none any more. */
MUST_USE bool text_cut_line(struct text *rest, unsigned *number, struct text *line_out);

/* Without leading and trailing spaces and tabs (OWS of RFC 9110 §5.6.3). */
struct text text_trim(struct text t);

/* Decimal digits only: no sign, no space, no overflow. */
MUST_USE bool text_parse_u64(struct text t, uint64_t *value_out);
MUST_USE bool text_parse_i64(struct text t, int64_t *value_out); /* an optional leading '-' */
MUST_USE bool text_parse_hex_u64(struct text t, uint64_t *value_out);

/* "250ms" "2s" "5m" "1h" "30d" → milliseconds; a whole number and one unit. */
MUST_USE bool text_parse_duration(struct text t, int64_t *ms_out);

/* "64k" "1M" "2G" "512" → bytes; powers of 1024. */
MUST_USE bool text_parse_size(struct text t, int64_t *bytes_out);

/* 2026-11-23T11:22:05Z, fractions and offsets accepted → milliseconds since the epoch. */
MUST_USE bool text_parse_time(struct text t, int64_t *ms_out);

/* Room for the longest text_print_* and its NUL. */
#define TEXT_NUMBER_SIZE 32

/* Each prints into `into` (TEXT_NUMBER_SIZE bytes) with a NUL and returns the text of it. */
struct text text_print_u64(uint64_t value, char *into);
struct text text_print_duration(int64_t ms, char *into); /* the largest unit that is exact */
struct text text_print_time(int64_t ms, char *into);     /* RFC 3339, UTC, "…Z", milliseconds */

/* A keyed hash (SipHash-1-3; the key is random per process), for tables a peer can fill. */
uint64_t text_hash(struct text t);
uint64_t text_hash_nocase(struct text t);

/* text_hash with a key of the caller's. */
uint64_t text_hash_keyed(struct text t, const uint64_t key[2]);

/* The same for everybody everywhere (FNV-1a finished with a mixer): for consistent hashing. */
uint64_t text_hash_stable(struct text t);

/* Edit distance for hints, at most `limit` + 1. */
unsigned text_distance(struct text a, struct text b, unsigned limit);

#endif
