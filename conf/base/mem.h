/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem.h - heap memory that is never NULL.
 *
 * Running out of memory ends the process with a message: allowed because nothing a peer sends can
 * make an allocation large; every size has a configured ceiling. Any thread.
 */
#ifndef CONF_BASE_MEM_H
#define CONF_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed memory of `size` bytes (size 0 gives a pointer that can be freed). */
__attribute__((returns_nonnull, malloc)) void *mem_new(size_t size);

/* Zeroed memory for count * size bytes; an overflow of the product is a bug (MUST). */
__attribute__((returns_nonnull, malloc)) void *mem_new_array(size_t count, size_t size);

/* Grows or shrinks; new bytes are not zeroed. `memory` may be NULL. */
__attribute__((returns_nonnull)) void *mem_resize(void *memory, size_t size);

/* A NUL-terminated copy of `length` bytes. */
__attribute__((returns_nonnull, malloc)) char *mem_copy_text(const char *from, size_t length);

/* Frees *pointer and leaves NULL behind: MEM_FREE(&x->name). */
#define MEM_FREE(pointer_at) mem_free_at((void **)(void *)(pointer_at))
void mem_free_at(void **pointer_at);

/* ---- blocks: arrays that may become very large ---------------------------------------------
 *
 * Their owner knows how many bytes they have (*size_at) and gives them back here, never by
 * MEM_FREE. From a megabyte on they come from the kernel and go back to it: growing copies nothing,
 * whatever holes the heap has. `at` may be NULL with a size of 0. */

/* Zeroed. */
__attribute__((returns_nonnull)) void *mem_block_new(size_t size);

/* Grows or shrinks; new bytes are not zeroed. */
__attribute__((returns_nonnull)) void *mem_block_resize(void *at, size_t size_now, size_t size);

#define MEM_BLOCK_FREE(pointer_at, size) mem_block_free_at((void **)(void *)(pointer_at), (size))
void mem_block_free_at(void **pointer_at, size_t size);

/* The same in pieces of a megabyte, from its end: the kernel takes a tenth of a millisecond for
 * each. True: more is left (call again); false: *pointer is NULL, *size_at 0. */
#define MEM_BLOCK_FREE_SOME(pointer_at, size_at)                                                   \
    mem_block_free_some_at((void **)(void *)(pointer_at), (size_at))
bool mem_block_free_some_at(void **pointer_at, size_t *size_at);

#endif
