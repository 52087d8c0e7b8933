/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis.h - all that this process has to do with the shared Redis: where it is, and the links to
 * it. Made from state.redis of the node configuration.
 *
 * Several links, so that what waits long (XREAD BLOCK), what may be big (commits, full reads) and
 * what requests wait for (leases) do not stand behind each other, and each has its own breaker.
 *
 * Lifetime: process. Made, started and freed by control; everything else on the store's thread.
 */
#ifndef CLUSTER_REDIS_H
#define CLUSTER_REDIS_H

#include "cluster/redis_link.h"
#include "cluster/store_thread.h"
#include "conf/base/problem.h"
#include "conf/node.h"

struct redis;

enum redis_use {
    REDIS_CALLS,  /* commits, reads, heartbeats: 2 s */
    REDIS_FOLLOW, /* XREAD BLOCK */
    REDIS_LIMITS, /* leases: state.redis.timeout */
    REDIS_USES
};

/* Reads the files it names (passwords, certificates). NULL and problems. */
MUST_USE struct redis *redis_new(const struct node_config *node, struct store_thread *thread,
                                 struct problems *ps);
/* SIGHUP: who we are, whom we believe, and how long requests wait, by `config` (NULL: as at the
 * start; borrowed for the call) and its files, which are read again; for new connections. On
 * problems what was known stays. Control. */
void redis_reload(struct redis *r, const struct node_redis *config, struct problems *ps);
/* -t: are the files right? Connects to nothing. */
MUST_USE bool redis_check(const struct node_config *node, struct problems *ps);
void redis_start(struct redis *r); /* posts to the store's thread */
void redis_stop(struct redis *r);  /* after store_thread_stop: answers what waits, AWAY or LOST */
void redis_free(struct redis **r);

struct redis_link *redis_link_of(struct redis *r, enum redis_use use);

/* Tells of each change of a link between up and away, and of the reason for being away; from the
 * loop, not from inside a call. Before redis_start. Several may watch one link. */
typedef void redis_watch_fn(void *arg, struct redis_link *link, bool is_up);
void redis_watch(struct redis *r, enum redis_use use, redis_watch_fn *fn, void *arg);

/* "{PREFIX}:NAME", borrowed as long as the redis: every key has the prefix in braces, so that all
 * of them are in one slot. Takes memory each time: once per name, before redis_start or on the
 * store's thread. */
struct text redis_key(struct redis *r, const char *name);
struct text redis_prefix(const struct redis *r);

/* Which cluster's state this node has (the bytes of its id); empty: none yet. Scripts that write
 * what belongs to no entry are told: in the Redis of another cluster they change nothing. Set by
 * control; any thread, valid as long as the redis. */
void redis_set_cluster(struct redis *r, struct text id);
struct text redis_cluster(const struct redis *r);

/* Which server is in use ("10.0.0.11:6379"), or was last; empty: none yet. Borrowed until the next
 * turn; the store's thread. */
struct text redis_server_name(const struct redis *r);

/* Names and version of hiredis, for -V. Static. */
const char *redis_library_version(void);

#endif
