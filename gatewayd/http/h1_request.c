/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_request.c - request line, header lines, and what follows from them.
 *
 *     BEFORE (empty lines) → LINE → HEADERS → ENDED
 */
#include "gatewayd/http/h1_request.h"

#include "gatewayd/http/authority.h"
#include "gatewayd/http/chars.h"
#include "gatewayd/http/target.h"

#define EMPTY_LINES_MAX   4 /* RFC 9112 §2.2: "at least one" should be ignored */
#define METHOD_LENGTH_MAX 32

static const char version_1_1[] = "HTTP/1.1\r\n";
#define VERSION_LENGTH (sizeof(version_1_1) - 1) /* with its CR LF */

void h1_request_init(struct h1_request *p, struct request_head *head, struct arena *arena,
                     const struct h1_limits *limits)
{
    *p = (struct h1_request){ .head = head, .arena = arena, .limits = *limits };
}

bool h1_request_has_begun(const struct h1_request *p)
{
    return p->phase != H1_REQUEST_BEFORE;
}

void h1_request_move(struct request_head *head, const char *from, size_t length, const char *to)
{
    h1_head_move(&head->headers, from, length, to);
    h1_head_move_text(&head->method_name, from, length, to);
    h1_head_move_text(&head->target, from, length, to);
    h1_head_move_text(&head->authority, from, length, to);
    h1_head_move_text(&head->host, from, length, to);
    h1_head_move_text(&head->path, from, length, to);
    h1_head_move_text(&head->query, from, length, to);
}

static enum h1_parse refuse(struct h1_request *p, enum refusal r)
{
    p->refusal = r;
    p->phase = H1_REQUEST_ENDED;
    return H1_BAD;
}

/* Skips a few empty lines in front of the request line. */
static enum h1_parse parse_empty_lines(struct h1_request *p, struct text visible)
{
    for (;;) {
        size_t left = visible.length - p->cursor.line;
        const char *at = visible.at + p->cursor.line;
        if (left == 0)
            return H1_MORE;
        if (*at == '\n')
            return refuse(p, REFUSAL_BARE_LF);
        if (*at != '\r')
            break;
        if (p->cursor.line == 2 * EMPTY_LINES_MAX)
            return refuse(p, REFUSAL_LEADING_LINES);
        if (left == 1)
            return H1_MORE;
        if (at[1] != '\n')
            return refuse(p, REFUSAL_BARE_CR);
        p->cursor.line += 2;
    }
    p->phase = H1_REQUEST_LINE;
    return H1_DONE;
}

/* Each parse_… of the request line begins at *at and leaves it behind what it took. Methods and
 * versions are short: they are looked at anew when the line goes on, the target is not. */
static enum h1_parse parse_method(struct h1_request *p, const char **at, const char *end)
{
    const char *start = *at, *stop = chars_skip(start, end, CHARS_TOKEN);
    size_t length = (size_t)(stop - start);
    if (length > METHOD_LENGTH_MAX)
        return refuse(p, REFUSAL_METHOD_TOO_LONG);
    if (stop == end)
        return H1_MORE;
    if (*stop != ' ' || length == 0)
        return refuse(p, REFUSAL_METHOD);
    p->head->method_name = text_from(start, length);
    p->head->method = method_parse(p->head->method_name);
    *at = stop + 1;
    return H1_DONE;
}

static enum h1_parse parse_target(struct h1_request *p, const char **at, struct text visible)
{
    const char *start = *at, *end = visible.at + visible.length;
    bool is_cut = (size_t)(end - start) > p->limits.target_bytes;
    const char *limit = is_cut ? start + p->limits.target_bytes + 1 : end;
    const char *from = visible.at + p->cursor.scanned;
    const char *stop = chars_skip_target(from > start ? from : start, limit);
    p->cursor.scanned = (size_t)(stop - visible.at);
    if (stop == limit)
        return is_cut ? refuse(p, REFUSAL_TARGET_TOO_LONG) : H1_MORE;
    if (*stop == '\r' || *stop == '\n' || (*stop == ' ' && stop == start))
        return refuse(p, REFUSAL_REQUEST_LINE);
    if (*stop != ' ')
        return refuse(p, REFUSAL_TARGET_BYTE);
    p->head->target = text_from(start, (size_t)(stop - start));
    *at = stop + 1;
    return H1_DONE;
}

