/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authority.h - who decides what the next entry of the history is, where it is not this node's
 * journal: a shared store. The store of this node (planning, journal, applying, publishing) is the
 * same either way; with an authority each batch of planned entries is offered to it first, and
 * what other nodes did comes in as entries (store_embedded_follow) to be journalled and applied as
 * they are.
 *
 * All calls on the control thread.
 */
#ifndef CLUSTER_AUTHORITY_H
#define CLUSTER_AUTHORITY_H

#include "cluster/entry.h"
#include "cluster/store.h"
#include "conf/base/text.h"

struct authority;

/* One entry: its head and its items (item.h), in one or several pieces. Borrowed until answered. */
struct authority_entry {
    const struct entry_head *head; /* .prev and .revision follow the one before */
    const struct text *parts;
    size_t part_count;
};

enum authority_outcome {
    AUTHORITY_TAKEN,    /* all of them */
    AUTHORITY_MOVED_ON, /* others were first: nothing was taken; follow, plan again */
    AUTHORITY_TURN,     /* another node has its turn: nothing was taken; wait a little, try again */
    AUTHORITY_AWAY,     /* not reachable: nothing was taken, nor ever will be */
    AUTHORITY_FULL,     /* no memory (maxmemory): nothing was taken */
    AUTHORITY_UNKNOWN   /* the answer was lost; nothing says whether they were taken */
};

/* From the loop, once. `reason`: a sentence, unless TAKEN, MOVED_ON or TURN; borrowed for the call.
 */
typedef void authority_answered_fn(void *arg, enum authority_outcome outcome, struct text reason);

/* From the loop, once, unless it was given back meanwhile. TAKEN: nothing of others is accepted
 * beyond `revision`; TURN: somebody else has one; else it cannot be had. */
typedef void authority_turn_fn(void *arg, enum authority_outcome outcome, uint64_t revision);

struct authority_type {
    const char *name; /* "redis" */
    /* All of them or none, if the last accepted entry is the first one's .prev. */
    void (*claim)(struct authority *a, const struct authority_entry *entries, size_t count,
                  authority_answered_fn *answered, void *arg);
    /* A turn, for what takes so long to plan and to send that others are always first: until what
     * is claimed next was taken, or it is given back, or this node has gone. NULL: there are none.
     */
    void (*take_turn)(struct authority *a, authority_turn_fn *answered, void *arg);
    void (*give_turn)(struct authority *a);
    /* Why nothing can be claimed now, a sentence; empty: it can. Borrowed. */
    struct text (*refusal)(const struct authority *a);
    /* It is about to be known where the history is: what is asked for waits (store_embedded_look).
     */
    bool (*is_looking)(const struct authority *a);
    /* What was followed does not fit what is here: find out where this node stands. */
    void (*astray)(struct authority *a);
    /* For the status of the store; what only the store knows is filled in by it. */
    struct store_status (*status)(const struct authority *a);
};

struct authority {
    const struct authority_type *type;
};

#endif
