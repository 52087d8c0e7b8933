/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_head.h - what request and response heads of HTTP/1 have in common: a position in a growing
 * buffer, and the header lines (RFC 9112 §5).
 *
 * The reader appends to one contiguous buffer and calls the parser with all of it. The buffer may
 * move between calls (the slices taken so far move along), never during one. A call goes on where
 * the last one stopped: a peer that sends byte by byte costs no more than its bytes. What is found
 * does not depend on how the bytes were cut. Pure; the owner's thread.
 */
#ifndef GATEWAYD_HTTP_H1_HEAD_H
#define GATEWAYD_HTTP_H1_HEAD_H

#include "conf/base/text.h"
#include "gatewayd/http/headers.h"
#include "gatewayd/http/refusal.h"

enum h1_parse {
    H1_MORE, /* the head is not complete: read more and call again */
    H1_DONE,
    H1_BAD, /* see .refusal; the connection cannot go on */
};

struct h1_limits {
    size_t header_bytes; /* of the whole head, start line and empty line included */
    unsigned headers;    /* lines */
    size_t target_bytes; /* of a request's target */
};

/* Where a parser is. `base` is the address of the buffer at the last call. */
struct h1_cursor {
    const char *base;
    size_t line;    /* where the line at hand begins */
    size_t scanned; /* past `line`: up to here the line is fine and has not ended */
    size_t colon;   /* past `line`: the value of the header line begins here */
    unsigned count; /* header lines so far */
};

/* Moves the slices that lie in `length` bytes at `from` to the same place in `to`. */
void h1_head_move(struct headers *headers, const char *from, size_t length, const char *to);
void h1_head_move_text(struct text *t, const char *from, size_t length, const char *to);

/* The bytes that may be looked at: `buffer` up to the limit. */
struct text h1_head_visible(struct text buffer, const struct h1_limits *limits);

/* The line at hand is incomplete: H1_MORE, or H1_BAD with `too_large` at the limit. */
MUST_USE enum h1_parse h1_head_wait(struct text visible, const struct h1_limits *limits,
                                    enum refusal too_large, enum refusal *refusal_out);

/* Reads header lines from cursor->line on, up to and including the empty line (cursor->line is
 * behind it then). */
MUST_USE enum h1_parse h1_head_parse_headers(struct h1_cursor *cursor, struct text visible,
                                             const struct h1_limits *limits,
                                             struct headers *headers, enum refusal *refusal_out);

/* The value of a Content-Length: one decimal number below 2^63. */
MUST_USE bool h1_head_parse_length(struct text value, uint64_t *length_out);

/* Content-Length and Transfer-Encoding: BODY_LENGTH with a length, BODY_CHUNKED, or BODY_NONE if
 * neither is there. */
struct h1_framing {
    bool is_chunked;
    bool has_length;
    uint64_t length;
};
MUST_USE enum refusal h1_head_parse_framing(const struct headers *headers, bool is_1_0,
                                            struct h1_framing *framing_out);

/* Options in Connection. */
enum { H1_OPTION_CLOSE = 1, H1_OPTION_KEEP_ALIVE = 2, H1_OPTION_UPGRADE = 4 };

/* The options of all Connection lines; what else they name is marked as removed (RFC 9110 §7.6.1).
 * Fields that are for every recipient (the numbered ones that are not hop-by-hop) cannot be named
 * away: such a name is ignored. */
MUST_USE enum refusal h1_head_parse_connection(struct headers *headers, unsigned *options_out);

/* The same, and what they and the version say of keeping the connection (RFC 9112 §9.3). */
MUST_USE enum refusal h1_head_parse_persistence(struct headers *headers, bool is_1_0,
                                                unsigned *options_out, bool *keep_alive_out);

/* All lines are read and `found` is what is wrong with them together: the end of a parser's call.
 */
MUST_USE static inline enum h1_parse h1_head_settle(const struct h1_cursor *cursor,
                                                    enum refusal found, size_t *length_out,
                                                    enum refusal *refusal_out)
{
    *length_out = cursor->line;
    *refusal_out = found;
    return found == REFUSAL_NONE ? H1_DONE : H1_BAD;
}

/* Whether an Upgrade line names websocket. */
bool h1_head_names_websocket(const struct headers *headers);

#endif
