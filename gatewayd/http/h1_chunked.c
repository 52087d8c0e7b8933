/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_chunked.c - the chunked coding. Data is passed by in slices; size lines and what stands
 * between chunks go byte by byte.
 *
 *     SIZE_FIRST → SIZE → [SPACE] [EXTENSION QUOTED ESCAPED] → SIZE_LF → BYTES → END_CR → END_LF ↩
 *                                                            └→ TRAILERS → ENDED   (size 0)
 */
#include "gatewayd/http/h1_chunked.h"

#include "gatewayd/http/chars.h"
#include "gatewayd/http/h1_head.h"

#define TRAILER_LINES_MAX 64

void h1_chunked_init(struct h1_chunked *c, struct headers *trailers, struct arena *arena)
{
    *c = (struct h1_chunked){ .trailers = trailers, .arena = arena };
}

static enum refusal take_size_digit(struct h1_chunked *c, char byte)
{
    int digit = chars_hex_value(byte);
    if (digit >= 0) {
        if (c->left > (INT64_MAX >> 4))
            return REFUSAL_CHUNK_SIZE_TOO_LARGE;
        c->left = c->left << 4 | (uint64_t)digit;
        c->state = H1_CHUNKED_SIZE;
        return REFUSAL_NONE;
    }
    if (c->state == H1_CHUNKED_SIZE_FIRST)
        return REFUSAL_CHUNK_SIZE;
    if (byte == '\r')
        c->state = H1_CHUNKED_SIZE_LF;
    else if (byte == ';')
        c->state = H1_CHUNKED_EXTENSION;
    else if (byte == ' ' || byte == '\t')
        c->state = H1_CHUNKED_SPACE;
    else
        return byte == '\n' ? REFUSAL_BARE_LF : REFUSAL_CHUNK_SIZE;
    return REFUSAL_NONE;
}

/* White space is allowed before an extension only, never before the end of the line. */
static enum refusal take_space(struct h1_chunked *c, char byte)
{
    if (byte == ';')
        c->state = H1_CHUNKED_EXTENSION;
    else if (byte != ' ' && byte != '\t')
        return REFUSAL_CHUNK_SIZE;
    return REFUSAL_NONE;
}

static enum refusal take_extension(struct h1_chunked *c, char byte)
{
    c->surplus++;
    if (c->state == H1_CHUNKED_ESCAPED) {
        c->state = H1_CHUNKED_QUOTED;
        return chars_is_value(byte) ? REFUSAL_NONE : REFUSAL_CHUNK_EXTENSION;
    }
    if (c->state == H1_CHUNKED_QUOTED) {
        if (byte == '"')
            c->state = H1_CHUNKED_EXTENSION;
        else if (byte == '\\')
            c->state = H1_CHUNKED_ESCAPED;
        return chars_is_value(byte) ? REFUSAL_NONE : REFUSAL_CHUNK_EXTENSION;
    }
    if (byte == '\r')
        c->state = H1_CHUNKED_SIZE_LF;
    else if (byte == '"')
        c->state = H1_CHUNKED_QUOTED;
    else if (byte == '\n')
        return REFUSAL_BARE_LF;
    else if (!chars_is(byte, CHARS_TOKEN) && byte != ';' && byte != '=' && byte != ' ' &&
             byte != '\t')
        return REFUSAL_CHUNK_EXTENSION;
    return REFUSAL_NONE;
}

static enum refusal end_size_line(struct h1_chunked *c, char byte)
{
    if (byte != '\n')
        return REFUSAL_BARE_CR;
    c->line = 0;
    c->state = c->left > 0 ? H1_CHUNKED_BYTES : H1_CHUNKED_TRAILERS;
    return REFUSAL_NONE;
}

