/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem.c - the heap, checked once here instead of at every caller.
 */
#include "conf/base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/base/must.h"

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
