/* SPDX-License-Identifier: Apache-2.0 */
/*
 * up_place.h - what the pool and its connections know of each other.
 */
#ifndef GATEWAYD_HTTP_UP_PLACE_H
#define GATEWAYD_HTTP_UP_PLACE_H

#include "conf/base/list.h"
#include "gatewayd/http/h1_up.h"
#include "gatewayd/net/tls.h"

/* One origin as a worker knows it: a target under one TLS context, because a connection, and a
 * session, was verified by the context that made it. Exists while it has connections. */
struct up_place {
    struct up_place *next; /* of the same bucket */
    void *key;
    const struct tls_client *tls; /* alive: every connection of the place counts it */
    struct list idle;             /* the last used first */
    unsigned idle_count;
    unsigned count;  /* connections in all */
    bool is_dropped; /* those that are lent are not kept; until somebody who may keep comes */
    struct tls_session session;
};

#define UP_POOL_BUCKETS 1024

struct up_pool {
    struct loop *loop;
    struct buffer_pool *buffers;
    struct up_limits limits;
    struct list connections;
    struct up_pool_counts counts;
    struct up_place *places[UP_POOL_BUCKETS];
};

/* A connection is free for the next request; closes it (or an older one) if enough are kept. */
void up_pool_keep(struct up_pool *p, struct h1_up *c);

/* A connection is gone; the place goes with its last one. */
void up_pool_forget(struct up_pool *p, struct h1_up *c);

#endif