/* One byte of a size line. */
static enum refusal take_line_byte(struct h1_chunked *c, char byte)
{
    if (++c->line > H1_CHUNKED_LINE_MAX || c->surplus > H1_CHUNKED_SURPLUS_MAX)
        return REFUSAL_CHUNK_EXTENSION_TOO_LONG;
    if (c->state <= H1_CHUNKED_SIZE)
        return take_size_digit(c, byte);
    if (c->state == H1_CHUNKED_SPACE)
        return take_space(c, byte);
    if (c->state == H1_CHUNKED_SIZE_LF)
        return end_size_line(c, byte);
    return take_extension(c, byte);
}

static enum refusal take_chunk_end(struct h1_chunked *c, char byte)
{
    if (byte != (c->state == H1_CHUNKED_END_CR ? '\r' : '\n'))
        return REFUSAL_CHUNK_END;
    c->state = c->state == H1_CHUNKED_END_CR ? H1_CHUNKED_END_LF : H1_CHUNKED_SIZE_FIRST;
    return REFUSAL_NONE;
}

static void take_data(struct h1_chunked *c, struct text *bytes, struct text *data_out)
{
    size_t length = bytes->length < c->left ? bytes->length : (size_t)c->left;
    *data_out = text_from(bytes->at, length);
    *bytes = text_from(bytes->at + length, bytes->length - length);
    c->left -= length;
    c->surplus -= c->surplus < length ? c->surplus : length;
    if (c->left == 0)
        c->state = H1_CHUNKED_END_CR;
}

/* Fields that could change what was already decided on the head are not believed in trailers
 * (RFC 9110 §6.5.1). */
static bool may_trail(enum header_id id)
{
    switch ((int)id) {
    case HEADER_HOST:
    case HEADER_EXPECT:
    case HEADER_AUTHORIZATION:
    case HEADER_X_API_KEY:
    case HEADER_COOKIE:
    case HEADER_SET_COOKIE:
    case HEADER_CONTENT_TYPE:
    case HEADER_CONTENT_ENCODING:
    case HEADER_CACHE_CONTROL:
    case HEADER_LOCATION:
    case HEADER_RETRY_AFTER:
    case HEADER_WWW_AUTHENTICATE:
        return false;
    default:
        return (header_id_flags(id) & (HEADER_HOP | HEADER_FRAMING | HEADER_OURS)) == 0;
    }
}

/* The whole section is there: parses it as header lines. */
static enum refusal parse_trailers(struct h1_chunked *c)
{
    struct header items[TRAILER_LINES_MAX];
    struct headers lines;
    headers_init(&lines, items, TRAILER_LINES_MAX);
    const struct h1_limits limits = { .header_bytes = H1_CHUNKED_TRAILERS_MAX + 1,
                                      .headers = TRAILER_LINES_MAX };
    struct h1_cursor cursor = { 0 };
    enum refusal refusal = REFUSAL_NONE;
    enum h1_parse parsed = h1_head_parse_headers(
        &cursor, text_from(c->trailer_at, c->trailer_bytes), &limits, &lines, &refusal);
    if (parsed == H1_BAD)
        return refusal;
    MUST(parsed == H1_DONE);
    for (unsigned i = 0; c->trailers != NULL && i < lines.count; i++) {
        if (may_trail(items[i].id) && !header_is_lookalike(items[i].name) &&
            !headers_add(c->trailers, items[i].id, items[i].name, items[i].value))
            return REFUSAL_TRAILERS_TOO_LARGE;
    }
    return REFUSAL_NONE;
}

/* The section ends with an empty line: "\r\n" at once, or CR LF CR LF. A bare CR or LF is found by
 * the parser, which is why a bare LF ends the gathering, too. */
static bool is_section_end(const struct h1_chunked *c)
{
    const char *end = c->trailer_at + c->trailer_bytes;
    if (end[-1] != '\n')
        return false;
    if (c->trailer_bytes == 1 || end[-2] != '\r')
        return true;
    return c->trailer_bytes == 2 || end[-3] == '\n';
}

