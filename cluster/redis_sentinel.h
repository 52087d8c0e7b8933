/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_sentinel.h - one question to one sentinel: who is the master, how sure is that, which
 * replicas and other sentinels are there? A connection for each question. The store's thread.
 */
#ifndef CLUSTER_REDIS_SENTINEL_H
#define CLUSTER_REDIS_SENTINEL_H

#include "cluster/redis_probe.h"

#define REDIS_SENTINEL_OTHERS 16

/* A replica as a sentinel sees it. */
struct redis_sentinel_replica {
    char name[REDIS_GREETING_SERVER_SIZE]; /* host:port */
    bool is_seen;                          /* it answers the sentinel */
};

struct redis_sentinel_answer {
    char id[48]; /* of the sentinel; empty: not told */
    char master[REDIS_GREETING_SERVER_SIZE];
    uint64_t epoch; /* of the fail-over that made it master */
    bool is_down;   /* by agreement of the sentinels, or a fail-over is under way */
    uint64_t peers; /* sentinels that watch the master, this one included */
    struct redis_sentinel_replica replicas[REDIS_SENTINEL_OTHERS];
    size_t replica_count;
    char sentinels[REDIS_SENTINEL_OTHERS][REDIS_GREETING_SERVER_SIZE];
    char sentinel_ids[REDIS_SENTINEL_OTHERS][48];
    size_t sentinel_count;
};

struct redis_sentinel;

/* From the loop, once. NULL: no answer, for the reason (a clause). Both are borrowed. */
typedef void redis_sentinel_fn(void *arg, const struct redis_sentinel_answer *answer,
                               struct text reason);

struct redis_sentinel *redis_sentinel_start(const struct redis_access *access, struct text sentinel,
                                            uint64_t timeout_ms, redis_sentinel_fn *done,
                                            void *arg);
void redis_sentinel_stop(struct redis_sentinel **q);

/* Connecting to a sentinel and saying who we are, for whoever talks to one. */
struct redis_wire_handlers;
struct redis_wire;
struct redis_wire *redis_sentinel_open(const struct redis_access *access, struct text sentinel,
                                       const struct redis_wire_handlers *handlers, void *arg);
/* Sends AUTH if that is needed: true, and its reply comes first. */
bool redis_sentinel_login(const struct redis_access *access, struct redis_wire *w);

#endif
