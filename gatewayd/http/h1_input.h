/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_input.h - the bytes of an HTTP/1 connection that were read and not yet used.
 *
 * At most one buffer, and none while there is nothing: an idle connection holds no memory here. A
 * buffer whose head somebody still points into is left to them and replaced. Lifetime: connection.
 */
#ifndef GATEWAYD_HTTP_H1_INPUT_H
#define GATEWAYD_HTTP_H1_INPUT_H

#include "gatewayd/net/buffer.h"
#include "gatewayd/net/socket.h"

struct h1_input {
    struct buffer *buffer; /* a reference, or NULL */
    unsigned at;           /* first unused byte */
    unsigned end;
};

static inline struct text h1_input_text(const struct h1_input *in)
{
    return in->buffer == NULL ? TEXT_EMPTY
                              : text_from(in->buffer->bytes + in->at, in->end - in->at);
}

static inline bool h1_input_is_empty(const struct h1_input *in)
{
    return in->at == in->end;
}

/* Reads what fits behind the unused bytes; takes a buffer if there is none. IO_DONE: something was
 * added. MUST have room (h1_input_has_room). */
MUST_USE enum io h1_input_read(struct h1_input *in, struct socket *socket,
                               struct buffer_pool *buffers);

bool h1_input_has_room(const struct h1_input *in);

/* Makes room behind the unused bytes: moves them to the front, of this buffer if nobody else points
 * into it, else of one of the big class, so that a long head fits. False if they fill a big one.
 * Slices of them have to follow (h1_request_rebase). */
MUST_USE bool h1_input_try_grow(struct h1_input *in, struct buffer_pool *buffers);

enum h1_input_head {
    H1_INPUT_MORE,    /* something was added */
    H1_INPUT_NOTHING, /* for now */
    H1_INPUT_FULL,    /* a head fills the biggest buffer: too large */
    H1_INPUT_ENDED,   /* the connection ended, or broke */
};

/* Reads more of a head, making room for it. */
MUST_USE enum h1_input_head h1_input_read_head(struct h1_input *in, struct socket *socket,
                                               struct buffer_pool *buffers);

/* `length` bytes were used. */
static inline void h1_input_use(struct h1_input *in, size_t length)
{
    MUST(length <= in->end - in->at);
    in->at += (unsigned)length;
}

/* Lets go of the buffer if nothing unused is in it. */
void h1_input_trim(struct h1_input *in);

/* Lets go of everything. */
void h1_input_fini(struct h1_input *in);

#endif
