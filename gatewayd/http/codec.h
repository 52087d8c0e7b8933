/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec.h - what a message codec and its user say to each other, whatever the HTTP version.
 *
 * Two sides. A `down` is one request of a peer and the answer to it (on an HTTP/1.1 connection one
 * after the other, on HTTP/2 one stream). An `up` is one request of ours and the upstream's answer.
 * The user of a down is the exchange, or the admin server; the user of an up is the exchange.
 *
 * Rules, for both sides and both directions:
 * - One thread: the loop of the connection. No call blocks.
 * - A codec never calls its user from inside a call of the user. What is known at once is returned.
 * - Body bytes are pulled: the receiver peeks at what is here, takes what it can pass on, and
 *   consumes it. A source that said PULL_WAIT calls `on_body` when it has more; a sink that said
 *   IO_AGAIN calls `on_writable` when it has room. So a slow side slows the other and memory stays
 *   bounded by one buffer a direction.
 * - Either side may end first. After `release` the codec calls nobody; after `on_gone`/`on_failed`
 *   the user may only release.
 */
#ifndef GATEWAYD_HTTP_CODEC_H
#define GATEWAYD_HTTP_CODEC_H

#include "conf/base/address.h"
#include "gatewayd/http/message.h"
#include "gatewayd/net/buffer.h"
#include "gatewayd/net/socket.h"

struct loop;
struct metrics_block;

/* ---- bodies ------------------------------------------------------------------------------- */

enum pull {
    PULL_READY,  /* a piece is here */
    PULL_WAIT,   /* nothing now; on_body will be called */
    PULL_END,    /* the body is complete; trailers may be asked for */
    PULL_BROKEN, /* it ended before it was complete, or was malformed */
};

/* The receiving end of a message's body. */
struct source {
    const struct source_type *type;
};

struct source_type {
    /* The bytes that are here, borrowed until consume. *is_last_out: the body ends with them. */
    enum pull (*peek)(struct source *s, struct text *piece_out, bool *is_last_out);
    void (*consume)(struct source *s, size_t length);

    /* After PULL_END: the trailers, or NULL. Borrowed until release. */
    const struct headers *(*trailers)(struct source *s);

    /* The plain socket and how many bytes of body may be spliced from it now, when nothing is
     * buffered and no framing is in between; NULL otherwise. `spliced` accounts what was moved. */
    struct socket *(*splice_from)(struct source *s, uint64_t *length_out);
    void (*spliced)(struct source *s, uint64_t length);
};

/* The sending end. */
struct sink {
    const struct sink_type *type;
};

struct sink_type {
    /* Writes `piece`, with whatever head or framing is still unsent before it, in one system call;
     * `is_last` ends the body with it. IO_DONE: all taken. IO_AGAIN: *taken_out were (head and
     * framing are kept by the sink), on_writable follows. IO_BROKEN: the peer is gone. An empty
     * last piece ends the body; a piece that was the last is ended even if IO_AGAIN took it all. */
    enum io (*write)(struct sink *s, struct text piece, bool is_last, size_t *taken_out);

    /* Ends the body with trailers instead of an empty last piece (dropped where the framing or the
     * peer allows none). */
    enum io (*end)(struct sink *s, const struct headers *trailers);

    /* NULL unless plain, unframed and all flushed. After a splice `spliced` accounts what was
     * moved; is_blocked: there was more, on_writable follows. */
    struct socket *(*splice_to)(struct sink *s);
    void (*spliced)(struct sink *s, uint64_t length, bool is_blocked);
};

/* ---- downstream --------------------------------------------------------------------------- */

/* Facts of a connection that do not change; the codec's, as long as the request. */
struct down_peer {
    struct address peer; /* of the socket, or as a trusted PROXY header said */
    bool is_tls;
    bool is_trusted;                      /* the socket's peer is in trusted_proxies */
    const struct down_listener *listener; /* the user's; NULL for the admin server's */
    struct metrics_block *place; /* METRICS_ADDRESS, of the virtual address; NULL: none; borrowed */
};

struct down {
    const struct down_type *type;
    const struct down_user *user;
    void *owner; /* the user's; set by on_begin */
    const struct down_peer *peer;
    struct request_head *head;  /* the owner's memory, filled by the codec */
    struct arena *arena;        /* the owner's: paths that had to be changed, trailers */
    struct buffer *head_buffer; /* what the head's slices point into: the codec's reference, until
                                   release; an owner that needs the head longer takes its own */
    struct source *request_body;
    struct sink *answer_body;
    struct socket *socket; /* for what is asked of it (TLS version, local address) */

