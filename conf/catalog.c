/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/catalog.h"

#include "conf/base/mem.h"

#define CHUNK_SIZE 128
#define FIRST_ROOM 8
#define SOME       2 /* chunks that are let go of at once: 0.1 ms */

struct catalog_chunk {
    atomic_uint count; /* catalogs that hold it */
    unsigned used;
    struct catalog_entry entries[CHUNK_SIZE];
};

void catalog_init(struct catalog *c)
{
    *c = (struct catalog){ NULL, 0, 0, 0 };
}

/* ---- chunks ---- */

static void release_chunk(struct catalog_chunk *chunk)
{
    if (atomic_fetch_sub_explicit(&chunk->count, 1, memory_order_acq_rel) != 1)
        return;
    for (unsigned i = 0; i < chunk->used; i++)
        resource_unref(&chunk->entries[i].resource);
    MEM_FREE(&chunk);
}

static struct catalog_chunk *new_chunk(const struct catalog_entry *entries, unsigned used)
{
    struct catalog_chunk *chunk = mem_resize(NULL, sizeof(*chunk));

    atomic_init(&chunk->count, 1);
    chunk->used = used;
    if (used > 0)
        memcpy(chunk->entries, entries, used * sizeof(*entries));
    return chunk;
}

/* The chunk for changing: our own, copied first if another catalog has it too. */
static struct catalog_chunk *own_chunk(struct catalog *c, size_t index)
{
    struct catalog_chunk *chunk = c->chunks[index];
    struct catalog_chunk *copy;

    if (atomic_load_explicit(&chunk->count, memory_order_acquire) == 1)
        return chunk;
    copy = new_chunk(chunk->entries, chunk->used);
    for (unsigned i = 0; i < copy->used; i++)
        resource_ref(copy->entries[i].resource);
    release_chunk(chunk);
    c->chunks[index] = copy;
    return copy;
}

static void insert_chunk(struct catalog *c, size_t index, struct catalog_chunk *chunk)
{
    if (c->chunk_count == c->room) {
        c->room = c->room == 0 ? FIRST_ROOM : 2 * c->room;
        c->chunks = mem_resize(c->chunks, c->room * sizeof(*c->chunks));
    }
    memmove(&c->chunks[index + 1], &c->chunks[index],
            (c->chunk_count - index) * sizeof(*c->chunks));
    c->chunks[index] = chunk;
    c->chunk_count++;
}

static void remove_chunk(struct catalog *c, size_t index)
{
    release_chunk(c->chunks[index]);
    c->chunk_count--;
    memmove(&c->chunks[index], &c->chunks[index + 1],
            (c->chunk_count - index) * sizeof(*c->chunks));
}

/* ---- catalogs ---- */

void catalog_fini(struct catalog *c)
{
    for (size_t i = 0; i < c->chunk_count; i++)
        release_chunk(c->chunks[i]);
    MEM_FREE(&c->chunks);
    catalog_init(c);
}

size_t catalog_count_sole(const struct catalog *c)
{
    size_t count = 0;

    for (size_t i = 0; i < c->chunk_count; i++)
        count += atomic_load_explicit(&c->chunks[i]->count, memory_order_relaxed) == 1;
    return count;
}

bool catalog_fini_some(struct catalog *c)
{
    if (c->chunk_count == 0) {
        catalog_fini(c);
        return false;
    }
    for (int i = 0; i < SOME && c->chunk_count > 0; i++)
        release_chunk(c->chunks[--c->chunk_count]);
    return true;
}

void catalog_copy(const struct catalog *from, struct catalog *copy_out)
{
    *copy_out = *from;
    copy_out->room = from->chunk_count;
    copy_out->chunks = NULL;
    if (from->chunk_count == 0)
        return;
    copy_out->chunks = mem_resize(NULL, from->chunk_count * sizeof(*from->chunks));
    for (size_t i = 0; i < from->chunk_count; i++) {
        copy_out->chunks[i] = from->chunks[i];
        atomic_fetch_add_explicit(&from->chunks[i]->count, 1, memory_order_relaxed);
    }
}

static int compare(const struct catalog_entry *entry, struct text key, struct text name)
{
    int order = text_compare(entry->key, key);

    return order != 0 ? order : text_compare(entry->resource->name, name);
}

