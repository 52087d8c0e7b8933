/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_down_private.h - what the files h1_down*.c share.
 */
#ifndef GATEWAYD_HTTP_H1_DOWN_PRIVATE_H
#define GATEWAYD_HTTP_H1_DOWN_PRIVATE_H

#include "gatewayd/http/h1_down.h"
#include "gatewayd/http/h1_reader.h"
#include "gatewayd/http/h1_request.h"
#include "gatewayd/http/h1_writer.h"

/* What is read and dropped of a request's body after its answer so that the connection can be kept.
 */
#define H1_DOWN_SKIP_MAX 65536

enum h1_down_state {
    H1_DOWN_HANDSHAKE,
    H1_DOWN_IDLE,
    H1_DOWN_HEAD,     /* a request has begun; its turn is taken */
    H1_DOWN_EXCHANGE, /* the user has it */
    H1_DOWN_SKIP,     /* answered; the short rest of the request's body is read and dropped */
    H1_DOWN_CLOSED,
};

/* One request and its answer. Lifetime: from its first byte to its release; pooled. */
struct h1_down_turn {
    struct down down; /* first: the user sees only this */
    struct h1_down *connection;
    struct h1_request parser;
    struct h1_reader reader;
    struct h1_writer writer;
    bool wants_continue; /* Expect: 100-continue, and neither 100 nor an answer was sent */
    bool is_upgraded;
    bool is_answered; /* answer() was called */
    bool is_bad;      /* the head was refused: no other request can follow */
    bool closes;      /* the answer said that the connection ends */
    bool is_cut;
    struct down_peer peer; /* last: the rest is zeroed */
};

/* A connection. Small while idle: its turn and its input buffer come and go. */
struct h1_down {
    struct socket socket;
    struct h1_server *server;
    struct list node;
    struct loop_timer deadline;
    struct loop_task next;  /* a pipelined request is begun from the loop */
    struct loop_slice more; /* many of them: a few in each turn */
    struct h1_input input;
    struct h1_down_turn *turn; /* NULL while idle */
    /* Its down_peer in few bytes: clients on a unix socket have no name. */
    const struct down_listener *listener;
    struct metrics_block *place; /* NULL: to no virtual address */
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer;
    bool is_tls;
    bool is_trusted;
    bool is_half_closed; /* the client has ended its side */
    bool has_served;     /* a request was answered on it */
    bool is_marked;      /* h1_server_mark */
    enum h1_down_state state : 8;
};

extern const struct down_type h1_down_type;

/* After the turn's release: the next request, the rest of this one, or the end. */
void h1_down_end_turn(struct h1_down *c);
void h1_down_close(struct h1_down *c);
void h1_down_touch(struct h1_down *c, int64_t ms);

#endif
