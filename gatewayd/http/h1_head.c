/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_head.c - header lines, framing and Connection, for requests, responses and trailers.
 *
 * A line is parsed as soon as there are bytes of it. If it turns out incomplete, nothing is kept of
 * the attempt: the next calls only look for its line feed in what is new, then it is parsed again.
 */
#include "gatewayd/http/h1_head.h"

#include "gatewayd/http/chars.h"

#define CONNECTION_OPTIONS_MAX 32 /* bounds the comparisons that one head can cause */

void h1_head_move_text(struct text *t, const char *from, size_t length, const char *to)
{
    uintptr_t offset = (uintptr_t)t->at - (uintptr_t)from;
    if (t->at != NULL && offset <= length)
        t->at = to + offset;
}

void h1_head_move(struct headers *headers, const char *from, size_t length, const char *to)
{
    for (unsigned i = 0; i < headers->count; i++) {
        h1_head_move_text(&headers->items[i].name, from, length, to);
        h1_head_move_text(&headers->items[i].value, from, length, to);
    }
}

struct text h1_head_visible(struct text buffer, const struct h1_limits *limits)
{
    return text_from(buffer.at,
                     buffer.length < limits->header_bytes ? buffer.length : limits->header_bytes);
}

bool h1_head_has_line(struct h1_cursor *cursor, struct text visible, const struct h1_limits *limits)
{
    if (cursor->scanned <= cursor->line)
        return true;
    size_t from = cursor->scanned;
    cursor->scanned = visible.length;
    return visible.length == limits->header_bytes ||
           (visible.length > from &&
            memchr(visible.at + from, '\n', visible.length - from) != NULL);
}

enum h1_parse h1_head_wait(struct h1_cursor *cursor, struct text visible,
                           const struct h1_limits *limits, enum refusal too_large,
                           enum refusal *refusal_out)
{
    if (visible.length == limits->header_bytes) {
        *refusal_out = too_large;
        return H1_BAD;
    }
    cursor->scanned = visible.length;
    return H1_MORE;
}

/* What a line that did not parse is. */
struct line {
    struct text name; /* empty name and REFUSAL_NONE: the empty line */
    struct text value;
    const char *next;
    enum refusal refusal;
};

static enum h1_parse refuse(struct line *line, enum refusal r)
{
    line->refusal = r;
    return H1_BAD;
}

/* The end of a line at `at`: CR LF, or the refusal for what stands there instead. */
static inline enum h1_parse parse_line_end(const char *at, const char *end, struct line *line)
{
    if (at == end)
        return H1_MORE;
    if (UNLIKELY(*at == '\n'))
        return refuse(line, REFUSAL_BARE_LF);
    if (UNLIKELY(*at != '\r'))
        return refuse(line, REFUSAL_CONTROL_BYTE);
    if (at + 1 == end)
        return H1_MORE;
    if (UNLIKELY(at[1] != '\n'))
        return refuse(line, REFUSAL_BARE_CR);
    line->next = at + 2;
    return H1_DONE;
}

/* What stands at `at` is neither part of a name nor its colon. */
static enum h1_parse refuse_name(const char *start, const char *at, struct line *line)
{
    if (*at == ' ' || *at == '\t')
        return refuse(line, at == start ? REFUSAL_FOLDED_LINE : REFUSAL_HEADER_COLON);
    return refuse(line, REFUSAL_HEADER_NAME);
}

static inline enum h1_parse parse_line(const char *start, const char *end, struct line *line)
{
    const char *at = chars_skip(start, end, CHARS_TOKEN);
    if (at == end)
        return H1_MORE;
    if (at == start && (*at == '\r' || *at == '\n')) {
        line->name = TEXT_EMPTY;
        return parse_line_end(at, end, line);
    }
    if (UNLIKELY(*at != ':' || at == start))
        return refuse_name(start, at, line);
    line->name = text_from(start, (size_t)(at - start));
    at++;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    const char *value = at;
    at = chars_skip_value(at, end);
    enum h1_parse parsed = parse_line_end(at, end, line);
    while (at > value && (at[-1] == ' ' || at[-1] == '\t'))
        at--;
    line->value = text_from(value, (size_t)(at - value));
    return parsed;
}

/* A name that may stand once only is there already. */
static enum refusal refuse_repeated(enum header_id id)
{
    if (id == HEADER_HOST)
        return REFUSAL_HOST_REPEATED;
    if (id == HEADER_CONTENT_LENGTH)
        return REFUSAL_LENGTH_REPEATED;
    if (id == HEADER_TRANSFER_ENCODING)
        return REFUSAL_CODING_REPEATED;
    return REFUSAL_SINGLETON_REPEATED;
}