/* The last chunk whose first entry is not larger; 0 if there is none. */
static size_t find_chunk(const struct catalog *c, struct text key, struct text name)
{
    size_t low = 0;
    size_t high = c->chunk_count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (compare(&c->chunks[middle]->entries[0], key, name) <= 0)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static size_t find_index(const struct catalog_chunk *chunk, struct text key, struct text name)
{
    size_t low = 0;
    size_t high = chunk->used;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare(&chunk->entries[middle], key, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct catalog_place catalog_find(const struct catalog *c, struct text key, struct text name)
{
    struct catalog_place place = { 0, 0 };

    if (c->chunk_count == 0)
        return place;
    place.chunk = find_chunk(c, key, name);
    place.index = find_index(c->chunks[place.chunk], key, name);
    return place;
}

static bool is_at(const struct catalog *c, struct catalog_place place, struct text key,
                  struct text name)
{
    if (place.chunk >= c->chunk_count || place.index >= c->chunks[place.chunk]->used)
        return false;
    return compare(&c->chunks[place.chunk]->entries[place.index], key, name) == 0;
}

/* Makes room at the place: a full chunk is halved, or left as it is when adding at its end, so
 * that a sorted load fills chunks. */
static struct catalog_place make_room(struct catalog *c, struct catalog_place place)
{
    struct catalog_chunk *chunk;
    unsigned left;

    if (c->chunk_count == 0) {
        insert_chunk(c, 0, new_chunk(NULL, 0));
        return place;
    }
    if (c->chunks[place.chunk]->used < CHUNK_SIZE)
        return place;
    chunk = own_chunk(c, place.chunk);
    left = place.index == CHUNK_SIZE ? CHUNK_SIZE : CHUNK_SIZE / 2;
    insert_chunk(c, place.chunk + 1, new_chunk(chunk->entries + left, CHUNK_SIZE - left));
    chunk->used = left;
    if (place.index < left)
        return place;
    return (struct catalog_place){ place.chunk + 1, place.index - left };
}

void catalog_set(struct catalog *c, struct text key, struct resource *resource)
{
    const struct catalog_entry entry = { .key = key, .resource = resource_ref(resource) };
    struct catalog_place place = catalog_find(c, key, resource->name);
    struct catalog_chunk *chunk;

    if (is_at(c, place, key, resource->name)) {
        chunk = own_chunk(c, place.chunk);
        resource_unref(&chunk->entries[place.index].resource);
        chunk->entries[place.index] = entry;
        return;
    }
    place = make_room(c, place);
    chunk = own_chunk(c, place.chunk);
    memmove(&chunk->entries[place.index + 1], &chunk->entries[place.index],
            (chunk->used - place.index) * sizeof(entry));
    chunk->entries[place.index] = entry;
    chunk->used++;
    c->count++;
}

bool catalog_remove(struct catalog *c, struct text key, struct text name)
{
    struct catalog_place place = catalog_find(c, key, name);
    struct catalog_chunk *chunk;

    if (!is_at(c, place, key, name))
        return false;
    chunk = own_chunk(c, place.chunk);
    resource_unref(&chunk->entries[place.index].resource);
    chunk->used--;
    memmove(&chunk->entries[place.index], &chunk->entries[place.index + 1],
            (chunk->used - place.index) * sizeof(struct catalog_entry));
    c->count--;
    if (chunk->used == 0)
        remove_chunk(c, place.chunk);
    return true;
}

const struct catalog_entry *catalog_next(const struct catalog *c, struct catalog_place *place)
{
    if (place->chunk < c->chunk_count && place->index >= c->chunks[place->chunk]->used) {
        place->chunk++;
        place->index = 0;
    }
    if (place->chunk >= c->chunk_count)
        return NULL;
    return &c->chunks[place->chunk]->entries[place->index++];
}

/* The start of the next chunk is the end of this one. */
static void settle(const struct catalog *c, struct catalog_place *place)
{
    if (place->chunk < c->chunk_count && place->index >= c->chunks[place->chunk]->used) {
        place->chunk++;
        place->index = 0;
    }
}

bool catalog_skip_shared(const struct catalog *a, struct catalog_place *at_a,
                         const struct catalog *b, struct catalog_place *at_b)
{
    settle(a, at_a);
    settle(b, at_b);
    if (at_a->chunk >= a->chunk_count || at_b->chunk >= b->chunk_count || at_a->index != 0 ||
        at_b->index != 0 || a->chunks[at_a->chunk] != b->chunks[at_b->chunk])
        return false;
    at_a->chunk++;
    at_b->chunk++;
    return true;
}
