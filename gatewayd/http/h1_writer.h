/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_writer.h - the sending of an HTTP/1 message as a sink: its head, then its body by length,
 * chunked, until the connection ends, or raw. The same for both sides.
 *
 * Head and framing that could not be written yet are kept in one pooled buffer, with a short first
 * piece that was put behind the head; other body bytes stay with their source. Lifetime: one
 * message.
 */
#ifndef GATEWAYD_HTTP_H1_WRITER_H
#define GATEWAYD_HTTP_H1_WRITER_H

#include "gatewayd/http/codec.h"

enum h1_writer_state {
    H1_WRITER_CLOSED, /* no message */
    H1_WRITER_OPEN,
    H1_WRITER_ENDING, /* the last piece was taken, some of it is not written yet */
    H1_WRITER_ENDED,  /* all of it is with the kernel */
    H1_WRITER_BROKEN, /* the peer is gone */
};

struct h1_writer {
    struct sink sink; /* first: the codec's user sees only this */
    struct socket *socket;
    struct buffer_pool *buffers;
    struct buffer *out; /* framing not yet written, or NULL */
    unsigned out_at;
    unsigned out_end;
    enum body_framing framing; /* BODY_NONE: body bytes given are swallowed (HEAD) */
    enum h1_writer_state state;
    bool is_between;     /* chunked: no chunk is open, and none lacks its CR LF */
    bool is_blocked;     /* the user was told IO_AGAIN */
    uint64_t left;       /* BODY_LENGTH: still to come; chunked: of the chunk that was announced */
    uint64_t sent;       /* bytes of body taken */
    uint64_t wire;       /* bytes of this message given to the socket, framing included */
    uint64_t begun_turn; /* of the loop, in which the first of them was */
    uint64_t ended_ms;   /* when the last of it was, on the loop's clock */
    uint64_t blocked_ms; /* while is_blocked: since when the peer has taken nothing */
    uint64_t blocked_wire; /* .wire at that time */
};

void h1_writer_init(struct h1_writer *w, struct socket *socket, struct buffer_pool *buffers);
void h1_writer_fini(struct h1_writer *w);

/* Room for a head of up to `size` bytes behind what is unsent; NULL if it is too large even for a
 * big buffer. Follow with h1_writer_start. */
char *h1_writer_reserve(struct h1_writer *w, size_t size, size_t *room_out);

/* `head_length` bytes were printed there; the body follows by `framing`. */
void h1_writer_start(struct h1_writer *w, size_t head_length, enum body_framing framing,
                     uint64_t length);

/* Raw from here on. */
void h1_writer_upgrade(struct h1_writer *w);

/* Writes bytes of our own now or keeps them (100 Continue); false if there is no room. */
MUST_USE bool h1_writer_put(struct h1_writer *w, struct text bytes);

/* Writes what is kept. IO_DONE: nothing is. */
MUST_USE enum io h1_writer_flush(struct h1_writer *w);

/* The same where nobody waits for the outcome: a broken peer shows at the next write. */
void h1_writer_push(struct h1_writer *w);

/* The socket has room. True: the user waits for it and should be told (on_writable). */
MUST_USE bool h1_writer_on_writable(struct h1_writer *w);

/* The message was written whole. */
static inline bool h1_writer_has_ended(const struct h1_writer *w)
{
    return w->state == H1_WRITER_ENDED;
}

#endif