static inline enum refusal add_line(struct h1_cursor *cursor, const struct line *line,
                                    const struct h1_limits *limits, struct headers *headers)
{
    if (UNLIKELY(++cursor->count > limits->headers))
        return REFUSAL_TOO_MANY_HEADERS;
    enum header_id id = header_id_find(line->name);
    if (UNLIKELY(id != HEADER_OTHER && headers_has(headers, id) &&
                 (header_id_flags(id) & (HEADER_SINGLETON | HEADER_FRAMING)) != 0))
        return refuse_repeated(id);
    if (UNLIKELY(!headers_add(headers, id, line->name, line->value)))
        return REFUSAL_TOO_MANY_HEADERS;
    return REFUSAL_NONE;
}

enum h1_parse h1_head_parse_headers(struct h1_cursor *cursor, struct text visible,
                                    const struct h1_limits *limits, struct headers *headers,
                                    enum refusal *refusal_out)
{
    const char *end = visible.at + visible.length;
    for (;;) {
        if (!h1_head_has_line(cursor, visible, limits))
            return H1_MORE;
        struct line line = { .refusal = REFUSAL_NONE };
        enum h1_parse parsed = parse_line(visible.at + cursor->line, end, &line);
        if (UNLIKELY(parsed == H1_MORE))
            return h1_head_wait(cursor, visible, limits, REFUSAL_HEAD_TOO_LARGE, refusal_out);
        if (parsed == H1_DONE) {
            cursor->line = (size_t)(line.next - visible.at);
            if (line.name.length == 0)
                return H1_DONE;
            line.refusal = add_line(cursor, &line, limits, headers);
        }
        if (UNLIKELY(line.refusal != REFUSAL_NONE)) {
            *refusal_out = line.refusal;
            return H1_BAD;
        }
    }
}

bool h1_head_parse_length(struct text value, uint64_t *length_out)
{
    if (value.length == 0 || value.length > 19)
        return false;
    uint64_t length = 0;
    for (size_t i = 0; i < value.length; i++) {
        if (!chars_is(value.at[i], CHARS_DIGIT))
            return false;
        length = length * 10 + (uint64_t)(value.at[i] - '0');
    }
    if (length > INT64_MAX)
        return false;
    *length_out = length;
    return true;
}

enum refusal h1_head_parse_framing(const struct headers *headers, bool is_1_0,
                                   struct h1_framing *framing_out)
{
    *framing_out = (struct h1_framing){ 0 };
    const struct header *coding = headers_find(headers, HEADER_TRANSFER_ENCODING);
    const struct header *length = headers_find(headers, HEADER_CONTENT_LENGTH);
    if (coding != NULL) {
        if (is_1_0)
            return REFUSAL_CODING_VERSION;
        if (length != NULL)
            return REFUSAL_LENGTH_AND_CODING;
        if (!text_equals_nocase(coding->value, TEXT_OF("chunked")))
            return REFUSAL_CODING_UNKNOWN;
        framing_out->is_chunked = true;
        return REFUSAL_NONE;
    }
    if (length == NULL)
        return REFUSAL_NONE;
    if (!h1_head_parse_length(length->value, &framing_out->length))
        return REFUSAL_LENGTH_INVALID;
    framing_out->has_length = true;
    return REFUSAL_NONE;
}

/* The bit of an option, or 0 for the name of a field. */
static unsigned option_bit(struct text option)
{
    if (text_equals_nocase(option, TEXT_OF("close")))
        return H1_OPTION_CLOSE;
    if (text_equals_nocase(option, TEXT_OF("keep-alive")))
        return H1_OPTION_KEEP_ALIVE;
    if (text_equals_nocase(option, TEXT_OF("upgrade")))
        return H1_OPTION_UPGRADE;
    return 0;
}

static void drop_nominated(struct headers *headers, struct text name)
{
    if (name.length > 0 && header_id_find(name) == HEADER_OTHER)
        headers_remove_named(headers, name);
}

enum refusal h1_head_parse_connection(struct headers *headers, unsigned *options_out)
{
    unsigned options = 0, count = 0;
    const struct header *h = headers_find(headers, HEADER_CONNECTION);
    for (; h != NULL; h = headers_find_next(headers, h)) {
        struct text rest = h->value, option;
        while (text_cut(&rest, ',', &option)) {
            if (++count > CONNECTION_OPTIONS_MAX)
                return REFUSAL_CONNECTION_OPTIONS;
            option = text_trim(option);
            unsigned bit = option_bit(option);
            options |= bit;
            if (bit == 0)
                drop_nominated(headers, option);
        }
    }
    *options_out = options;
    return REFUSAL_NONE;
}

bool h1_head_names_websocket(const struct headers *headers)
{
    const struct header *h = headers_find(headers, HEADER_UPGRADE);
    for (; h != NULL; h = headers_find_next(headers, h)) {
        if (header_list_has(h->value, TEXT_OF("websocket")))
            return true;
    }
    return false;
}
