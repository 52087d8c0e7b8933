/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outq.c - a ring of slices.
 */
#include "gatewayd/net/outq.h"

#define MASK (OUTQ_SLICES - 1)

static struct outq_slice *slice_at(const struct outq *q, unsigned i)
{
    return (struct outq_slice *)&q->slices[(q->first + i) & MASK];
}

void outq_init(struct outq *q)
{
    q->first = 0;
    q->count = 0;
    q->bytes = 0;
}

static void drop_first(struct outq *q)
{
    buffer_unref(&slice_at(q, 0)->buffer);
    q->first = (q->first + 1) & MASK;
    q->count--;
}

void outq_fini(struct outq *q)
{
    while (q->count > 0)
        drop_first(q);
    q->bytes = 0;
}

/* The slice goes on where the last one ends, in the same buffer. */
static bool try_join(struct outq *q, struct text slice, const struct buffer *buffer)
{
    if (q->count == 0)
        return false;
    struct outq_slice *last = slice_at(q, q->count - 1);
    if (last->buffer != buffer || last->at + last->length != slice.at)
        return false;
    last->length += slice.length;
    return true;
}

bool outq_try_add(struct outq *q, struct text slice, struct buffer *buffer)
{
    if (slice.length == 0)
        return true;
    if (!try_join(q, slice, buffer)) {
        if (q->count == OUTQ_SLICES)
            return false;
        struct outq_slice *new_one = slice_at(q, q->count++);
        new_one->at = slice.at;
        new_one->length = slice.length;
        new_one->buffer = buffer == NULL ? NULL : buffer_ref(buffer);
    }
    q->bytes += slice.length;
    return true;
}

unsigned outq_peek(const struct outq *q, struct iovec *into, unsigned max)
{
    unsigned count = q->count < max ? q->count : max;
    for (unsigned i = 0; i < count; i++) {
        const struct outq_slice *s = slice_at(q, i);
        into[i] = (struct iovec){ (void *)s->at, s->length };
    }
    return count;
}

void outq_remove(struct outq *q, size_t bytes)
{
    MUST(bytes <= q->bytes);
    q->bytes -= bytes;
    while (bytes > 0) {
        struct outq_slice *s = slice_at(q, 0);
        if (bytes < s->length) {
            s->at += bytes;
            s->length -= bytes;
            return;
        }
        bytes -= s->length;
        drop_first(q);
    }
}
