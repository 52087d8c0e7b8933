/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_response.h - the head of an HTTP/1 response from an upstream, as strictly as requests. No I/O.
 *
 * An interim response (1xx) is one head of its own: take it, init again for the next, with the
 * buffer behind it. framing is by RFC 9112 §6.3: BODY_NONE for HEAD, 1xx, 204, 304 (body_length is
 * then what Content-Length said, if headers_has() it), BODY_CLOSE when nothing says. Lifetime:
 * upstream connection, while a head is read.
 */
#ifndef GATEWAYD_HTTP_H1_RESPONSE_H
#define GATEWAYD_HTTP_H1_RESPONSE_H

#include "gatewayd/http/h1_head.h"
#include "gatewayd/http/message.h"

enum h1_response_phase { H1_RESPONSE_LINE, H1_RESPONSE_HEADERS, H1_RESPONSE_ENDED };

struct h1_response {
    struct response_head *head;
    struct h1_limits limits;
    struct h1_cursor cursor;
    enum h1_response_phase phase;
    bool to_head;         /* the request was HEAD */
    bool may_switch;      /* the request asked for websocket: 101 is an answer */
    bool is_switch;       /* after H1_DONE: 101, the connection is a websocket from here on */
    enum refusal refusal; /* after H1_BAD */
    size_t length;        /* after H1_DONE: bytes of the head */
};

/* `head` is zeroed but for head->headers, which the caller has given its room. `request` only tells
 * what was asked (method, is_upgrade) and is not kept. */
void h1_response_init(struct h1_response *p, struct response_head *head,
                      const struct request_head *request, const struct h1_limits *limits);

/* `buffer`: all bytes since the head began, possibly more than the head. */
MUST_USE enum h1_parse h1_response_parse(struct h1_response *p, struct text buffer);

/* After H1_DONE, when the buffer (`length` bytes at `from`) has to move to `to`. */
void h1_response_move(struct response_head *head, const char *from, size_t length, const char *to);

#endif
