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
    struct loop *loop;
    struct mailbox *mailbox;
    struct log_scope log;
    struct buffer_pool buffers;
    struct socket_pipes pipes;
    struct h1_server server;
    struct exchanges exchanges;
    struct worker_listener *listeners;
    size_t listener_count;
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
void worker_take_connection(struct worker_listener *l, int fd, const struct address *peer);

/* Waits for the PROXY header of an accepted descriptor; then as above, or closed. */
void worker_await_proxy(struct worker_listener *l, int fd, const struct address *peer);
void worker_close_proxies(struct worker *w);

/* A connection that was counted is no more. */
void worker_forget_connection(struct worker *w);

#endif
