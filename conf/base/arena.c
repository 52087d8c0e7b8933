/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.c - chunks that are filled from one end and dropped together.
 */
#include "conf/base/arena.h"

#include <stdarg.h>
#include <stdio.h>

#include "conf/base/mem.h"

#define ALIGNMENT     16
#define FIRST_CHUNK   ((size_t)2048)
#define LARGEST_CHUNK ((size_t)1 << 20)

#define FREED_AT_ONCE ((size_t)1 << 20)

struct arena_chunk {
    struct arena_chunk *older;
    size_t size; /* of the block, this head included */
    _Alignas(ALIGNMENT) char bytes[];
};

void arena_init(struct arena *arena, size_t ceiling)
{
    *arena = (struct arena){ .ceiling = ceiling, .next_chunk = FIRST_CHUNK };
}

void arena_lend(struct arena *arena, void *memory, size_t size)
{
    MUST(arena->at == NULL);
    size_t lost = (size_t)(-(uintptr_t)memory % ALIGNMENT);
    if (size <= lost)
        return;
    arena->at = (char *)memory + lost;
    arena->end = (char *)memory + size;
}

void arena_reset(struct arena *arena)
{
    while (arena->chunks != NULL) {
        struct arena_chunk *chunk = arena->chunks;
        arena->chunks = chunk->older;
        MEM_BLOCK_FREE(&chunk, chunk->size);
    }
    arena_init(arena, arena->ceiling);
}

bool arena_reset_some(struct arena *arena)
{
    size_t freed = 0;
    while (arena->chunks != NULL && freed < FREED_AT_ONCE) {
        struct arena_chunk *chunk = arena->chunks;
        freed += chunk->size;
        arena->chunks = chunk->older;
        MEM_BLOCK_FREE(&chunk, chunk->size);
    }
    if (arena->chunks != NULL)
        return true;
    arena_init(arena, arena->ceiling);
    return false;
}

static char *add_chunk(struct arena *arena, size_t size)
{
    size_t whole = sizeof(struct arena_chunk) + size;
    struct arena_chunk *chunk = mem_block_resize(NULL, 0, whole);
    chunk->size = whole;
    chunk->older = arena->chunks;
    arena->chunks = chunk;
    return chunk->bytes;
}

/* `size` is rounded. What fills a chunk by itself gets its own, and the current one stays. */
static void *alloc_beyond(struct arena *arena, size_t size)
{
    if (size >= arena->next_chunk)
        return add_chunk(arena, size);
    size_t chunk = arena->next_chunk;
    char *bytes = add_chunk(arena, chunk);
    arena->at = bytes + size;
    arena->end = bytes + chunk;
    if (arena->next_chunk < LARGEST_CHUNK)
        arena->next_chunk *= 2;
    return bytes;
}

void *arena_try_alloc(struct arena *arena, size_t size)
{
    if (UNLIKELY(size > SIZE_MAX / 2))
        return NULL;
    /* At least one unit, so that two allocations never share an address. */
    size_t rounded = (size + (size == 0) + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    size_t allocated = arena->allocated + rounded;
    if (UNLIKELY(allocated > arena->ceiling || allocated < rounded))
        return NULL;
    arena->allocated = allocated;
    if (UNLIKELY((size_t)(arena->end - arena->at) < rounded))
        return alloc_beyond(arena, rounded);
    void *memory = arena->at;
    arena->at += rounded;
    return memory;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    void *memory = arena_try_alloc(arena, size);
    MUST(memory != NULL);
    return memory;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    return memset(arena_alloc(arena, size), 0, size);
}

bool arena_try_copy(struct arena *arena, struct text from, struct text *copy_out)
{
    char *copy = from.length == SIZE_MAX ? NULL : arena_try_alloc(arena, from.length + 1);
    if (copy == NULL)
        return false;
    if (from.length > 0)
        memcpy(copy, from.at, from.length);
    copy[from.length] = '\0';
    *copy_out = text_from(copy, from.length);
    return true;
}

struct text arena_copy(struct arena *arena, struct text from)
{
    struct text copy = TEXT_EMPTY;
    bool copied = arena_try_copy(arena, from, &copy);
    MUST(copied);
    return copy;
}

struct text arena_print(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    MUST(length >= 0);

    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text_from(text, (size_t)length);
}
