/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.h - how much memory the process has, and giving back what it does not use.
 *
 * What a burst needed (a million keys brought at once, ten thousand connections) is freed in pieces
 * between what stays; the allocator keeps such pages. Control gives them back now and then.
 */
#ifndef GATEWAYD_MEMORY_H
#define GATEWAYD_MEMORY_H

#include "conf/base/text.h"

/* Before anything else is allocated. Blocks of a megabyte and more come from the kernel and go back
 * to it when they are freed, and grow without being copied; the rest stays with the allocator. */
void memory_start(void);

/* Told by whoever frees very many small things, in slices: holes are given back to the kernel as
 * they come together, which takes a tenth of a millisecond for each megabyte. Any thread. */
void memory_freed(size_t bytes);

/* Resident bytes, from the kernel; 0 when it does not say. Any thread. */
uint64_t memory_resident(void);

/* Lifetime: control. */
struct memory {
    uint64_t least;   /* resident after a trim, the least of all */
    uint64_t next_ms; /* not before */
    uint64_t wait_ms; /* grows while trimming does not help */
};

/* Looks a few times a second of `now_ms` and trims if there may be something to give back. A trim
 * takes a few milliseconds; those in vain are repeated every quarter of a minute. Control thread.
 */
void memory_tidy(struct memory *m, uint64_t now_ms);

#endif
