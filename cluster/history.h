/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history.h - the list of entries that are kept: who, when, a line of what; and those who wait for
 * the next one. What an entry changed is not in memory.
 *
 * Lifetime: its store. One thread.
 */
#ifndef CLUSTER_HISTORY_H
#define CLUSTER_HISTORY_H

#include "cluster/store.h"
#include "gatewayd/core/loop.h"

struct history_slot;

struct history {
    struct history_slot *slots; /* a ring, by revision */
    size_t room;                /* a power of two, or 0 */
    size_t count;
    uint64_t first; /* revision of the oldest */
    size_t most;
    struct list waiters;
    struct loop *loop;
    struct loop_task wake; /* waiters are looked at */
};

/* Keeps at least the last `most` entries, and any that waits to be confirmed. */
void history_init(struct history *h, size_t most, struct loop *loop);
void history_fini(struct history *h);  /* waiters are forgotten */
void history_clear(struct history *h); /* entries are */

/* The revision must follow the last one (or be the first). Texts are copied. `until` is not 0 for
 * one that has to be confirmed by then. */
void history_add(struct history *h, const struct entry_head *head, int64_t until);

uint64_t history_oldest(const struct history *h); /* 0: none */
uint64_t history_newest(const struct history *h);
MUST_USE bool history_find(const struct history *h, uint64_t revision, struct store_entry *out);
size_t history_list(const struct history *h, uint64_t before, size_t size,
                    struct store_entry *entries_out);

/* What became of one that had to be confirmed; false if there is none of that revision. */
bool history_settle(struct history *h, uint64_t revision, enum store_confirmation confirmation);

/* The pending one that is due first; false if there is none. */
MUST_USE bool history_find_pending(const struct history *h, struct store_entry *out);

/* Waiters are called at the end of a turn once history_newest() is above what they wait for. */
void history_wait(struct history *h, struct store_waiter *w, uint64_t after);

#endif
