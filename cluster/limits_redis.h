/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits_redis.h - the buckets of limits in the shared Redis: the port that gatewayd's limiter asks
 * (limits_port.h), each ask a run of limits.lua on the link REDIS_LIMITS.
 *
 * A key for each bucket, {PREFIX}:limit:IDENTITY; it ends when the bucket is full and nobody holds
 * of it, or with the quota's window. Asks of one turn of the loop leave in one write. What is not
 * answered in time counts as lost and is asked again: an answer that nobody hears costs tokens and
 * never gives any. Only where Redis cannot be reached is a limit divided.
 *
 * Lifetime: process, with a shared store only. Made, started and freed by control; in between it
 * lives on the store's thread.
 */
#ifndef CLUSTER_LIMITS_REDIS_H
#define CLUSTER_LIMITS_REDIS_H

#include "cluster/redis.h"

struct control;
struct limiter;
struct limiter_sharing;
struct limits_redis;

struct limits_redis_settings {
    struct redis *redis;
    struct store_thread *thread;
    struct limiter *limiter;
    struct text node;   /* the node's name */
    int64_t timeout_ms; /* state.redis.timeout */
};
struct limits_redis *limits_redis_new(const struct limits_redis_settings *settings);

/* From now on the limiter's buckets are these: in a service's prepare. */
void limits_redis_share(struct limits_redis *lr, struct control *control);

/* At the end of a drain, when no worker is left: gives back what this node holds of buckets, and
 * waits for that on control's loop, a second at most (and where Redis is silent its timeout). The
 * store's thread still runs. */
void limits_redis_leave(struct limits_redis *lr, struct loop *control);

/* After the store's thread has ended and redis_stop has answered what was under way. */
void limits_redis_stop(struct limits_redis *lr);

/* After store_thread_free: a mail of it may have been in the thread's mailbox. */
void limits_redis_free(struct limits_redis **lr);

/* Known nodes that are not gone for good, this one included: by so many a limit is divided. Any
 * thread; 1 until it is called. */
void limits_redis_set_nodes(struct limits_redis *lr, size_t nodes);

/* Of state.redis.timeout, after a reload. Any thread. */
void limits_redis_set_timeout(struct limits_redis *lr, int64_t timeout_ms);

/* For tests without a control: what limits_redis_share hands on, but for how workers are told. */
struct limiter_sharing limits_redis_sharing(struct limits_redis *lr);

#endif