    /* After PULL_BROKEN: what the client may be answered (408, 400, 431), or 0 if it is gone. */
    unsigned broken_status;
    const char *broken_sentence;
};

struct down_type {
    /* Tells the client to go on (100) or something early (103). Only before `answer`. */
    void (*interim)(struct down *d, const struct response_head *head);

    /* Begins the answer: nothing is written before the first write of the body, or its end.
     * Framing fields are the codec's: of head->headers they are ignored; head->framing and
     * body_length say what is known (BODY_CHUNKED and BODY_CLOSE: unknown). `close`: no other
     * request on this connection. */
    void (*answer)(struct down *d, const struct response_head *head, bool close);

    /* After answer() with a 101: writes it; both bodies are the raw bytes of the connection from
     * here on. */
    void (*upgrade)(struct down *d);

    /* Visible cut: the client must see that the answer is not whole (RST, or no last chunk). */
    void (*cut)(struct down *d);

    /* The exchange is over (answer ended, or cut, or gone). What is left of the request body is
     * skipped if it is short, or the connection is closed after it lingered. */
    void (*release)(struct down *d);
};

struct down_user {
    /* The first bytes of a request are here: where to put its head. Sets d->owner, d->arena and
     * d->head (zeroed, its headers with room for more than max.headers). */
    void (*on_begin)(struct down *d);

    /* The head is complete and valid. May answer at once. */
    void (*on_request)(struct down *d);

    /* The head is malformed, too large or late: the codec closes after what the user answers. The
     * head is filled as far as it was understood. on_request was not called. */
    void (*on_bad_request)(struct down *d, unsigned status, const char *sentence);

    void (*on_body)(struct down *d);     /* after PULL_WAIT */
    void (*on_writable)(struct down *d); /* after IO_AGAIN */
    void (*on_gone)(
        struct down *d); /* the client went away, or a deadline of the connection passed */

    /* Nothing came of on_begin (the connection ended inside the head): take the memory back. */
    void (*on_abandoned)(struct down *d);
};

/* ---- upstream ----------------------------------------------------------------------------- */

enum up_failure {
    UP_NO_RESOURCE,     /* no connection for want of our own descriptors, ports or memory */
    UP_CONNECT_REFUSED, /* no connection: nothing was sent */
    UP_CONNECT_TIMEOUT,
    UP_TLS,       /* handshake or verification failed: nothing was sent */
    UP_STALE,     /* a kept connection turned out closed before a byte of the answer, and the
                     request cannot have been read */
    UP_RESET,     /* closed or reset before the head of the answer was complete */
    UP_TIMEOUT,   /* response_timeout */
    UP_MALFORMED, /* not HTTP, or not to be trusted */
    UP_TRUNCATED, /* the body ended early (after the head) */
    UP_IDLE,      /* idle_timeout between bytes of the body */
};

struct up {
    const struct up_type *type;
    const struct up_user *user;
    void *owner;
    struct response_head *head; /* the owner's memory, set before `send`, filled by the codec:
                                   zeroed but for its headers' room */
    struct arena *arena;        /* the owner's, set before `send`: trailers */
    struct buffer *head_buffer; /* what the head's slices point into: the codec's reference, until
                                   release */
    struct sink *request_body;
    struct source *answer_body;
    struct socket *socket;
    bool is_reused; /* on a kept connection */
};

struct up_type {
    /* Begins the request: nothing is written before the first write of its body, or its end (an
     * empty last piece where there is none). The head is printed at once and not needed after. */
    void (*send)(struct up *u, const struct request_head *head);
    void (*upgrade)(struct up *u); /* after a 101: raw bytes both ways */

    /* Done: the connection is kept if both messages ended cleanly, else closed. */
    void (*release)(struct up *u);
};

struct up_user {
    void (*on_connected)(struct up *u); /* unless up_open found a kept connection */
    void (*on_interim)(struct up *u);   /* a 1xx head is in u->head (not 101), valid for the call */
    void (*on_head)(struct up *u);
    void (*on_body)(struct up *u);
    void (*on_writable)(struct up *u);
    void (*on_failed)(struct up *u, enum up_failure failure, const char *sentence);
};

#endif
