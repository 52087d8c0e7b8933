/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buffer.c - two pools of buffers, for nearly all heads and for the biggest.
 */
#include "gatewayd/net/buffer.h"

/* Whole pages are not worth it: the allocator's own header would spoil them anyway. */
static size_t block_size(size_t bytes)
{
    return sizeof(struct buffer) + bytes;
}

void buffer_pool_init(struct buffer_pool *p, size_t big_size, size_t max_idle)
{
    if (big_size < BUFFER_SIZE)
        big_size = BUFFER_SIZE;
    pool_init(&p->common, block_size(BUFFER_SIZE), max_idle);
    pool_init(&p->big, block_size(big_size), max_idle);
}

void buffer_pool_grow(struct buffer_pool *p, size_t big_size)
{
    if (block_size(big_size) > pool_size(&p->big))
        pool_resize(&p->big, block_size(big_size));
}

void buffer_pool_fini(struct buffer_pool *p)
{
    pool_fini(&p->common);
    pool_fini(&p->big);
}

void buffer_pool_shrink(struct buffer_pool *p)
{
    pool_shrink(&p->common);
    pool_shrink(&p->big);
}

static struct buffer *take(struct pool *pool)
{
    struct buffer *b = pool_take(pool);
    b->pool = pool;
    b->count = 1;
    b->size = (unsigned)(pool_size(pool) - sizeof(*b));
    return b;
}

struct buffer *buffer_new(struct buffer_pool *p)
{
    return take(&p->common);
}

struct buffer *buffer_new_big(struct buffer_pool *p)
{
    return take(&p->big);
}
