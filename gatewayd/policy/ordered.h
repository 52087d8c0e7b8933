/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ordered.h - a million numbers in the order of what they stand for, at about 6 bytes each.
 *
 * Sorted chunks of at most 512 numbers in a sorted array of chunks. Finding costs a binary search,
 * adding and removing the move of at most 2 KiB besides. One thread.
 */
#ifndef GATEWAYD_POLICY_ORDERED_H
#define GATEWAYD_POLICY_ORDERED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/base/must.h"

/* How `key` compares with what the number stands for: <0, 0, >0. */
typedef int ordered_compare_fn(const void *arg, const void *key, uint32_t number);

struct ordered_chunk {
    uint32_t *numbers;
    uint32_t count;
};

struct ordered {
    ordered_compare_fn *compare;
    const void *arg;
    struct ordered_chunk *chunks;
    size_t count; /* chunks */
    size_t size;  /* room for chunks */
};

void ordered_init(struct ordered *o, ordered_compare_fn *compare, const void *arg);
void ordered_fini(struct ordered *o);

void ordered_add(struct ordered *o, const void *key, uint32_t number); /* not there yet */
void ordered_remove(struct ordered *o, const void *key);               /* is there */
bool ordered_find(const struct ordered *o, const void *key, uint32_t *number_out);

/* The first one greater than `key`. */
bool ordered_after(const struct ordered *o, const void *key, uint32_t *number_out);

size_t ordered_bytes(const struct ordered *o);

#endif
