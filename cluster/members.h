/* SPDX-License-Identifier: Apache-2.0 */
/*
 * members.h - the nodes of the cluster as this one knows them: who there is, which revision each
 * applies, who waits for them.
 *
 * What is read from Redis each second (heartbeat.h) is merged in here. A node that vanished without
 * saying so stays known, so that it is waited for and limits are divided by it, until it is back,
 * removed, or was not seen for cluster.forget_after *while Redis could be read*: what cannot be
 * read proves nobody gone. So a Redis that was away or lost its memory forgets no node.
 *
 *     unknown ──read──▶ known ──left or removed (by any node)──▶ unknown
 *                        └── unseen for forget_after: removed, for all nodes
 *
 * Lifetime: process, with a shared store only. Control thread, but for members_count.
 */
#ifndef CLUSTER_MEMBERS_H
#define CLUSTER_MEMBERS_H

#include "cluster/peer.h"
#include "conf/base/list.h"
#include "gatewayd/core/loop.h"

#define MEMBERS_MOST 1000 /* that are taken from Redis */

struct members;

struct members_settings {
    struct loop *loop;
    const char *incarnation; /* ours; borrowed */
    int64_t forget_after;    /* ms */
    bool is_local;           /* our address is a loopback one: of use on this host only */
    /* Nobody has seen it for long enough: tell the others. */
    void (*forget)(void *arg, struct text name, struct text incarnation);
    void *arg;
};

struct members *members_new(const struct members_settings *settings);
void members_free(struct members **m); /* who waits is told who is pending */

struct loop *members_loop(const struct members *m);

/* Ours, as it is now; texts are copied. */
void members_say(struct members *m, const struct peer *self);

/* ---- reading -------------------------------------------------------------------------------- */

/* One field of the hash of members. */
struct members_row {
    struct text name;
    int64_t seen_ms;  /* by Redis's clock */
    bool is_gone;     /* it left, or was removed; what it said is empty */
    struct text said; /* JSON; of a gone one its incarnation */
};

/* A whole look, `elapsed_ms` after the one before it (0: Redis was away since, or it is the
 * first). */
struct members_read {
    const struct members_row *rows;
    size_t count;
    int64_t now_ms; /* Redis's clock */
    int64_t elapsed_ms;
    bool is_shared_name; /* somebody else wrote our field since we did */
};
void members_take(struct members *m, const struct members_read *read);

/* What was known when the process ran last (without ourselves): until they are seen they count as
 * unseen. A line each, as members_print prints it. */
void members_load(struct members *m, struct text lines);
void members_print(const struct members *m, struct builder *b);
uint64_t members_changes(const struct members *m); /* grows when there is another, or elsewhere */

/* ---- asking --------------------------------------------------------------------------------- */

struct members_view {
    struct peer member; /* borrowed until the next change */
    bool is_self;
    bool is_unseen;    /* it should have been heard of by now */
    int64_t last_seen; /* ms since the epoch by Redis's clock; 0: not since we started */
};
/* The one with the smallest name behind `after` (empty: the first); ourselves included. */
bool members_next(const struct members *m, struct text after, struct members_view *out);
bool members_find(const struct members *m, struct text name, struct members_view *out);

/* Known and not gone for good, ourselves included; never 0. Any thread. */
size_t members_count(const struct members *m);

/* Another process serves under our name. */
bool members_is_name_shared(const struct members *m);

/* Others on other hosts cannot reach the address that we advertise. */
bool members_is_address_useless(const struct members *m);

/* Takes it out at once (the caller tells Redis). False: not known, or ourselves. */
bool members_remove(struct members *m, struct text name);

/* ---- waiting -------------------------------------------------------------------------------- */

/* Who does not apply a revision yet; names borrowed until the function returns. */
typedef void members_waited_fn(void *arg, const struct text *names, size_t count);

/* Embedded in who waits. */
struct members_wait {
    struct list node;
    struct members *members; /* NULL: not waiting */
    uint64_t revision;
    struct loop_timer timer;
    members_waited_fn *fn;
    void *arg;
};

/* Calls `fn` once, from the loop: when every known node applies the revision (count 0), or after
 * `timeout_ms` with those that do not. */
void members_wait_start(struct members *m, struct members_wait *w, uint64_t revision,
                        int64_t timeout_ms, members_waited_fn *fn, void *arg);
void members_wait_stop(struct members_wait *w); /* also when not started */

/* Somebody waits: reading more often is worth it. */
bool members_is_waited_for(const struct members *m);

#endif
