/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path.c - normalisation of paths. Most paths are normal already: that is found out sixteen bytes
 * at a time; the others are written anew, segment by segment.
 */
#include "gatewayd/http/path.h"

#include "gatewayd/http/chars.h"

/* A writer of normalised segments. `out` begins with '/'. */
struct writer {
    const char *in;
    const char *end;
    char *out;
    char *segment; /* where the segment at hand begins, behind a '/' */
    char *at;
    bool is_pattern;
    bool has_encoded_slash;     /* in the path, or in what ".." took away again */
    bool segment_encoded_slash; /* in the segment at hand */
};

/* Whether a '%' or a slash before a slash or dot stands in `t`: it may not be normal then. Bytes
 * that may not be in a path count, too. */
static bool needs_writing(struct text t)
{
    const char *at = t.at, *end = t.at + t.length;
#ifdef __SSE2__
    const __m128i slash = _mm_set1_epi8('/'), dot = _mm_set1_epi8('.');
    const __m128i percent = _mm_set1_epi8('%');
    for (; end - at >= 17; at += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i y = _mm_loadu_si128((const __m128i *)(const void *)(at + 1));
        __m128i pair = _mm_or_si128(_mm_cmpeq_epi8(y, slash), _mm_cmpeq_epi8(y, dot));
        __m128i found = _mm_and_si128(_mm_cmpeq_epi8(x, slash), pair);
        if (_mm_movemask_epi8(_mm_or_si128(found, _mm_cmpeq_epi8(x, percent))) != 0)
            return true;
    }
#endif
    for (; at < end; at++) {
        if (*at == '%' || (*at == '/' && at + 1 < end && (at[1] == '/' || at[1] == '.')))
            return true;
    }
    return chars_skip_target(t.at, end) != end;
}

static void put_escape(struct writer *w, unsigned char byte)
{
    static const char digits[] = "0123456789ABCDEF";
    *w->at++ = '%';
    *w->at++ = digits[byte >> 4];
    *w->at++ = digits[byte & 15];
}

static enum refusal take_escape(struct writer *w)
{
    if (w->end - w->in < 3)
        return REFUSAL_PATH_ESCAPE;
    int high = chars_hex_value(w->in[1]), low = chars_hex_value(w->in[2]);
    if (high < 0 || low < 0)
        return REFUSAL_PATH_ESCAPE;
    unsigned char byte = (unsigned char)(high << 4 | low);
    w->in += 3;
    if (byte == 0 || byte == '\\')
        return REFUSAL_PATH_ESCAPED_BYTE;
    if (byte == '/')
        w->has_encoded_slash = w->segment_encoded_slash = true;
    if (chars_is((char)byte, CHARS_UNRESERVED))
        *w->at++ = (char)byte;
    else
        put_escape(w, byte);
    return REFUSAL_NONE;
}

/* The length of the UTF-8 sequence at `at` (RFC 3629), or 0. */
static size_t utf8_length(const unsigned char *at, size_t left)
{
    unsigned char first = at[0];
    size_t length = first >= 0xc2 && first <= 0xdf   ? 2
                    : (first & 0xf0) == 0xe0         ? 3
                    : first >= 0xf0 && first <= 0xf4 ? 4
                                                     : 0;
    if (length == 0 || length > left)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    bool is_overlong = (first == 0xe0 && at[1] < 0xa0) || (first == 0xf0 && at[1] < 0x90);
    bool is_surrogate = first == 0xed && at[1] > 0x9f;
    bool is_too_large = first == 0xf4 && at[1] > 0x8f;
    return is_overlong || is_surrogate || is_too_large ? 0 : length;
}

/* In a pattern: a space or a sequence of UTF-8 becomes escapes. */
static enum refusal take_plain(struct writer *w)
{
    const unsigned char *at = (const unsigned char *)w->in;
    size_t length = *at == ' ' ? 1 : utf8_length(at, (size_t)(w->end - w->in));
    if (!w->is_pattern || length == 0)
        return REFUSAL_TARGET_BYTE;
    for (size_t i = 0; i < length; i++)
        put_escape(w, at[i]);
    w->in += length;
    return REFUSAL_NONE;
}

