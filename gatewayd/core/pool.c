/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.c - idle blocks in a stack.
 */
#include "gatewayd/core/pool.h"

#include "conf/base/mem.h"

#ifdef __SANITIZE_ADDRESS__
#define KEEPS_BLOCKS false
#else
#define KEEPS_BLOCKS true
#endif

void pool_init(struct pool *p, size_t block_size, size_t max_idle)
{
    MUST(block_size >= sizeof(struct pool_block));
    *p = (struct pool){ .block_size = block_size, .max_idle = KEEPS_BLOCKS ? max_idle : 0 };
}

static void drop_idle(struct pool *p)
{
    struct pool_block *block = p->idle;
    p->idle = block->next;
    p->idle_count--;
    MEM_FREE(&block);
}

void pool_fini(struct pool *p)
{
    MUST(p->used == 0);
    while (p->idle != NULL)
        drop_idle(p);
}

void *pool_take(struct pool *p)
{
    p->used++;
    struct pool_block *block = p->idle;
    if (UNLIKELY(block == NULL))
        return mem_resize(NULL, p->block_size);
    p->idle = block->next;
    p->idle_count--;
    if (p->idle_count < p->idle_low)
        p->idle_low = p->idle_count;
    return block;
}

void pool_give(struct pool *p, void *memory)
{
    MUST(p->used > 0);
    p->used--;
    if (UNLIKELY(p->idle_count >= p->max_idle)) {
        MEM_FREE(&memory);
        return;
    }
    struct pool_block *block = memory;
    block->next = p->idle;
    p->idle = block;
    p->idle_count++;
}

void pool_resize(struct pool *p, size_t block_size)
{
    MUST(block_size >= sizeof(struct pool_block));
    while (p->idle != NULL)
        drop_idle(p);
    p->idle_low = 0;
    p->block_size = block_size;
}

void pool_drop(struct pool *p, void *memory)
{
    MUST(p->used > 0);
    p->used--;
    MEM_FREE(&memory);
}

void pool_shrink(struct pool *p)
{
    for (size_t n = (p->idle_low + 1) / 2; n > 0; n--)
        drop_idle(p);
    p->idle_low = p->idle_count;
}
