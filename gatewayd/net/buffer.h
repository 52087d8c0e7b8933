/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buffer.h - counted byte buffers of one worker, from its pools.
 *
 * What is read lands in a buffer; whoever keeps slices of it keeps a reference, so the buffer that
 * holds a head moves from the connection to the exchange and lives as long. Counts are not atomic:
 * a buffer never leaves its worker. An idle connection holds none. Bytes are not zeroed.
 */
#ifndef GATEWAYD_NET_BUFFER_H
#define GATEWAYD_NET_BUFFER_H

#include "gatewayd/core/pool.h"

#define BUFFER_SIZE 16384 /* of the common class */

struct buffer_pool {
    struct pool common;
    struct pool big;
};

struct buffer {
    struct pool *pool;
    unsigned count; /* references */
    unsigned size;  /* of .bytes */
    char bytes[] __attribute__((aligned(16)));
};

/* `big_size` is the ceiling of a message head (max.header_bytes), at least BUFFER_SIZE; up to
 * `max_idle` of each class are kept. */
void buffer_pool_init(struct buffer_pool *p, size_t big_size, size_t max_idle);
void buffer_pool_fini(struct buffer_pool *p);

/* Another ceiling of heads: buffers of the big class hold as much from now on. They never become
 * smaller, so that whatever one holds fits into the next. */
void buffer_pool_grow(struct buffer_pool *p, size_t big_size);

void buffer_pool_shrink(struct buffer_pool *p); /* every few seconds */

/* BUFFER_SIZE bytes, one reference, the caller's. */
__attribute__((returns_nonnull)) struct buffer *buffer_new(struct buffer_pool *p);

/* `big_size` bytes: for a head that did not fit in a common one. */
__attribute__((returns_nonnull)) struct buffer *buffer_new_big(struct buffer_pool *p);

static inline struct buffer *buffer_ref(struct buffer *b)
{
    b->count++;
    return b;
}

/* No other buffer holds more. */
static inline bool buffer_is_biggest(const struct buffer *b, const struct buffer_pool *p)
{
    return b->size >= pool_size(&p->big) - sizeof(*b);
}

/* The last one gives it back to its pool; *b is NULL after. */
static inline void buffer_unref(struct buffer **b)
{
    struct buffer *was = *b;
    *b = NULL;
    if (was == NULL || --was->count > 0)
        return;
    if (LIKELY(was->size + sizeof(*was) == pool_size(was->pool)))
        pool_give(was->pool, was);
    else
        pool_drop(was->pool, was);
}

/* Nobody else has slices of it: its bytes may be overwritten. */
static inline bool buffer_is_alone(const struct buffer *b)
{
    return b->count == 1;
}

#endif
