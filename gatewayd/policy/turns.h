/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turns.h - how memory that workers read without locks is given back: after every reading thread
 * has ended the loop turn in which it may have seen it.
 *
 * Each reading thread has one `struct turn`. Whatever reads a shared table calls turn_enter()
 * first (free when the turn has been entered already); the thread's loop calls turn_leave() after
 * each turn, before it sleeps, or counts its turns itself (turns_watch). A thread that has left, so
 * a sleeping one, holds nobody up.
 *
 * A thread that takes things out of shared tables has a `struct turns_queue`: turns_retire() what
 * was made unreachable, turns_tidy() now and then.
 *
 * The counters, the store that makes a thing unreachable and the loads of readers are all
 * sequentially consistent: either the reader's entry is seen by the writer, which then waits, or
 * the reader sees that the thing is gone.
 */
#ifndef GATEWAYD_POLICY_TURNS_H
#define GATEWAYD_POLICY_TURNS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "conf/base/must.h"

/* Lifetime: process. Odd while its thread is within a turn. */
struct turn {
    _Alignas(64) _Atomic uint64_t count;
    const _Atomic uint64_t *watched; /* instead of count */
};

struct turns {
    struct turn *each;
    size_t count;
};

/* Lifetime: process. One for each reading thread (worker), all outside a turn. */
struct turns *turns_new(size_t threads);
void turns_free(struct turns **turns);

static inline struct turn *turns_get(struct turns *turns, size_t thread)
{
    MUST(thread < turns->count);
    return &turns->each[thread];
}

/* From now on the thread's turns are those that `counter` counts (as loop.turns: odd while awake,
 * made so by a sequentially consistent operation before anything else in the turn); turn_enter()
 * and turn_leave() do nothing for it then. Before the thread reads anything. */
void turns_watch(struct turns *turns, size_t thread, const _Atomic uint64_t *counter);

/* By the turn's own thread only, both. */
static inline void turn_enter(struct turn *turn)
{
    if (turn->watched != NULL)
        return;
    uint64_t count = atomic_load_explicit(&turn->count, memory_order_relaxed);
    if ((count & 1) == 0)
        atomic_store(&turn->count, count + 1);
}

static inline void turn_leave(struct turn *turn)
{
    if (turn->watched != NULL)
        return;
    uint64_t count = atomic_load_explicit(&turn->count, memory_order_relaxed);
    if ((count & 1) != 0)
        atomic_store(&turn->count, count + 1);
}

/* Gives `what` back; called by turns_tidy() or turns_queue_fini(). */
typedef void turns_free_fn(void *owner, uint64_t what);

/* One thread. In order of retirement, so one look at the counters serves a whole batch. */
struct turns_queue {
    struct turns *turns;
    struct turns_retired *items; /* a ring */
    size_t size;
    size_t first;
    size_t count;
    uint64_t *seen; /* the counters when the waiting batch was closed */
    size_t batch;   /* how many of the first items it is; 0: none waits */
};

void turns_queue_init(struct turns_queue *q, struct turns *turns);
void turns_queue_fini(struct turns_queue *q); /* gives back all: no reader may be left */

/* `what` has been made unreachable by a sequentially consistent store before. */
void turns_retire(struct turns_queue *q, turns_free_fn *free_fn, void *owner, uint64_t what);

/* Gives back what every thread has passed, at most `most`; returns how many still wait. */
size_t turns_tidy(struct turns_queue *q, size_t most);

#endif
