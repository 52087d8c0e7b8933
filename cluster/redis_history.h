/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_history.h - the history that all nodes share, in Redis: the authority of the store "redis".
 * It claims what this node planned, follows what others did, and finds out where this node stands
 * whenever that is not certain (*look again*). Keys and scripts are described in cluster/README.md.
 *
 *     AWAY ──(a link is up)──▶ LOOKING ──(it is known what is missing, and it came)──▶ READY
 *      ▲                                       ▲                                          │
 *      └──(the link is lost)───────────────────┴──(what comes does not fit)───────────────┘
 *
 * Lifetime: its service. Control thread only.
 */
#ifndef CLUSTER_REDIS_HISTORY_H
#define CLUSTER_REDIS_HISTORY_H

#include "cluster/authority.h"
#include "cluster/redis.h"
#include "cluster/store_embedded.h"

struct redis_history;
struct state_dir;

struct redis_history_settings {
    struct loop *loop;
    struct redis *redis;
    struct store_thread *thread;
    struct store_embedded *store;
    struct state_dir *dir; /* locked; it is told when what is in it is all there is */
    size_t history;        /* entries kept in Redis */
    int64_t tombstones;    /* ms: keys past their time stay so long */
    int64_t replicas;      /* a commit waits for so many */
    /* This node stands where the history does, for the first time, or the first time again since
     * its store was replaced; from the loop. */
    void (*on_ready)(void *arg);
    void *arg;
};

/* Before redis_start and store_embedded_start. */
struct redis_history *redis_history_new(const struct redis_history_settings *settings);
void redis_history_start(struct redis_history *h); /* the store is loaded and was started */

/* After store_embedded_stop: nothing is claimed any more. */
void redis_history_stop(struct redis_history *h);

/* After the store's thread has ended. */
void redis_history_free(struct redis_history **h);

struct authority *redis_history_authority(struct redis_history *h);

void redis_history_set_keeping(struct redis_history *h, size_t history, int64_t tombstones);

#endif
