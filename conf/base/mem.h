/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem.h - heap memory that is never NULL.
 *
 * Running out of memory ends the process with a message: allowed because nothing a peer sends can
 * make an allocation large; every size has a configured ceiling. Any thread.
 */
#ifndef CONF_BASE_MEM_H
#define CONF_BASE_MEM_H

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

#endif
