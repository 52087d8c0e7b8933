/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.h - one thread that serves clients: its loop, its listening sockets, its connections to
 * both sides, its exchanges. Workers share nothing but what gatewayd/README.md lists.
 *
 * Lifetime: process. Made, started, told things and freed by control; what it is told is a mail,
 * what it answers comes back by control's mailbox. Control thread only, every function.
 */
#ifndef GATEWAYD_WORKER_H
#define GATEWAYD_WORKER_H

#include "conf/node.h"
#include "gatewayd/core/mailbox.h"
#include "gatewayd/exchange/generation.h"
#include "gatewayd/net/listen.h"
#include "gatewayd/policy/credentials.h"

struct ha_addresses;
struct plan_board;
struct tls_server;
struct worker;

/* Called on the control thread when the worker has done what it was told. */
typedef void worker_done_fn(void *arg);

struct worker_settings {
    unsigned number; /* from 0 */
    unsigned workers;
    const struct node_config *node; /* a count is taken */
    struct mailbox *control;
    struct credentials *credentials;
    struct turn *turn;
    struct limiter *limiter;
    struct plan_board *plans;
    struct listen_table *listeners;
    struct listen_budget *budget;
    const struct ha_addresses *addresses; /* virtual ones; NULL: none */
    struct tls_server *const *tls;        /* by listener; NULL where plain. Counts are taken. */
};

struct worker *worker_new(const struct worker_settings *settings);
void worker_free(struct worker **w); /* after its thread has ended */

void worker_start(struct worker *w); /* the thread */
void worker_join(struct worker *w);

/* Runs on `g` from its next turn on; it is taken over. */
void worker_publish(struct worker *w, struct generation *g, worker_done_fn *done, void *arg);

/* Begins to accept: once, after the first worker_publish. */
void worker_accept(struct worker *w);

/* Other certificates, from the next connection on: by listener, counts are taken. */
void worker_set_tls(struct worker *w, struct tls_server *const *tls);

/* Other node settings (timeouts, sizes): what new connections and requests go by. */
void worker_set_node(struct worker *w, const struct node_config *node);

/* Every answer says Connection: close, tunnels are told to go away in the next `spread_ms`; and
 * back. Of one listener, by its place in the node file, or of all. */
#define WORKER_ALL_LISTENERS SIZE_MAX
void worker_drain(struct worker *w, size_t listener, uint64_t spread_ms);
void worker_undrain(struct worker *w, size_t listener);

/* What was connected to one virtual address. `done` may be NULL. */
enum worker_place_order {
    WORKER_PLACE_DRAIN,      /* as worker_drain; what is there counts as METRIC_ADDRESS_BEFORE */
    WORKER_PLACE_UNDRAIN,    /* and back */
    WORKER_PLACE_MARK,       /* what came meanwhile counts as METRIC_ADDRESS_BEFORE too */
    WORKER_PLACE_CLOSE_KEPT, /* those that wait for a further request */
    WORKER_PLACE_CUT,        /* all of them */
};
void worker_tell_place(struct worker *w, size_t place, enum worker_place_order order,
                       uint64_t spread_ms, worker_done_fn *done, void *arg);

/* Is its loop alive? */
void worker_ping(struct worker *w, worker_done_fn *done, void *arg);

/* Of its thread. Control may ask once something it posted there was done. */
pid_t worker_tid(const struct worker *w);

/* Drains, still accepting, until worker_end, or for `window_ms` whatever is left then; tunnels are
 * told in the first `spread_ms`. `done`: the thread is about to end, join it. */
void worker_quit(struct worker *w, int64_t window_ms, uint64_t spread_ms, worker_done_fn *done,
                 void *arg);

/* Another process accepts from the listeners that were passed on (listen_entry): this worker does
 * so no more, `let_go` says when. And worker_quit. */
void worker_retire(struct worker *w, int64_t window_ms, uint64_t spread_ms, worker_done_fn *let_go,
                   worker_done_fn *done, void *arg);

/* Accepts what is queued, then no more, and ends as soon as nothing is left. Workers share their
 * addresses: it is said to all of them, after listen_table_hold_handshakes, or what comes to the
 * socket of one that ended first would wait for nobody. After worker_quit. */
void worker_end(struct worker *w);

/* Requests that wait for a bucket that is shared try again. Any thread. */
void worker_resume_limited(struct worker *w);

/* Ends what began with the key. */
void worker_end_key(struct worker *w, struct key_handle handle, worker_done_fn *done, void *arg);

#endif
