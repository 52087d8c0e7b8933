/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_wire.h - one connection to one server or sentinel: resolves, connects, shakes hands, sends
 * commands, hands over replies in the order in which they come. Knows nothing of what they mean.
 *
 * It is opened once and ends once; whoever wants another one opens another one. Commands given in
 * one turn go out in one write. Deadlines are the owner's. The store's thread.
 */
#ifndef CLUSTER_REDIS_WIRE_H
#define CLUSTER_REDIS_WIRE_H

#include "cluster/redis_reply.h"
#include "conf/base/address.h"

struct loop;
struct resolve;
struct tls_client;
struct redis_wire;

/* From the loop, never from inside a call. The wire may be closed in each of them. */
struct redis_wire_handlers {
    void (*on_ready)(void *arg); /* connected, with TLS: verified */
    void (*on_reply)(void *arg, const struct redis_reply *reply);
    void (*on_end)(void *arg, struct text reason); /* a clause: "connection refused" */
};

struct redis_wire_options {
    struct loop *loop;
    struct resolve *resolve;
    struct text server;       /* "host:port" or "unix:/path" */
    const struct address *at; /* where that is, if known; else NULL */
    struct tls_client *tls;   /* NULL: plain; counted until the wire is closed */
    struct text server_name;  /* in its certificate; empty: the host of .server */
    size_t reply_max;
};

struct redis_wire *redis_wire_open(const struct redis_wire_options *options,
                                   const struct redis_wire_handlers *handlers, void *arg);
/* At once; nothing is called any more. */
void redis_wire_close(struct redis_wire **w);

/* Words are copied. Before on_ready too. */
void redis_wire_send(struct redis_wire *w, const struct text *words, size_t count);

/* Bytes given to redis_wire_send so far, and how many of those may have left this process. */
uint64_t redis_wire_queued(const struct redis_wire *w);
uint64_t redis_wire_gone(const struct redis_wire *w);

/* Where it is connected to; after on_ready. */
const struct address *redis_wire_address(const struct redis_wire *w);

#endif
