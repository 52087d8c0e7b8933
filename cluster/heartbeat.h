/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heartbeat.h - once a second, and at once when there is news, this node tells Redis how it is, and
 * learns how the others are, in one round trip (heartbeat.lua). While somebody waits for the
 * others it is done every few milliseconds.
 *
 * Lifetime: process, with a shared store. Made, stopped and freed by control; it works on the
 * store's thread.
 */
#ifndef CLUSTER_HEARTBEAT_H
#define CLUSTER_HEARTBEAT_H

#include "cluster/members.h"

struct heartbeat;
struct redis;
struct store_thread;

/* All on control, from its loop. */
typedef void heartbeat_read_fn(void *arg, const struct members_read *read);
typedef void heartbeat_removed_fn(void *arg, bool is_done, struct text reason);

struct heartbeat_settings {
    struct store_thread *thread;
    struct redis *redis;
    struct text name;        /* of the node; copied */
    struct text incarnation; /* copied */
    int64_t kept_ms;         /* for how long those that are gone are remembered */
    heartbeat_read_fn *on_read;
    void *arg;
};

struct heartbeat *heartbeat_new(const struct heartbeat_settings *settings);

/* JSON (peer.h), copied. The first begins it; each later one is told at once. */
void heartbeat_say(struct heartbeat *h, struct text said);

/* Nothing more is said until the next heartbeat_say: another process of this node speaks, or may
 * have spoken meanwhile, which is no other node of that name. */
void heartbeat_hold(struct heartbeat *h);

/* Somebody waits for others, or nobody any more. */
void heartbeat_hurry(struct heartbeat *h, bool is_hurried);

/* Tells everybody that a node is gone for good. */
void heartbeat_remove(struct heartbeat *h, struct text name, struct text incarnation,
                      heartbeat_removed_fn *removed, void *arg);

/* Says good-bye and waits, on control's loop, until that is answered (2 s at most). The thread
 * still runs. Nothing is called back, and nothing is under way, after it. */
void heartbeat_stop(struct heartbeat *h, struct loop *control);

/* When the links are gone. */
void heartbeat_free(struct heartbeat **h);

#endif
