/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_response.c - status line, header lines, and what follows from them.
 *
 *     LINE → HEADERS → ENDED
 */
#include "gatewayd/http/h1_response.h"

#include "gatewayd/http/chars.h"

void h1_response_init(struct h1_response *p, struct response_head *head,
                      const struct request_head *request, const struct h1_limits *limits)
{
    *p = (struct h1_response){
        .head = head,
        .limits = *limits,
        .to_head = request->method == METHOD_HEAD,
        .may_switch = request->is_upgrade,
    };
}

void h1_response_move(struct response_head *head, const char *from, size_t length, const char *to)
{
    h1_head_move(&head->headers, from, length, to);
    h1_head_move_text(&head->reason, from, length, to);
}

static enum h1_parse refuse(struct h1_response *p, enum refusal r)
{
    p->refusal = r;
    return H1_BAD;
}

/* "HTTP/1.x ddd": twelve bytes, told apart from the first wrong one on. */
static enum h1_parse parse_fixed(struct h1_response *p, const char *at, size_t length)
{
    static const char form[] = "HTTP/1.v ddd";
    if (LIKELY(length >= sizeof(form) - 1 && memcmp(at, "HTTP/1.1 200", 12) == 0)) {
        p->head->version = HTTP_1_1;
        p->head->status = 200;
        return H1_DONE;
    }
    for (size_t i = 0; i < length && i < sizeof(form) - 1; i++) {
        bool is_right = form[i] == 'v'   ? at[i] == '0' || at[i] == '1'
                        : form[i] == 'd' ? chars_is(at[i], CHARS_DIGIT)
                                         : at[i] == form[i];
        if (!is_right)
            return refuse(p, REFUSAL_STATUS_LINE);
    }
    if (length < sizeof(form) - 1)
        return H1_MORE;
    p->head->version = at[7] == '1' ? HTTP_1_1 : HTTP_1_0;
    p->head->status =
        (unsigned)(at[9] - '0') * 100 + (unsigned)(at[10] - '0') * 10 + (unsigned)(at[11] - '0');
    if (p->head->status < 100 || p->head->status > 599)
        return refuse(p, REFUSAL_STATUS_RANGE);
    return H1_DONE;
}

/* What stands behind the status: a space and a reason, which may be empty or, as many servers have
 * it, absent with its space. *at is left behind the line. */
static enum h1_parse parse_reason(struct h1_response *p, const char **at, struct text visible)
{
    const char *start = *at, *end = visible.at + visible.length;
    if (start == end)
        return H1_MORE;
    if (*start == ' ')
        start++;
    else if (*start != '\r' && *start != '\n')
        return refuse(p, REFUSAL_STATUS_LINE);
    const char *from = visible.at + p->cursor.scanned;
    const char *stop = chars_skip_value(visible.at, from > start ? from : start, end);
    p->cursor.scanned = (size_t)(stop - visible.at);
    if (stop == end)
        return H1_MORE;
    if (*stop == '\n')
        return refuse(p, REFUSAL_BARE_LF);
    if (*stop != '\r')
        return refuse(p, REFUSAL_CONTROL_BYTE);
    if (stop + 1 == end)
        return H1_MORE;
    if (stop[1] != '\n')
        return refuse(p, REFUSAL_BARE_CR);
    p->head->reason = text_from(start, (size_t)(stop - start));
    *at = stop + 2;
    return H1_DONE;
}

static enum h1_parse parse_status_line(struct h1_response *p, struct text visible)
{
    const char *at = visible.at;
    enum h1_parse parsed = parse_fixed(p, at, visible.length);
    if (parsed == H1_DONE) {
        at += 12;
        parsed = parse_reason(p, &at, visible);
    }
    if (parsed == H1_MORE)
        return h1_head_wait(visible, &p->limits, REFUSAL_HEAD_TOO_LARGE, &p->refusal);
    if (parsed == H1_BAD)
        return H1_BAD;
    p->cursor.line = (size_t)(at - visible.at);
    p->phase = H1_RESPONSE_HEADERS;
    return H1_DONE;
}

static enum refusal settle_interim(struct h1_response *p, const struct h1_framing *framing,
                                   unsigned options)
{
    if (framing->is_chunked || framing->length > 0)
        return REFUSAL_INTERIM_BODY;
    if (p->head->status != 101)
        return REFUSAL_NONE;
    if (!p->may_switch || (options & H1_OPTION_UPGRADE) == 0 ||
        !h1_head_names_websocket(&p->head->headers))
        return REFUSAL_SWITCH_UNASKED;
    p->is_switch = true;
    p->head->keep_alive = false;
    return REFUSAL_NONE;
}

/* RFC 9112 §6.3. */
static void settle_framing(struct h1_response *p, const struct h1_framing *framing)
{
    struct response_head *head = p->head;
    head->body_length = framing->length;
    head->framing = BODY_NONE;
    if (head->status == 204) {
        /* What says 204 and announces a body cannot be trusted to send none. */
        if (framing->is_chunked || framing->length > 0)
            head->keep_alive = false;
        head->body_length = 0;
        return;
    }
    if (p->to_head || head->status == 304)
        return;
    if (framing->is_chunked) {
        head->framing = BODY_CHUNKED;
    } else if (framing->has_length) {
        head->framing = BODY_LENGTH;
    } else {
        head->framing = BODY_CLOSE;
        head->keep_alive = false;
    }
}

static enum refusal settle(struct h1_response *p)
{
    struct response_head *head = p->head;
    struct h1_framing framing;
    enum refusal r = h1_head_parse_framing(&head->headers, head->version == HTTP_1_0, &framing);
    if (r != REFUSAL_NONE)
        return r;
    unsigned options;
    r = h1_head_parse_persistence(&head->headers, head->version == HTTP_1_0, &options,
                                  &head->keep_alive);
    if (r != REFUSAL_NONE)
        return r;
    if (head->status < 200)
        return settle_interim(p, &framing, options);
    settle_framing(p, &framing);
    return REFUSAL_NONE;
}

enum h1_parse h1_response_parse(struct h1_response *p, struct text buffer)
{
    MUST(p->phase != H1_RESPONSE_ENDED);
    if (p->cursor.base != buffer.at && p->cursor.base != NULL)
        h1_response_move(p->head, p->cursor.base, p->cursor.line, buffer.at);
    p->cursor.base = buffer.at;
    struct text visible = h1_head_visible(buffer, &p->limits);

    enum h1_parse parsed = H1_DONE;
    if (p->phase == H1_RESPONSE_LINE)
        parsed = parse_status_line(p, visible);
    if (parsed == H1_DONE)
        parsed =
            h1_head_parse_headers(&p->cursor, visible, &p->limits, &p->head->headers, &p->refusal);
    if (parsed == H1_DONE)
        parsed = h1_head_settle(&p->cursor, settle(p), &p->length, &p->refusal);
    if (parsed != H1_MORE)
        p->phase = H1_RESPONSE_ENDED;
    return parsed;
}