static enum refusal take_trailer_byte(struct h1_chunked *c, char byte)
{
    if (c->trailer_at == NULL) {
        c->trailer_at = arena_try_alloc(c->arena, H1_CHUNKED_TRAILERS_MAX);
        if (c->trailer_at == NULL)
            return REFUSAL_TRAILERS_TOO_LARGE;
    }
    if (c->trailer_bytes == H1_CHUNKED_TRAILERS_MAX)
        return REFUSAL_TRAILERS_TOO_LARGE;
    c->trailer_at[c->trailer_bytes++] = byte;
    if (!is_section_end(c))
        return REFUSAL_NONE;
    enum refusal r = parse_trailers(c);
    if (r == REFUSAL_NONE)
        c->state = H1_CHUNKED_ENDED;
    return r;
}

/* Most bodies end in an empty section that came whole: nothing is gathered then. */
static bool try_empty_section(struct h1_chunked *c, struct text *bytes)
{
    if (c->trailer_bytes > 0 || bytes->length < 2 || memcmp(bytes->at, "\r\n", 2) != 0)
        return false;
    *bytes = text_from(bytes->at + 2, bytes->length - 2);
    c->state = H1_CHUNKED_ENDED;
    return true;
}

static enum refusal take_byte(struct h1_chunked *c, char byte)
{
    if (c->state == H1_CHUNKED_TRAILERS)
        return take_trailer_byte(c, byte);
    if (c->state == H1_CHUNKED_END_CR || c->state == H1_CHUNKED_END_LF)
        return take_chunk_end(c, byte);
    return take_line_byte(c, byte);
}

enum h1_chunked_step h1_chunked_parse(struct h1_chunked *c, struct text *bytes,
                                      struct text *data_out)
{
    if (c->refusal != REFUSAL_NONE)
        return H1_CHUNKED_BAD;
    while (bytes->length > 0 && c->state != H1_CHUNKED_ENDED) {
        if (c->state == H1_CHUNKED_BYTES) {
            take_data(c, bytes, data_out);
            return H1_CHUNKED_DATA;
        }
        if (c->state == H1_CHUNKED_TRAILERS && try_empty_section(c, bytes))
            break;
        c->refusal = take_byte(c, bytes->at[0]);
        if (c->refusal != REFUSAL_NONE)
            return H1_CHUNKED_BAD;
        *bytes = text_from(bytes->at + 1, bytes->length - 1);
    }
    return c->state == H1_CHUNKED_ENDED ? H1_CHUNKED_DONE : H1_CHUNKED_MORE;
}

struct text h1_chunked_print_size(uint64_t size, bool is_first, char into[H1_CHUNKED_PREFIX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    MUST(size > 0);
    char *at = into;
    if (!is_first) {
        *at++ = '\r';
        *at++ = '\n';
    }
    int shift = (63 - __builtin_clzll(size)) / 4 * 4;
    for (; shift >= 0; shift -= 4)
        *at++ = digits[(size >> shift) & 15];
    *at++ = '\r';
    *at++ = '\n';
    return text_from(into, (size_t)(at - into));
}

static size_t last_size(const struct headers *trailers)
{
    size_t size = 7;
    for (unsigned i = 0; trailers != NULL && i < trailers->count; i++)
        size += trailers->items[i].name.length + trailers->items[i].value.length + 4;
    return size;
}

static char *put(char *at, struct text t)
{
    if (t.length > 0)
        memcpy(at, t.at, t.length);
    return at + t.length;
}

size_t h1_chunked_print_last(const struct headers *trailers, bool is_first, char *into, size_t size)
{
    if (size < last_size(trailers))
        return 0;
    char *at = put(into, is_first ? TEXT_OF("0\r\n") : TEXT_OF("\r\n0\r\n"));
    for (unsigned i = 0; trailers != NULL && i < trailers->count; i++) {
        const struct header *h = &trailers->items[i];
        if (h->is_removed)
            continue;
        at = put(at, h->name);
        at = put(at, TEXT_OF(": "));
        at = put(at, h->value);
        at = put(at, TEXT_OF("\r\n"));
    }
    at = put(at, TEXT_OF("\r\n"));
    return (size_t)(at - into);
}
