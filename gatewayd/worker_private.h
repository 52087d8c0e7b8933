/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_private.h - what the files worker*.c share.
 */
#ifndef GATEWAYD_WORKER_PRIVATE_H
#define GATEWAYD_WORKER_PRIVATE_H

#include <pthread.h>

#include "gatewayd/core/log.h"
#include "gatewayd/exchange/exchanges.h"
#include "gatewayd/http/h1_down.h"
#include "gatewayd/worker.h"

/* One listener of the node file, as this worker serves it. */
struct worker_listener {
    struct down_listener down; /* first: what exchanges see */
    struct worker *worker;
    struct tls_server *tls; /* NULL: plain */
    bool has_proxy_protocol;
    bool is_unix;
    /* The same for each virtual address: what is connected to it. NULL without any. */
    struct down_listener *at_places;
    struct listen_acceptor *acceptors;
    unsigned acceptor_count;
};

struct worker {
    struct worker_settings settings;
    struct node_config *node;
    struct node_config **old_nodes;
    size_t old_node_count;
    char name[16];
    pthread_t thread;
    pid_t tid; /* set by the thread before it turns first */
    struct loop *loop;
    struct mailbox *mailbox;
    struct log_scope log;
    struct buffer_pool buffers;
    struct socket_pipes pipes;
    struct h1_server server;
    struct exchanges exchanges;
    struct worker_listener *listeners;
    size_t listener_count;
    struct down_place *places; /* by virtual address, as in settings.addresses */
    size_t place_count;
    struct mail limited; /* waiting requests try again; posted once at a time */
    _Atomic bool is_limited_posted;
    struct list proxies; /* connections whose PROXY header is awaited */
    struct loop_timer care;
    struct loop_timer window;    /* the end of a drain */
    struct loop_timer last_call; /* until nobody can come to the queues any more */
    bool is_accepting;
    bool is_quitting; /* no longer ready; still accepting */
    bool is_ending;   /* ends when nothing is left */
    worker_done_fn *on_quit;
    void *on_quit_arg;
};

/* An accepted descriptor, its peer known, goes to the codec. */
void worker_take_connection(struct worker_listener *l, const struct down_listener *down, int fd,
                            const struct address *peer);

/* Waits for the PROXY header of an accepted descriptor; then as above, or closed. */
void worker_await_proxy(struct worker_listener *l, const struct down_listener *down, int fd,
                        const struct address *peer);
void worker_close_proxies(struct worker *w);

/* A connection that was counted, to a virtual address if `place` is not NULL, is no more. */
void worker_forget_connection(struct worker *w, struct metrics_block *place);

/* worker_places.c: virtual addresses. */
void worker_init_places(struct worker *w);
void worker_fini_places(struct worker *w);
void worker_init_listener_places(struct worker_listener *l);

/* What an accepted descriptor's exchanges see: by the address it was connected to. */
const struct down_listener *worker_find_down(const struct worker_listener *l, int fd);

void worker_obey_place(struct worker *w, size_t place, enum worker_place_order order,
                       uint64_t spread_ms);

static inline struct metrics_block *worker_place_of(const struct down_listener *down)
{
    return down->place == NULL ? NULL : down->place->metrics;
}

#endif
