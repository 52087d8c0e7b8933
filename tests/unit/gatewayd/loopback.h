/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loopback.h - a client's codec without a socket: bytes of a request in, the answer as it was given
 * to the codec out. Drives whole exchanges in a unit test.
 */
#ifndef TESTS_LOOPBACK_H
#define TESTS_LOOPBACK_H

#include "gatewayd/exchange/exchange.h"
#include "gatewayd/http/h1_request.h"

struct loopback_down {
    struct down down;
    struct source body; /* of the request: what follows the head */
    struct sink sink;
    struct text rest;
    struct response_head head; /* copied */
    char *headers;             /* "Name: value\n" … */
    char *answer;              /* the body */
    size_t length;
    size_t room; /* the sink takes no more than this until it is raised */
    unsigned answers;
    bool closes;
    bool is_ended;
    bool is_cut;
    bool is_released;
    char *bytes;
};

struct loopback {
    struct loop *loop;
    struct buffer_pool buffers;
    struct socket_pipes pipes;
    struct turns *turns;
    struct credentials *credentials;
    struct limiter *limiter;
    struct plan_board board;
    struct snapshot_compiler *compiler;
    struct exchanges exchanges;
    struct down_listener listener;
    struct down_peer peer;
};

/* `resources` is a JSON document of all kinds, with ' for ". */
void loopback_init(struct loopback *l, const char *resources);
void loopback_fini(struct loopback *l);
void loopback_publish(struct loopback *l, const char *resources);

/* What the sink of the next request takes before it says IO_AGAIN. */
extern size_t loopback_first_room;

/* Runs the request (its head must be right, or on_bad_request is called) as far as it goes without
 * the loop. */
void loopback_send(struct loopback *l, struct loopback_down *d, const char *request);
void loopback_end(struct loopback *l, struct loopback_down *d); /* frees; it must be released */

/* "Name: value" is there. */
bool loopback_has_header(const struct loopback_down *d, const char *line);

/* A key of a new consumer; freed by the caller. */
char *loopback_add_key(struct loopback *l, const char *consumer, const char *plan,
                       uint64_t *id_out);

#endif
