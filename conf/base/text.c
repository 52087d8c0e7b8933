/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.c - comparing, searching and cutting slices of bytes.
 */
#include "conf/base/text.h"

#include "conf/base/text_private.h"

/* Same bytes but for the case of ASCII letters, eight at a time. */
static bool same_nocase(const char *a, const char *b, size_t length)
{
    while (length >= 8) {
        uint64_t x = text_load8(a);
        uint64_t y = text_load8(b);
        if (x != y && text_lower8(x) != text_lower8(y))
            return false;
        a += 8;
        b += 8;
        length -= 8;
    }
    return text_lower8(text_load_tail(a, length)) == text_lower8(text_load_tail(b, length));
}

bool text_equals_nocase(struct text a, struct text b)
{
    return a.length == b.length && same_nocase(a.at, b.at, a.length);
}

int text_compare(struct text a, struct text b)
{
    size_t common = a.length < b.length ? a.length : b.length;
    int order = common == 0 ? 0 : memcmp(a.at, b.at, common);
    if (order != 0)
        return order;
    return (a.length > b.length) - (a.length < b.length);
}

bool text_starts_with(struct text t, struct text prefix)
{
    return t.length >= prefix.length && text_equals(text_first(t, prefix.length), prefix);
}

bool text_starts_with_nocase(struct text t, struct text prefix)
{
    return t.length >= prefix.length && same_nocase(t.at, prefix.at, prefix.length);
}

bool text_ends_with(struct text t, struct text suffix)
{
    return t.length >= suffix.length && text_equals(text_skip(t, t.length - suffix.length), suffix);
}

size_t text_find_byte(struct text t, char byte)
{
    const char *found = t.length == 0 ? NULL : memchr(t.at, byte, t.length);
    return found == NULL ? t.length : (size_t)(found - t.at);
}

bool text_contains(struct text t, struct text needle)
{
    if (needle.length == 0)
        return true;
    return t.length >= needle.length && memmem(t.at, t.length, needle.at, needle.length) != NULL;
}

bool text_cut(struct text *rest, char separator, struct text *piece_out)
{
    if (rest->at == NULL)
        return false;
    size_t end = text_find_byte(*rest, separator);
    *piece_out = text_first(*rest, end);
    *rest = end == rest->length ? TEXT_EMPTY : text_skip(*rest, end + 1);
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct text text_trim(struct text t)
{
    while (t.length > 0 && is_blank(t.at[0])) {
        t.at++;
        t.length--;
    }
    while (t.length > 0 && is_blank(t.at[t.length - 1]))
        t.length--;
    return t;
}

bool text_cut_line(struct text *rest, unsigned *number, struct text *line_out)
{
    struct text line;

    while (text_cut(rest, '\n', &line)) {
        ++*number;
        if (line.length > 0 && line.at[line.length - 1] == '\r')
            line.length--;
        *line_out = text_trim(text_first(line, text_find_byte(line, '#')));
        if (line_out->length > 0)
            return true;
    }
    return false;
}

/* Longer names than this get no hints. */
#define DISTANCE_MAX 64

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* One row of the optimal string alignment table: `before` and `above` are the two rows over it. */
static unsigned fill_row(struct text a, struct text b, size_t i, unsigned (*rows)[DISTANCE_MAX + 1])
{
    unsigned *row = rows[i % 3];
    const unsigned *above = rows[(i + 2) % 3];
    const unsigned *before = rows[(i + 1) % 3];
    unsigned smallest = row[0] = (unsigned)i;
    for (size_t j = 1; j <= b.length; j++) {
        bool same = a.at[i - 1] == b.at[j - 1];
        row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (same ? 0 : 1));
        if (i > 1 && j > 1 && a.at[i - 1] == b.at[j - 2] && a.at[i - 2] == b.at[j - 1])
            row[j] = least(row[j], before[j - 2] + 1);
        smallest = least(smallest, row[j]);
    }
    return smallest;
}

unsigned text_distance(struct text a, struct text b, unsigned limit)
{
    size_t difference = a.length > b.length ? a.length - b.length : b.length - a.length;
    if (difference > limit || a.length > DISTANCE_MAX || b.length > DISTANCE_MAX)
        return limit + 1;

    unsigned rows[3][DISTANCE_MAX + 1];
    for (size_t j = 0; j <= b.length; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a.length; i++) {
        if (fill_row(a, b, i, rows) > limit + 1)
            return limit + 1;
    }
    return least(rows[a.length % 3][b.length], limit + 1);
}
