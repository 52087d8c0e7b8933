/* SPDX-License-Identifier: Apache-2.0 */
#include "gatewayd/policy/ordered.h"

#include <string.h>

#include "conf/base/mem.h"

#define CHUNK 512

void ordered_init(struct ordered *o, ordered_compare_fn *compare, const void *arg)
{
    *o = (struct ordered){ .compare = compare, .arg = arg };
}

void ordered_fini(struct ordered *o)
{
    for (size_t i = 0; i < o->count; i++)
        MEM_FREE(&o->chunks[i].numbers);
    MEM_FREE(&o->chunks);
}

static bool is_at_most(const struct ordered *o, uint32_t number, const void *key)
{
    return o->compare(o->arg, key, number) >= 0;
}

/* The last chunk that begins at or before the key, or the first. There is at least one. */
static size_t find_chunk(const struct ordered *o, const void *key)
{
    size_t low = 0;
    size_t high = o->count;
    if (is_at_most(o, o->chunks[high - 1].numbers[0], key))
        return high - 1;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (is_at_most(o, o->chunks[middle].numbers[0], key))
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* How many of the chunk are at most the key. */
static uint32_t find_place(const struct ordered *o, const struct ordered_chunk *chunk,
                           const void *key)
{
    uint32_t low = 0;
    uint32_t high = chunk->count;
    if (is_at_most(o, chunk->numbers[high - 1], key))
        return high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (is_at_most(o, chunk->numbers[middle], key))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* An empty chunk at position `at`. */
static struct ordered_chunk *open_chunk(struct ordered *o, size_t at)
{
    if (o->count == o->size) {
        o->size = o->size == 0 ? 16 : o->size * 2;
        o->chunks = mem_resize(o->chunks, o->size * sizeof(*o->chunks));
    }
    memmove(&o->chunks[at + 1], &o->chunks[at], (o->count - at) * sizeof(*o->chunks));
    o->chunks[at] = (struct ordered_chunk){ mem_new_array(CHUNK, sizeof(uint32_t)), 0 };
    o->count++;
    return &o->chunks[at];
}

/* Makes room in a full chunk. What is added behind the very last leaves full chunks behind. */
static void split_chunk(struct ordered *o, size_t at, uint32_t place)
{
    bool is_appended = place == CHUNK && at == o->count - 1;
    uint32_t keep = is_appended ? CHUNK - 1 : CHUNK / 2;
    struct ordered_chunk *right = open_chunk(o, at + 1);
    struct ordered_chunk *left = &o->chunks[at];
    right->count = left->count - keep;
    memcpy(right->numbers, left->numbers + keep, right->count * sizeof(uint32_t));
    left->count = keep;
}

void ordered_add(struct ordered *o, const void *key, uint32_t number)
{
    if (o->count == 0) {
        struct ordered_chunk *first = open_chunk(o, 0);
        first->numbers[first->count++] = number;
        return;
    }
    size_t at = find_chunk(o, key);
    uint32_t place = find_place(o, &o->chunks[at], key);
    if (o->chunks[at].count == CHUNK) {
        split_chunk(o, at, place);
        if (place > o->chunks[at].count) {
            place -= o->chunks[at].count;
            at++;
        }
    }
    struct ordered_chunk *chunk = &o->chunks[at];
    memmove(chunk->numbers + place + 1, chunk->numbers + place,
            (chunk->count - place) * sizeof(uint32_t));
    chunk->numbers[place] = number;
    chunk->count++;
}

void ordered_remove(struct ordered *o, const void *key)
{
    MUST(o->count > 0);
    size_t at = find_chunk(o, key);
    struct ordered_chunk *chunk = &o->chunks[at];
    uint32_t place = find_place(o, chunk, key);
    MUST(place > 0 && o->compare(o->arg, key, chunk->numbers[place - 1]) == 0);
    memmove(chunk->numbers + place - 1, chunk->numbers + place,
            (chunk->count - place) * sizeof(uint32_t));
    chunk->count--;
    if (chunk->count > 0)
        return;
    MEM_FREE(&chunk->numbers);
    memmove(chunk, chunk + 1, (o->count - at - 1) * sizeof(*o->chunks));
    o->count--;
}

bool ordered_find(const struct ordered *o, const void *key, uint32_t *number_out)
{
    if (o->count == 0)
        return false;
    const struct ordered_chunk *chunk = &o->chunks[find_chunk(o, key)];
    uint32_t place = find_place(o, chunk, key);
    if (place == 0 || o->compare(o->arg, key, chunk->numbers[place - 1]) != 0)
        return false;
    *number_out = chunk->numbers[place - 1];
    return true;
}

bool ordered_after(const struct ordered *o, const void *key, uint32_t *number_out)
{
    if (o->count == 0)
        return false;
    size_t at = find_chunk(o, key);
    uint32_t place = find_place(o, &o->chunks[at], key);
    if (place == o->chunks[at].count) {
        at++;
        place = 0;
    }
    if (at == o->count)
        return false;
    *number_out = o->chunks[at].numbers[place];
    return true;
}

size_t ordered_bytes(const struct ordered *o)
{
    return o->count * CHUNK * sizeof(uint32_t) + o->size * sizeof(*o->chunks);
}
