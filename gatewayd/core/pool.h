/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.h - blocks of one size, kept for the next who needs one.
 *
 * One thread. Blocks come from the heap when none is idle and are not zeroed; at most `max_idle`
 * are kept. Last in, first out, so that the next user finds them in the cache. With the address
 * sanitizer every block goes to the heap and back, so that misuse is seen.
 */
#ifndef GATEWAYD_CORE_POOL_H
#define GATEWAYD_CORE_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/base/must.h"

struct pool_block {
    struct pool_block *next;
};

struct pool {
    struct pool_block *idle;
    size_t block_size;
    size_t max_idle;
    size_t idle_count;
    size_t idle_low; /* the fewest idle since the last shrink */
    size_t used;
};

void pool_init(struct pool *p, size_t block_size, size_t max_idle);

/* Frees the idle blocks; all others must have been given back (MUST). */
void pool_fini(struct pool *p);

/* Never NULL; pool_size() bytes, aligned to 16. */
__attribute__((returns_nonnull)) void *pool_take(struct pool *p);

/* `block` came from pool_take of this pool. */
void pool_give(struct pool *p, void *block);

/* Blocks are of another size from now on. Those that are out go to pool_drop instead of pool_give:
 * their owner knows their size. */
void pool_resize(struct pool *p, size_t block_size);

/* Frees a block that is not to be taken again. */
void pool_drop(struct pool *p, void *block);

/* Frees half of the blocks that nobody needed since the last call: call every few seconds. */
void pool_shrink(struct pool *p);

static inline size_t pool_size(const struct pool *p)
{
    return p->block_size;
}

#endif
