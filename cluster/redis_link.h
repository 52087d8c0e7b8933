/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_link.h - one connection to the Redis in use, kept up: it finds the server (redis_site.h),
 * connects, authenticates, selects the database, checks the server, and comes back by itself with
 * back-off and jitter when it was lost.
 *
 * Calls are pipelined and answered in order. Each has a deadline: when it passes the call is
 * answered REDIS_LOST and, because nothing behind it can be told apart from a server that hangs,
 * the connection is given up. After that the link is away (its *breaker* is open) and calls are
 * answered REDIS_AWAY at once, until a connection is up and checked again: so no more than those
 * already sent ever wait for a Redis that hangs.
 *
 * Lifetime: as redis.h. The store's thread, all of it.
 */
#ifndef CLUSTER_REDIS_LINK_H
#define CLUSTER_REDIS_LINK_H

#include "cluster/redis_reply.h"
#include "conf/base/text.h"

struct redis_link;

enum redis_outcome {
    REDIS_ANSWERED, /* with anything but an error */
    REDIS_REFUSED,  /* with an error: the reply's text; nothing was done */
    REDIS_LOST,     /* all or part of it was sent: it may have been executed, or may be yet */
    REDIS_AWAY      /* nothing of it was sent, or ever will be */
};

struct redis_result {
    enum redis_outcome outcome;
    const struct redis_reply *reply; /* ANSWERED, REFUSED; borrowed until `done` returns */
    struct text reason;              /* REFUSED, LOST, AWAY: a sentence without secrets; borrowed */
};
typedef void redis_done_fn(void *arg, const struct redis_result *result);

/* Words are copied before the call returns. */
struct redis_call {
    const struct text *words;
    size_t count;
    int64_t timeout_ms;  /* from now to the answer */
    redis_done_fn *done; /* exactly once, from the loop, never from inside the call */
    void *arg;
};
void redis_link_call(struct redis_link *l, const struct redis_call *call);

/* A Lua script of ours (redis_scripts.h); sent by its digest, by its text when the server does not
 * know it (which costs a second round trip within the same deadline). `words` are the keys, then
 * the arguments. */
struct redis_script;
struct redis_run {
    const struct redis_script *script;
    const struct text *words;
    size_t count;
    size_t key_count; /* how many of the words are keys */
    int64_t timeout_ms;
    redis_done_fn *done;
    void *arg;
};
void redis_link_run(struct redis_link *l, const struct redis_run *run);

/* Gives the connection up and finds a server anew (the follower saw that this one is behind). */
void redis_link_renew(struct redis_link *l, struct text reason);

/* ---- how it is ---- */

bool redis_link_is_up(const struct redis_link *l);
struct text redis_link_reason(const struct redis_link *l); /* away: why, a sentence; else empty */

/* The server's clock in microseconds since the epoch, as far as is known (redis_clock.h): its TIME,
 * asked each second, gone on with our monotonic clock; off by half of a round trip at most, of a
 * good one. 0: never known. */
int64_t redis_link_time_us(const struct redis_link *l);

/* A number made of the server's run id (INFO, at connect), the same on every node; changes when the
 * server restarted or another one took over. 0: never known. */
uint64_t redis_link_run_of_server(const struct redis_link *l);

/* Sentinel names the server in use as the master, by its highest epoch: even if its history is
 * behind what we know, it is the one. Without Sentinel: false. */
bool redis_link_is_named(const struct redis_link *l);

/* Calls not answered yet, and bytes not sent yet: what is queued has a ceiling (64 MiB); past it
 * calls are answered REDIS_AWAY. */
size_t redis_link_waiting(const struct redis_link *l);

#endif
