/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_reader.h - the body of an HTTP/1 message as a source: by length, chunked, until the connection
 * ends, or raw bytes after an upgrade (RFC 9112 §6, §7). The same for both sides.
 *
 * It reads its socket only when it is pulled, and only after an event said that there is something;
 * the connection feeds it those events (h1_reader_on_readable). A few reads per event at most, so
 * that a fast peer cannot keep the loop. When nobody pulls, reading is paused. Lifetime: one
 * message.
 */
#ifndef GATEWAYD_HTTP_H1_READER_H
#define GATEWAYD_HTTP_H1_READER_H

#include "gatewayd/http/codec.h"
#include "gatewayd/http/h1_chunked.h"
#include "gatewayd/http/h1_input.h"

#define H1_READER_TRAILERS 32

enum h1_reader_state {
    H1_READER_OPEN,
    H1_READER_ENDED,     /* all of it was pulled */
    H1_READER_CUT,       /* the peer ended early */
    H1_READER_MALFORMED, /* see .refusal */
    H1_READER_LATE,      /* a deadline passed (h1_reader_fail) */
};

struct h1_reader;

/* Told just before the user hears PULL_WAIT or PULL_BROKEN: the side that owns the reader may have
 * something to do first (100 Continue) or to note. */
typedef void h1_reader_hook(struct h1_reader *r, enum pull pull);

struct h1_reader {
    struct source source; /* first: the codec's user sees only this */
    struct h1_input *input;
    struct socket *socket;
    struct buffer_pool *buffers;
    struct arena *arena; /* the owner's, for trailers; NULL before the message */
    enum body_framing framing;
    h1_reader_hook *hook; /* NULL: none */
    bool is_raw;          /* after an upgrade */
    enum h1_reader_state state;
    enum refusal refusal;
    uint64_t left;     /* BODY_LENGTH: bytes not yet pulled */
    uint64_t received; /* bytes of body consumed */
    struct text piece; /* chunked: decoded and not yet consumed */
    struct h1_chunked chunked;
    struct headers trailers;
    bool may_read;      /* an event said so and no read was short since */
    bool is_wanted;     /* the user was told PULL_WAIT */
    uint64_t wanted_ms; /* while is_wanted: since when, on the loop's clock */
    bool is_at_end;     /* the socket has said EOF */
    uint8_t reads_left; /* of this event */
};

/* For a message whose head was just taken off `input`. */
void h1_reader_init(struct h1_reader *r, struct h1_input *input, struct socket *socket,
                    struct buffer_pool *buffers);
void h1_reader_start(struct h1_reader *r, enum body_framing framing, uint64_t length,
                     struct arena *arena);

/* From here on the raw bytes of the connection, until it ends. */
void h1_reader_upgrade(struct h1_reader *r);

/* The socket has something. True: the user waits for it and should be told (on_body); call
 * h1_reader_after_body when that returned and the reader still exists. */
MUST_USE bool h1_reader_on_readable(struct h1_reader *r);
void h1_reader_after_body(struct h1_reader *r);

/* Ends it badly from outside (a deadline). True: the user waits and should be told. */
MUST_USE bool h1_reader_fail(struct h1_reader *r, enum h1_reader_state state);

static inline bool h1_reader_has_ended(const struct h1_reader *r)
{
    return r->state == H1_READER_ENDED;
}

/* Nothing of the body is missing, or it is certain without reading more (for reuse). Looks at what
 * is buffered: the end of a chunked body may be there unread. */
bool h1_reader_try_end(struct h1_reader *r);

#endif
