/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_shared.h - what a store runs on whose history is shared: its thread, Redis, and the history
 * that is followed there.
 *
 * Lifetime: the service "store", with state.store = "redis" only. Control thread.
 */
#ifndef CLUSTER_STORE_SHARED_H
#define CLUSTER_STORE_SHARED_H

#include "cluster/redis.h"
#include "cluster/store_embedded.h"
#include "gatewayd/control.h"

struct state_dir;
struct store_shared;

/* Becomes the authority of `store`, which was not started yet. Reads the files that state.redis
 * names. `dir` is borrowed and locked. NULL and problems. `on_ready`: this node stands where the
 * shared history does, for the first time. */
MUST_USE struct store_shared *store_shared_new(struct control *control,
                                               struct store_embedded *store, struct state_dir *dir,
                                               void (*on_ready)(void *arg), void *arg,
                                               struct problems *ps);
/* After everybody who watches links has said so, and store_embedded_start. */
void store_shared_start(struct store_shared *s);

/* What this node holds of limits goes back, and what it spent is told, as far as Redis is there.
 * No worker is left. */
void store_shared_leave(struct store_shared *s);
/* After store_embedded_stop. Ends the thread. */
void store_shared_stop(struct store_shared *s);
void store_shared_free(struct store_shared **s);

struct redis *store_shared_redis(struct store_shared *s);
struct store_thread *store_shared_thread(struct store_shared *s);
/* SIGHUP: what of state.redis is live. */
void store_shared_reload(struct store_shared *s, const struct node_redis *config,
                         struct problems *ps);
void store_shared_set_keeping(struct store_shared *s, size_t history, int64_t tombstones);

#endif
