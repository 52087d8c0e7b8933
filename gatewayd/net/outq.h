/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outq.h - what is to be written next: a bounded queue of slices, sent by one writev.
 *
 * A slice comes with a reference to the buffer it lies in, or with the promise that its bytes live
 * until they are written (constants, the exchange's arena). Neighbouring slices are joined. One
 * thread; embedded in a connection or exchange.
 */
#ifndef GATEWAYD_NET_OUTQ_H
#define GATEWAYD_NET_OUTQ_H

#include <sys/uio.h>

#include "conf/base/text.h"
#include "gatewayd/net/buffer.h"

#define OUTQ_SLICES 32 /* a power of two */

struct outq_slice {
    const char *at;
    size_t length;
    struct buffer *buffer; /* a reference, or NULL */
};

struct outq {
    struct outq_slice slices[OUTQ_SLICES];
    unsigned first;
    unsigned count;
    size_t bytes; /* waiting */
};

void outq_init(struct outq *q);
void outq_fini(struct outq *q); /* lets go of what was not written; may be used again */

static inline bool outq_is_empty(const struct outq *q)
{
    return q->count == 0;
}

static inline size_t outq_bytes(const struct outq *q)
{
    return q->bytes;
}

/* Slices that surely fit yet. */
static inline unsigned outq_room(const struct outq *q)
{
    return OUTQ_SLICES - q->count;
}

/* False if full: nothing was added. `buffer` (may be NULL) gets a reference of the queue's own.
 * An empty slice is nothing. */
MUST_USE bool outq_try_add(struct outq *q, struct text slice, struct buffer *buffer);

/* What is first in line, at most `max`; returns how many. */
unsigned outq_peek(const struct outq *q, struct iovec *into, unsigned max);

/* `bytes` from the front were written. */
void outq_remove(struct outq *q, size_t bytes);

#endif
