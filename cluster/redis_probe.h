/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_probe.h - one look at one server: connect, greet, hang up. The store's thread.
 */
#ifndef CLUSTER_REDIS_PROBE_H
#define CLUSTER_REDIS_PROBE_H

#include <stdatomic.h>

#include "cluster/redis_greeting.h"
#include "conf/base/address.h"

struct loop;
struct resolve;
struct redis_probe;

/* Where the servers are asked from, and as whom. Borrowed by all that look at servers. */
struct redis_access {
    struct loop *loop;
    struct resolve *resolve;
    const struct node_redis *config;
    struct redis_secrets *secrets; /* a reference; replaced at SIGHUP */
    struct text key;               /* one of our keys */
    _Atomic int64_t timeout_ms;    /* state.redis.timeout, as of the last SIGHUP */
};

struct redis_probe_result {
    bool is_good;                    /* it will do */
    bool is_master;                  /* it said so, whether it will do or not */
    bool needs_care;                 /* see redis_greeting */
    struct text reason;              /* a clause, unless it is good */
    const struct redis_facts *facts; /* good */
    const struct address *at;        /* good */
};

/* From the loop, once; the result is borrowed. The probe is gone then. */
typedef void redis_probe_fn(void *arg, const struct redis_probe_result *result);

struct redis_probe *redis_probe_start(const struct redis_access *access, struct text server,
                                      uint64_t timeout_ms, redis_probe_fn *done, void *arg);
void redis_probe_stop(struct redis_probe **p);

#endif
