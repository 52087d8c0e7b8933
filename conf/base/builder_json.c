/* SPDX-License-Identifier: Apache-2.0 */
/*
 * builder_json.c - JSON strings (RFC 8259 §7), whatever the bytes.
 */
#include "conf/base/builder.h"

/* U+FFFD */
#define REPLACEMENT "\xef\xbf\xbd"

/* What stands for each byte below 0x20, '"' and '\\'; NULL: \u00XX. */
static const char *short_escape(char c)
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return NULL;
    }
}

static bool is_plain(char c)
{
    return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

/* Well-formed byte sequences of Unicode, table 3-7: by the lead byte, the length and the range of
 * the second byte; those after it are 80..BF. */
struct lead {
    unsigned char first, last;
    unsigned char length;
    unsigned char second_low, second_high;
};

static const struct lead leads[] = {
    { 0xc2, 0xdf, 2, 0x80, 0xbf }, { 0xe0, 0xe0, 3, 0xa0, 0xbf }, { 0xe1, 0xec, 3, 0x80, 0xbf },
    { 0xed, 0xed, 3, 0x80, 0x9f }, { 0xee, 0xef, 3, 0x80, 0xbf }, { 0xf0, 0xf0, 4, 0x90, 0xbf },
    { 0xf1, 0xf3, 4, 0x80, 0xbf }, { 0xf4, 0xf4, 4, 0x80, 0x8f },
};

static const struct lead *find_lead(unsigned char byte)
{
    for (size_t i = 0; i < ARRAY_LENGTH(leads); i++) {
        if (byte >= leads[i].first && byte <= leads[i].last)
            return &leads[i];
    }
    return NULL;
}

/* Length of the character that `t` starts with (not ASCII), 0 if it is not UTF-8. */
static size_t utf8_length(struct text t)
{
    const unsigned char *bytes = (const unsigned char *)t.at;
    const struct lead *lead = find_lead(bytes[0]);
    if (lead == NULL || t.length < lead->length)
        return 0;
    if (bytes[1] < lead->second_low || bytes[1] > lead->second_high)
        return 0;
    for (size_t i = 2; i < lead->length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    }
    return lead->length;
}

/* Adds what the one byte or character at the front of `t` becomes; how many bytes it took. */
static size_t add_special(struct builder *b, struct text t)
{
    char c = t.at[0];
    if ((unsigned char)c >= 0x80) {
        size_t length = utf8_length(t);
        builder_add(b, length == 0 ? TEXT_OF(REPLACEMENT) : text_first(t, length));
        return length == 0 ? 1 : length;
    }
    const char *escape = short_escape(c);
    if (escape != NULL)
        builder_add(b, text_of(escape));
    else
        builder_addf(b, "\\u%04x", (unsigned char)c);
    return 1;
}

void builder_add_json(struct builder *b, struct text piece)
{
    builder_add_byte(b, '"');
    while (piece.length > 0) {
        size_t plain = 0;
        while (plain < piece.length && is_plain(piece.at[plain]))
            plain++;
        builder_add(b, text_first(piece, plain));
        piece = text_skip(piece, plain);
        if (piece.length > 0)
            piece = text_skip(piece, add_special(b, piece));
    }
    builder_add_byte(b, '"');
}
