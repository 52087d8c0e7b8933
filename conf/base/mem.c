/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem.c - the heap, checked once here instead of at every caller.
 */
#include "conf/base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "conf/base/must.h"

#define PIECE ((size_t)1 << 20)

static NORETURN void out_of_memory(size_t size)
{
    fprintf(stderr, "gatewayd: out of memory asking for %zu bytes\n", size);
    abort();
}

/* malloc(0) and realloc(p, 0) may answer NULL, which is not a failure there. */
static size_t at_least_one(size_t size)
{
    return size == 0 ? 1 : size;
}

void *mem_new(size_t size)
{
    void *memory = calloc(1, at_least_one(size));
    if (memory == NULL)
        out_of_memory(size);
    return memory;
}

void *mem_new_array(size_t count, size_t size)
{
    size_t total;
    MUST(!__builtin_mul_overflow(count, size, &total));
    return mem_new(total);
}

void *mem_resize(void *memory, size_t size)
{
    void *moved = realloc(memory, at_least_one(size));
    if (moved == NULL)
        out_of_memory(size);
    return moved;
}

char *mem_copy_text(const char *from, size_t length)
{
    MUST(length < SIZE_MAX);
    char *copy = malloc(length + 1);
    if (copy == NULL)
        out_of_memory(length + 1);
    if (length > 0)
        memcpy(copy, from, length);
    copy[length] = '\0';
    return copy;
}

void mem_free_at(void **pointer_at)
{
    free(*pointer_at);
    *pointer_at = NULL;
}

/* ---- blocks ---- */

/* Memory that the sanitizers' allocators have not given out is not looked into for leaks. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LARGE SIZE_MAX
#else
#define LARGE PIECE
#endif

static void *map_pages(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        out_of_memory(size);
    return at;
}

void *mem_block_new(size_t size)
{
    return size < LARGE ? mem_new(size) : map_pages(size);
}

/* From the one kind to the other. */
static void *move_block(void *at, size_t size_now, size_t size)
{
    void *moved = size < LARGE ? mem_resize(NULL, size) : map_pages(size);
    if (at != NULL)
        memcpy(moved, at, size_now < size ? size_now : size);
    mem_block_free_at(&at, size_now);
    return moved;
}

void *mem_block_resize(void *at, size_t size_now, size_t size)
{
    bool was_large = size_now >= LARGE;
    bool is_large = size >= LARGE;
    if (!was_large && !is_large)
        return mem_resize(at, size);
    if (!was_large || !is_large)
        return move_block(at, size_now, size);
    void *moved = mremap(at, size_now, size, MREMAP_MAYMOVE);
    if (moved == MAP_FAILED)
        out_of_memory(size);
    return moved;
}

void mem_block_free_at(void **pointer_at, size_t size)
{
    if (*pointer_at != NULL && size >= LARGE) {
        MUST(munmap(*pointer_at, size) == 0);
        *pointer_at = NULL;
    }
    mem_free_at(pointer_at);
}

bool mem_block_free_some_at(void **pointer_at, size_t *size_at)
{
    size_t left = *size_at == 0 ? 0 : (*size_at - 1) / PIECE * PIECE;
    if (*pointer_at == NULL || *size_at < LARGE || left == 0) {
        mem_block_free_at(pointer_at, *size_at);
        *size_at = 0;
        return false;
    }
    MUST(munmap((char *)*pointer_at + left, *size_at - left) == 0);
    *size_at = left;
    return true;
}
