/* SPDX-License-Identifier: Apache-2.0 */
/*
 * up_pool.h - a worker's connections to upstreams: opened, lent to one request at a time, kept.
 *
 * Lifetime: worker. A connection never leaves its worker. Idle connections are kept per origin, the
 * last used first out; one that becomes readable while idle is closed (nobody asked for those
 * bytes).
 */
#ifndef GATEWAYD_HTTP_UP_POOL_H
#define GATEWAYD_HTTP_UP_POOL_H

#include "gatewayd/http/codec.h"

struct tls_client;
struct up_pool;

/* Where a connection goes. Borrowed for the call of up_open; what a connection needs later it
 * copies. Two origins with the same key and TLS context are the same place. */
struct up_origin {
    void *key;
    struct address address;
    struct tls_client *tls;      /* NULL: plain. Counted by the connection. */
    struct text server_name;     /* for TLS; lives as long as `key` */
    int64_t connect_timeout_ms;  /* TCP and TLS */
    int64_t response_timeout_ms; /* from the request sent to the head of the answer */
    int64_t idle_timeout_ms;     /* between bytes of the body */
    unsigned keep_idle;          /* idle connections kept for this origin; 0: this one is not */
    int64_t keep_timeout_ms;
    uint64_t keep_requests; /* 0: no limit */

    /* Every connection counts on `key`: opened when up_open makes one, closed when it is gone
     * (from the loop, on this thread). May be NULL. */
    void (*on_opened)(void *key);
    void (*on_closed)(void *key);
};

struct up_limits {
    size_t header_bytes;
    unsigned headers;
};

struct up_pool *up_pool_new(struct loop *loop, struct buffer_pool *buffers,
                            struct up_limits limits);
void up_pool_free(struct up_pool **pool_at); /* closes idle connections; none may be lent */

/* Other ceilings, for answers from the next request on. */
void up_pool_set_limits(struct up_pool *p, struct up_limits limits);

/* Lends a connection for one request. With one that was kept, u->is_reused is true and `send` may
 * follow at once; else it is being opened: on_connected or on_failed follows from the loop (`send`
 * may already be called, it is kept until then). Never NULL. `fresh`: not a kept one (after
 * UP_STALE).
 *
 * A kept connection carries nothing that was sent before the request: an event would have told, or
 * is asked for (socket_has_unread) where it could not have: on a connection that was released in
 * this very turn of the loop. Such a one is lent only if there is no other. */
struct up *up_open(struct up_pool *p, const struct up_origin *origin, bool fresh,
                   const struct up_user *user, void *owner);

/* The target left, or its TLS context was replaced (`tls`: the one before; NULL: plain). Closes the
 * idle connections, and those that are lent when they are released. Costs what it closes. Who comes
 * yet on an older configuration is to ask with keep_idle 0. */
void up_pool_drop(struct up_pool *p, const void *key, const struct tls_client *tls);

struct up_pool_counts {
    uint64_t opened, reused, idle, lent;
};
struct up_pool_counts up_pool_counts(const struct up_pool *p);

#endif