/* Takes bytes up to the next slash or the end. */
static enum refusal take_segment(struct writer *w)
{
    while (w->in < w->end && *w->in != '/') {
        enum refusal r = REFUSAL_NONE;
        if (*w->in == '%')
            r = take_escape(w);
        else if (!chars_is(*w->in, CHARS_TARGET))
            r = take_plain(w);
        else
            *w->at++ = *w->in++;
        if (r != REFUSAL_NONE)
            return r;
    }
    return REFUSAL_NONE;
}

static size_t count_dots(struct text t)
{
    size_t dots = 0;
    while (dots < t.length && t.at[dots] == '.')
        dots++;
    return dots;
}

/* "." or "..", bare or with a ';' behind, is what some servers see in `t`. */
static bool is_dotted(struct text t, bool with_parameter_only)
{
    size_t dots = count_dots(t);
    if (dots == 0 || dots > 2)
        return false;
    if (dots == t.length)
        return !with_parameter_only;
    return t.at[dots] == ';';
}

/* A server that takes %2F for a slash would find dot segments in here. */
static bool hides_dots(struct text segment)
{
    size_t from = 0;
    for (size_t i = 0; i <= segment.length; i++) {
        bool is_end = i == segment.length;
        if (!is_end && !(segment.length - i >= 3 && memcmp(segment.at + i, "%2F", 3) == 0))
            continue;
        if (is_dotted(text_from(segment.at + from, i - from), false))
            return true;
        from = i + 3;
    }
    return false;
}

/* Resolves the segment just written. */
static enum refusal settle_segment(struct writer *w)
{
    struct text segment = text_from(w->segment, (size_t)(w->at - w->segment));
    if (is_dotted(segment, true) || (w->segment_encoded_slash && hides_dots(segment)))
        return REFUSAL_PATH_DOT_SEGMENT;
    w->segment_encoded_slash = false;
    size_t dots = count_dots(segment);
    if (dots == 0 || dots > 2 || dots != segment.length)
        return REFUSAL_NONE;
    w->at = w->segment;
    if (dots == 2 && w->at > w->out + 1) {
        w->at--;
        while (w->at[-1] != '/')
            w->at--;
    }
    return REFUSAL_NONE;
}

static enum refusal write_path(struct writer *w)
{
    w->at = w->out;
    while (w->in < w->end) {
        while (w->in < w->end && *w->in == '/')
            w->in++;
        if (w->at == w->out || w->at[-1] != '/')
            *w->at++ = '/';
        w->segment = w->at;
        enum refusal r = take_segment(w);
        if (r == REFUSAL_NONE)
            r = settle_segment(w);
        if (r != REFUSAL_NONE)
            return r;
    }
    return REFUSAL_NONE;
}

static enum refusal normalise(struct text raw, bool is_pattern, struct arena *arena,
                              struct path *path_out)
{
    if (raw.length == 0 || raw.at[0] != '/')
        return REFUSAL_PATH_FORM;
    if (LIKELY(!needs_writing(raw))) {
        *path_out = (struct path){ .text = raw };
        return REFUSAL_NONE;
    }
    char *out = arena_try_alloc(arena, is_pattern ? 3 * raw.length : raw.length);
    if (out == NULL)
        return REFUSAL_TARGET_TOO_LONG;
    struct writer w = {
        .in = raw.at, .end = raw.at + raw.length, .out = out, .is_pattern = is_pattern
    };
    enum refusal r = write_path(&w);
    if (r != REFUSAL_NONE)
        return r;
    struct text text = text_from(out, (size_t)(w.at - out));
    bool has_slash = w.has_encoded_slash && text_contains(text, TEXT_OF("%2F"));
    *path_out = (struct path){ .text = text, .has_encoded_slash = has_slash };
    return REFUSAL_NONE;
}

enum refusal path_parse(struct text raw, struct arena *arena, struct path *path_out)
{
    return normalise(raw, false, arena, path_out);
}

enum refusal path_parse_pattern(struct text raw, struct arena *arena, struct path *path_out)
{
    if (text_find_byte(raw, '?') < raw.length)
        return REFUSAL_TARGET_BYTE;
    return normalise(raw, true, arena, path_out);
}
