/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_head.c - header lines, framing and Connection, for requests, responses and trailers.
 *
 * A line that is not complete is taken up again where its bytes ended: in its name, or in its
 * value.
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

enum h1_parse h1_head_wait(const struct text visible, const struct h1_limits *limits,
                           enum refusal too_large, enum refusal *refusal_out)
{
    if (visible.length < limits->header_bytes)
        return H1_MORE;
    *refusal_out = too_large;
    return H1_BAD;
}

/* A line as far as it was parsed. */
struct line {
    struct text name; /* empty: the empty line */
    struct text value;
    enum header_id id;
    const char *next;     /* H1_DONE: behind the line */
    enum refusal refusal; /* H1_BAD */
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

/* Without the space in front, of which there is nearly always one, and that behind. */
static inline struct text trim_value(const char *start, const char *stop)
{
    if (LIKELY(start < stop && *start == ' '))
        start++;
    if (LIKELY(start < stop && (unsigned char)*start > ' ' && (unsigned char)stop[-1] > ' '))
        return text_from(start, (size_t)(stop - start));
    while (start < stop && (*start == ' ' || *start == '\t'))
        start++;
    while (stop > start && (stop[-1] == ' ' || stop[-1] == '\t'))
        stop--;
    return text_from(start, (size_t)(stop - start));
}

/* The value from behind the colon at `start` on; no line ends before `from`. */
static inline enum h1_parse parse_value(struct h1_cursor *cursor, struct text visible,
                                        const char *start, const char *from, struct line *line)
{
    const char *end = visible.at + visible.length, *stop;
    stop = chars_skip_value(visible.at, from, end);
    enum h1_parse parsed = parse_line_end(stop, end, line);
    if (UNLIKELY(parsed == H1_MORE)) {
        cursor->colon = (size_t)(start - visible.at);
        cursor->scanned = (size_t)(stop - visible.at);
        return H1_MORE;
    }
    line->value = trim_value(start, stop);
    return parsed;
}

/* A line of which a part was seen before. */
static enum h1_parse resume_value(struct h1_cursor *cursor, struct text visible, struct line *line)
{
    const char *name = visible.at + cursor->line, *start = visible.at + cursor->colon;
    line->name = text_from(name, (size_t)(start - 1 - name));
    line->id = header_id_find(line->name);
    return parse_value(cursor, visible, start, visible.at + cursor->scanned, line);
}

/* Any line, from wherever it was left. */
static enum h1_parse parse_line(struct h1_cursor *cursor, struct text visible, struct line *line)
{
    const char *start = visible.at + cursor->line, *end = visible.at + visible.length;
    if (cursor->colon > cursor->line)
        return resume_value(cursor, visible, line);
    const char *from = cursor->scanned > cursor->line ? visible.at + cursor->scanned : start;
    const char *at = chars_skip(from, end, CHARS_TOKEN);
    if (UNLIKELY(at == end)) {
        cursor->scanned = visible.length;
        return H1_MORE;
    }
    line->name = text_from(start, (size_t)(at - start));
    if (at == start && (*at == '\r' || *at == '\n'))
        return parse_line_end(at, end, line);
    if (UNLIKELY(*at != ':' || at == start))
        return refuse_name(start, at, line);
    line->id = header_id_find(line->name);
    return parse_value(cursor, visible, at + 1, at + 1, line);
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

static enum refusal add_line(struct h1_cursor *cursor, const struct line *line,
                             const struct h1_limits *limits, struct headers *headers)
{
    if (UNLIKELY(++cursor->count > limits->headers))
        return REFUSAL_TOO_MANY_HEADERS;
    enum header_id id = line->id;
    if (UNLIKELY(id != HEADER_OTHER && headers_has(headers, id) &&
                 (header_id_flags(id) & (HEADER_SINGLETON | HEADER_FRAMING)) != 0))
        return refuse_repeated(id);
    if (UNLIKELY(!headers_add(headers, id, line->name, line->value)))
        return REFUSAL_TOO_MANY_HEADERS;
    return REFUSAL_NONE;
}

/* Whether such a line is fine where the names in `headers` stand already. */
static inline bool may_add(const struct headers *headers, enum header_id id)
{
    return LIKELY(!headers_has(headers, id)) || id == HEADER_OTHER ||
           (header_id_flags(id) & (HEADER_SINGLETON | HEADER_FRAMING)) == 0;
}

static inline bool is_line_end(const char *at, const char *end)
{
    return end - at >= 2 && memcmp(at, "\r\n", 2) == 0;
}

/* Takes lines for as long as each is complete and has nothing unusual about it; the first other one
 * is left to parse_line. A well-known name needs no look at its single bytes. True: that was the
 * empty line. */
static bool take_plain_lines(struct h1_cursor *cursor, struct text visible,
                             const struct h1_limits *limits, struct headers *headers)
{
    const char *at = visible.at + cursor->line, *end = visible.at + visible.length;
    unsigned count = cursor->count;
    bool is_whole = false;
    while (count < limits->headers) {
        const char *colon = chars_find_colon(visible.at, at, end);
        if (colon == NULL)
            break;
        struct text name = text_from(at, (size_t)(colon - at));
        enum header_id id = header_id_find(name);
        if (id == HEADER_OTHER && (colon == at || chars_skip(at, colon, CHARS_TOKEN) != colon))
            break;
        const char *stop = chars_skip_value(visible.at, colon + 1, end);
        if (UNLIKELY(!is_line_end(stop, end) || !may_add(headers, id) ||
                     !headers_add(headers, id, name, trim_value(colon + 1, stop))))
            break;
        count++;
        at = stop + 2;
        if (is_line_end(at, end)) {
            is_whole = true;
            at += 2;
            break;
        }
    }
    cursor->line = (size_t)(at - visible.at);
    cursor->count = count;
    return is_whole;
}

enum h1_parse h1_head_parse_headers(struct h1_cursor *cursor, struct text visible,
                                    const struct h1_limits *limits, struct headers *headers,
                                    enum refusal *refusal_out)
{
    bool is_new_line = cursor->colon <= cursor->line && cursor->scanned <= cursor->line;
    if (LIKELY(is_new_line && take_plain_lines(cursor, visible, limits, headers)))
        return H1_DONE;
    for (;;) {
        struct line line = { .refusal = REFUSAL_NONE };
        enum h1_parse parsed = parse_line(cursor, visible, &line);
        if (UNLIKELY(parsed == H1_MORE))
            return h1_head_wait(visible, limits, REFUSAL_HEAD_TOO_LARGE, refusal_out);
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

/* The bit of an option, or 0 for the name of a field. Their lengths differ. */
static unsigned option_bit(struct text option)
{
    static const struct text keep_alive = TEXT("keep-alive");
    if (option.length == keep_alive.length &&
        (memcmp(option.at, keep_alive.at, keep_alive.length) == 0 ||
         text_equals_nocase(option, keep_alive)))
        return H1_OPTION_KEEP_ALIVE;
    if (option.length == 5 && text_equals_nocase(option, TEXT_OF("close")))
        return H1_OPTION_CLOSE;
    if (option.length == 7 && text_equals_nocase(option, TEXT_OF("upgrade")))
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
        unsigned whole = option_bit(h->value);
        if (LIKELY(whole != 0)) {
            options |= whole;
            continue;
        }
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

enum refusal h1_head_parse_persistence(struct headers *headers, bool is_1_0, unsigned *options_out,
                                       bool *keep_alive_out)
{
    *options_out = 0;
    if (headers_has(headers, HEADER_CONNECTION)) {
        enum refusal r = h1_head_parse_connection(headers, options_out);
        if (r != REFUSAL_NONE)
            return r;
    }
    *keep_alive_out = (*options_out & H1_OPTION_CLOSE) == 0 &&
                      (!is_1_0 || (*options_out & H1_OPTION_KEEP_ALIVE) != 0);
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
