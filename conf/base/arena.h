/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.h - memory that is given back all at once.
 *
 * One owner, one thread. Chunks grow by doubling up to a megabyte; the first chunk may be lent by
 * the owner (a pooled buffer) so that a short life allocates nothing. Memory is aligned to 16 bytes
 * and not zeroed.
 */
#ifndef CONF_BASE_ARENA_H
#define CONF_BASE_ARENA_H

#include <stddef.h>

#include "conf/base/must.h"
#include "conf/base/text.h"

struct arena_chunk;

struct arena {
    char *at;                   /* next free byte of the current chunk */
    char *end;                  /* its end */
    struct arena_chunk *chunks; /* chunks we allocated, newest first */
    size_t allocated;           /* bytes handed out, the lent chunk's included */
    size_t ceiling;
    size_t next_chunk;
};

/* `ceiling` bounds what arena_try_alloc hands out in all; SIZE_MAX for configuration arenas. */
void arena_init(struct arena *arena, size_t ceiling);

/* Lends `size` bytes at `memory` as the first chunk; they stay the lender's. Call before any
 * allocation. */
void arena_lend(struct arena *arena, void *memory, size_t size);

/* Frees all chunks; the arena can be used again (ceiling kept, the lent chunk forgotten). */
void arena_reset(struct arena *arena);

/* The same for an arena of many megabytes, in pieces: frees about one; true if there is more. */
bool arena_reset_some(struct arena *arena);

/* NULL when the ceiling is reached: for sizes that a peer influences. */
MUST_USE void *arena_try_alloc(struct arena *arena, size_t size);

/* Never NULL; passing the ceiling is a bug (MUST): for sizes that are ours. */
__attribute__((returns_nonnull)) void *arena_alloc(struct arena *arena, size_t size);
__attribute__((returns_nonnull)) void *arena_zalloc(struct arena *arena, size_t size);

/* A copy of `from` in the arena, followed by a NUL that is not counted. */
struct text arena_copy(struct arena *arena, struct text from);
MUST_USE bool arena_try_copy(struct arena *arena, struct text from, struct text *copy_out);

/* printf into the arena. */
struct text arena_print(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
