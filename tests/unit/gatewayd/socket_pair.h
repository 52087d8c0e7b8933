/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socket_pair.h - two ends of one connection over loopback on one loop, and what happened to them.
 */
#ifndef TESTS_UNIT_GATEWAYD_SOCKET_PAIR_H
#define TESTS_UNIT_GATEWAYD_SOCKET_PAIR_H

#include "gatewayd/net/listen.h"
#include "gatewayd/net/socket.h"

struct socket_end {
    struct socket socket;
    unsigned ready;    /* times on_ready was called */
    unsigned readable; /* … */
    unsigned writable;
    bool reads; /* by itself, into .got */
    char *got;
    size_t got_length;
    size_t got_size;
    size_t read_size;          /* at a time */
    enum io last;              /* of reading */
    char why[SOCKET_WHY_SIZE]; /* when it broke */
};

struct socket_pair {
    struct loop *loop;
    struct listen_table table;
    struct listen_entry *listener;
    struct listen_acceptor acceptor;
    struct socket_end client;
    struct socket_end server;
    bool accepted;
};

/* Listening; nothing is connected. */
void socket_pair_init(struct socket_pair *p);
void socket_pair_fini(struct socket_pair *p);

/* Both ends ready, plain. */
void socket_pair_connect(struct socket_pair *p);

/* TLS on both; returns when both know how it ended. */
void socket_pair_start_tls(struct socket_pair *p, struct tls_server *server,
                           struct tls_client *client, struct text name,
                           struct tls_session *session);

/* Turns of the loop until *what, at most two seconds; false if it did not come. */
bool socket_pair_run_until(struct socket_pair *p, bool (*what)(struct socket_pair *p));
void socket_pair_run(struct socket_pair *p, unsigned turns); /* without waiting */
void socket_pair_run_ms(struct socket_pair *p, uint64_t ms);

/* Writes all of it, waiting as needed. */
void socket_pair_write(struct socket_pair *p, struct socket_end *from, struct text bytes);

/* Until `to` has read so many bytes in all. */
bool socket_pair_read(struct socket_pair *p, struct socket_end *to, size_t bytes);

#endif