/* Looks at a version that is not "HTTP/1.1" and CR LF, or not yet. */
static enum h1_parse parse_other_version(struct h1_request *p, const char *at, size_t length)
{
    for (size_t i = 0; i < length && i < VERSION_LENGTH; i++) {
        bool is_digit = i == 5 || i == 7;
        if (is_digit ? chars_is(at[i], CHARS_DIGIT) : at[i] == version_1_1[i])
            continue;
        if (i < 8)
            return refuse(p, REFUSAL_VERSION);
        if (i == 9)
            return refuse(p, REFUSAL_BARE_CR);
        return refuse(p, at[i] == '\n' ? REFUSAL_BARE_LF : REFUSAL_REQUEST_LINE);
    }
    if (length < VERSION_LENGTH)
        return H1_MORE;
    if (at[5] == '1' && at[7] == '0') {
        p->head->version = HTTP_1_0;
        return H1_DONE;
    }
    bool is_preface = at[5] == '2' && text_equals(p->head->method_name, TEXT_OF("PRI")) &&
                      text_equals(p->head->target, TEXT_OF("*"));
    return refuse(p, is_preface ? REFUSAL_HTTP2_PREFACE : REFUSAL_VERSION_NOT_SUPPORTED);
}

static enum h1_parse parse_version(struct h1_request *p, const char **at, const char *end)
{
    size_t length = (size_t)(end - *at);
    enum h1_parse parsed = H1_DONE;
    if (LIKELY(length >= VERSION_LENGTH && memcmp(*at, version_1_1, VERSION_LENGTH) == 0))
        p->head->version = HTTP_1_1;
    else
        parsed = parse_other_version(p, *at, length);
    *at += VERSION_LENGTH;
    return parsed;
}

static enum h1_parse parse_request_line(struct h1_request *p, struct text visible)
{
    const char *at = visible.at + p->cursor.line, *end = visible.at + visible.length;
    enum h1_parse parsed = parse_method(p, &at, end);
    if (parsed == H1_DONE)
        parsed = parse_target(p, &at, visible);
    if (parsed == H1_DONE)
        parsed = parse_version(p, &at, end);
    if (parsed == H1_MORE)
        return h1_head_wait(visible, &p->limits, REFUSAL_TARGET_TOO_LONG, &p->refusal);
    if (parsed == H1_BAD)
        return H1_BAD;
    p->cursor.line = (size_t)(at - visible.at);
    p->phase = H1_REQUEST_HEADERS;
    return H1_DONE;
}

/* Host, or the authority that came with the target instead (RFC 9112 §3.2). */
static enum refusal settle_host(struct h1_request *p)
{
    struct request_head *head = p->head;
    struct header *line = headers_find(&head->headers, HEADER_HOST);
    if (line == NULL && head->version != HTTP_1_0)
        return REFUSAL_HOST_MISSING;
    struct authority authority = { .host = TEXT_EMPTY };
    if (line != NULL) {
        enum refusal r = authority_parse(line->value, p->arena, &authority);
        if (r != REFUSAL_NONE)
            return r;
    }
    if (head->target_form == TARGET_ABSOLUTE) {
        enum refusal r = authority_parse(head->authority, p->arena, &authority);
        if (r != REFUSAL_NONE)
            return r;
        if (authority.host.length == 0)
            return REFUSAL_HOST_INVALID;
    } else if (line != NULL) {
        head->authority = line->value;
    }
    head->host = authority.host;
    return REFUSAL_NONE;
}

