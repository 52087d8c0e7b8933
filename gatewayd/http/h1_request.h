/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_request.h - the head of an HTTP/1 request, strictly by RFC 9112: what two parsers could read
 * differently is refused. No I/O.
 *
 * Everything in the head is a slice of the buffer, except a path or host that had to be changed to
 * be normal: that is in the arena. Framing, keep-alive, expectation and upgrade are decided here,
 * and what Connection names is marked as removed; other hop-by-hop lines stay visible and are left
 * out by h1_print. Lifetime: connection, while a head is read.
 */
#ifndef GATEWAYD_HTTP_H1_REQUEST_H
#define GATEWAYD_HTTP_H1_REQUEST_H

#include "conf/base/arena.h"
#include "gatewayd/http/h1_head.h"
#include "gatewayd/http/message.h"

enum h1_request_phase { H1_REQUEST_BEFORE, H1_REQUEST_LINE, H1_REQUEST_HEADERS, H1_REQUEST_ENDED };

struct h1_request {
    struct request_head *head;
    struct arena *arena;
    struct h1_limits limits;
    struct h1_cursor cursor;
    enum h1_request_phase phase;
    enum refusal refusal; /* after H1_BAD */
    size_t length;        /* after H1_DONE: bytes of the head, empty lines before it included */
};

/* `head` is zeroed but for head->headers, which the caller has given its room (headers_init; leave
 * room beyond limits->headers for what stages add). All live as long as the parser. */
void h1_request_init(struct h1_request *p, struct request_head *head, struct arena *arena,
                     const struct h1_limits *limits);

/* `buffer`: all bytes since the head began, possibly more than the head. After H1_DONE or H1_BAD
 * not to be called again. On H1_BAD the head holds what was understood up to there (for the access
 * record: method_name and target are empty or right). */
MUST_USE enum h1_parse h1_request_parse(struct h1_request *p, struct text buffer);

/* The bytes that were parsed so far stand at `at` now: what the head holds of them follows. Parsing
 * does that by itself. */
void h1_request_rebase(struct h1_request *p, const char *at);

/* Whether a byte of the request has arrived (empty lines before it do not count): tells an idle
 * connection from one that owes a request. */
bool h1_request_has_begun(const struct h1_request *p);

/* After H1_DONE, when the buffer (`length` bytes at `from`) has to move to `to`. */
void h1_request_move(struct request_head *head, const char *from, size_t length, const char *to);

#endif
