/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_up.h - one HTTP/1.1 connection to an upstream: a request out, its answer in, again.
 *
 * Belongs to its pool (up_pool.c), which lends it to one user at a time. Whatever an answer did
 * that was not clean ends the connection with the answer. Lifetime: connection; freed by loop_bury.
 *
 *   connecting ──▶ lent ──send──▶ active ──released clean──▶ idle ──lent again──▶ …
 *        └─ failed ─▶ closed ◀── failed / released unclean / readable while idle
 */
#ifndef GATEWAYD_HTTP_H1_UP_H
#define GATEWAYD_HTTP_H1_UP_H

#include "conf/base/list.h"
#include "gatewayd/http/h1_reader.h"
#include "gatewayd/http/h1_response.h"
#include "gatewayd/http/h1_writer.h"
#include "gatewayd/http/up_pool.h"

enum h1_up_state { H1_UP_CONNECTING, H1_UP_READY, H1_UP_ACTIVE, H1_UP_IDLE, H1_UP_CLOSED };

struct up_place; /* all connections of a worker to one origin (up_pool.c) */

struct h1_up {
    struct up up; /* first: the user sees only this */
    struct up_pool *pool;
    struct up_place *place;
    struct socket socket;
    struct list node; /* among the idle ones of its place */
    struct list all;  /* among all of the pool */
    struct loop_timer deadline;
    struct h1_input input;
    struct loop_task connected; /* an outcome known at once is told from the loop */
    struct h1_response parser;
    struct h1_reader reader;
    struct h1_writer writer;
    struct up_origin origin; /* key, timeouts and hooks; address and TLS only while connecting */
    enum h1_up_state state;
    bool has_head; /* the final head was given to the user */
    bool is_sent;  /* send() was called */
    bool is_upgraded;
    bool may_keep;  /* nothing unclean has happened */
    bool is_failed; /* on_failed was called, or there is nobody to tell */
    unsigned interim_count;
    uint64_t requests;     /* begun on this connection */
    uint64_t idle_turn;    /* the loop's, in which it was released last */
    uint64_t wire_before;  /* bytes written in all the requests before this one */
    uint64_t answer_bytes; /* of the answer at hand, head included */
};

/* For the pool. */
struct h1_up *h1_up_new(struct up_pool *pool, struct up_place *place,
                        const struct up_origin *origin);
void h1_up_lend(struct h1_up *c, const struct up_user *user, void *owner);
void h1_up_close(struct h1_up *c);

#endif
