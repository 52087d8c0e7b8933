/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slab.h - records of one size, found by number, that never move.
 *
 * One thread takes and gives numbers; any thread may look at a record whose number it learned from
 * that thread. Given numbers are linked through the first four bytes of their record; the rest of
 * it stays as it was until the number is taken again.
 */
#ifndef GATEWAYD_POLICY_SLAB_H
#define GATEWAYD_POLICY_SLAB_H

#include <stdatomic.h>
#include <stdint.h>

#include "conf/base/must.h"

#define SLAB_SHIFT 12
#define SLAB_PAGE  (1u << SLAB_SHIFT) /* records in a page */
#define SLAB_PAGES 16384

struct slab {
    size_t item;
    uint32_t used;       /* numbers below have been taken once */
    uint32_t first_free; /* 1 + a given number; 0: none */
    size_t pages_count;
    _Atomic(char *) pages[SLAB_PAGES];
};

void slab_init(struct slab *s, size_t item);
void slab_fini(struct slab *s);

uint32_t slab_take(struct slab *s); /* zeroed when taken the first time, else as it was given */
void slab_give(struct slab *s, uint32_t number);

static inline void *slab_get(const struct slab *s, uint32_t number)
{
    char *page = atomic_load_explicit(&s->pages[number >> SLAB_SHIFT], memory_order_acquire);
    return page + (number & (SLAB_PAGE - 1)) * s->item;
}

#endif