static enum refusal settle_framing(struct request_head *head)
{
    struct h1_framing framing;
    enum refusal r = h1_head_parse_framing(&head->headers, head->version == HTTP_1_0, &framing);
    if (r != REFUSAL_NONE)
        return r;
    if (framing.is_chunked)
        head->framing = BODY_CHUNKED;
    else if (framing.has_length)
        head->framing = BODY_LENGTH;
    head->body_length = framing.length;
    if (head->method == METHOD_TRACE && (framing.is_chunked || framing.length > 0))
        return REFUSAL_TRACE_BODY;
    return REFUSAL_NONE;
}

static enum refusal settle_connection(struct request_head *head)
{
    unsigned options;
    enum refusal r = h1_head_parse_persistence(&head->headers, head->version == HTTP_1_0, &options,
                                               &head->keep_alive);
    if (r != REFUSAL_NONE)
        return r;
    head->is_upgrade = (options & H1_OPTION_UPGRADE) != 0 && head->method == METHOD_GET &&
                       head->version == HTTP_1_1 && head->framing == BODY_NONE &&
                       h1_head_names_websocket(&head->headers);
    return REFUSAL_NONE;
}

/* RFC 9110 §10.1.1: in HTTP/1.0, and where there is no body, 100-continue means nothing. */
static enum refusal settle_expectation(struct request_head *head)
{
    const struct header *h = headers_find(&head->headers, HEADER_EXPECT);
    if (h == NULL)
        return REFUSAL_NONE;
    for (; h != NULL; h = headers_find_next(&head->headers, h)) {
        if (!text_equals_nocase(h->value, TEXT_OF("100-continue")))
            return REFUSAL_EXPECTATION;
    }
    bool has_body = head->framing == BODY_CHUNKED || head->body_length > 0;
    head->expect_continue = has_body && head->version == HTTP_1_1;
    return REFUSAL_NONE;
}

static enum refusal settle(struct h1_request *p)
{
    if (p->head->method == METHOD_CONNECT)
        return REFUSAL_METHOD_CONNECT;
    enum refusal r = settle_framing(p->head);
    if (r == REFUSAL_NONE)
        r = target_parse(p->head, p->arena);
    if (r == REFUSAL_NONE)
        r = settle_host(p);
    if (r == REFUSAL_NONE)
        r = settle_connection(p->head);
    if (r == REFUSAL_NONE)
        r = settle_expectation(p->head);
    return r;
}

/* The slices taken so far lie before this offset. */
static size_t slices_end(const struct h1_request *p)
{
    return p->cursor.scanned > p->cursor.line ? p->cursor.scanned : p->cursor.line;
}

void h1_request_rebase(struct h1_request *p, const char *at)
{
    if (p->cursor.base != at && p->cursor.base != NULL)
        h1_request_move(p->head, p->cursor.base, slices_end(p), at);
    p->cursor.base = at;
}

enum h1_parse h1_request_parse(struct h1_request *p, struct text buffer)
{
    MUST(p->phase != H1_REQUEST_ENDED);
    h1_request_rebase(p, buffer.at);
    struct text visible = h1_head_visible(buffer, &p->limits);

    enum h1_parse parsed = H1_DONE;
    if (p->phase == H1_REQUEST_BEFORE)
        parsed = parse_empty_lines(p, visible);
    if (parsed == H1_DONE && p->phase == H1_REQUEST_LINE)
        parsed = parse_request_line(p, visible);
    if (parsed == H1_DONE)
        parsed =
            h1_head_parse_headers(&p->cursor, visible, &p->limits, &p->head->headers, &p->refusal);
    if (parsed == H1_DONE)
        parsed = h1_head_settle(&p->cursor, settle(p), &p->length, &p->refusal);
    if (parsed != H1_MORE)
        p->phase = H1_REQUEST_ENDED;
    return parsed;
}
