/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_down.h - HTTP/1.1 connections from clients (RFC 9112): requests in, answers out.
 *
 * One connection, one request at a time; pipelined requests wait in the buffer. An idle connection
 * holds no buffer and no exchange. Lifetime: connection, until the socket is closed; freed by
 * loop_bury.
 *
 *   idle ── bytes ──▶ head ── complete ──▶ exchange ── released ──▶ idle
 *     │                │ malformed            │ cut / close
 *     └─ timeout ──────┴──────────▶ linger ◀──┘ ──▶ closed
 */
#ifndef GATEWAYD_HTTP_H1_DOWN_H
#define GATEWAYD_HTTP_H1_DOWN_H

#include "conf/base/list.h"
#include "gatewayd/core/pool.h"
#include "gatewayd/http/codec.h"

struct h1_down;
struct tls_server;

/* What all connections of one server share. Lifetime: longer than every connection. */
struct h1_server {
    struct loop *loop;
    struct buffer_pool *buffers;
    const struct down_user *user;
    void *user_data;           /* for the user: the worker, or the admin server */
    size_t header_bytes;       /* max.header_bytes */
    unsigned headers;          /* max.headers */
    int64_t header_timeout_ms; /* from the first byte of a head to its end */
    int64_t body_timeout_ms;   /* between bytes of a request's body, or of an answer taken */
    int64_t idle_timeout_ms;   /* between requests; to the first byte of the first */
    bool is_draining;          /* every answer from now on says Connection: close */
    struct list connections;   /* of struct h1_down, for shutting down and counting */
    size_t connection_count;
    size_t idle_count;      /* of them, between requests */
    uint64_t request_count; /* heads read, ever */
    /* One connection fewer; may be NULL. */
    void (*on_closed)(struct h1_server *s, const struct down_peer *peer);
    struct pool turns; /* private: one for each request being read or answered */
};

void h1_server_init(struct h1_server *s);
void h1_server_fini(struct h1_server *s); /* no connection may be left */

/* Takes an accepted descriptor over, and shakes hands first unless `tls` is NULL. `peer` is
 * copied. */
void h1_down_start(struct h1_server *s, int fd, const struct down_peer *peer,
                   struct tls_server *tls);

/* Closes idle connections now, at the end of a drain's window; and all the others. */
void h1_server_close_idle(struct h1_server *s);
void h1_server_close_all(struct h1_server *s);

/* Closes the oldest connection on which no request is answered: one that is idle, else one whose
 * request is not all there. For a server that knows nobody before a request was read. */
void h1_server_make_room(struct h1_server *s);

/* As the first two, of one virtual address (down_peer.place): those that were kept for a further
 * request, or marked and had none yet, not those that came just now; and all. */
void h1_server_close_kept_of(struct h1_server *s, const struct metrics_block *place);
void h1_server_close_all_of(struct h1_server *s, const struct metrics_block *place);

/* Those of a virtual address that are open now count as METRIC_ADDRESS_BEFORE until they end, or
 * (mark false) no longer. */
void h1_server_mark(struct h1_server *s, struct metrics_block *place, bool mark);

/* The server of a down, and the socket's facts, for users. */
struct h1_server *h1_down_server(const struct down *d);

#endif
