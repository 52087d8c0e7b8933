/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map.c - linear probing over a power of two of entries, at most three quarters used.
 *
 * Growing makes a second array. A large first one is emptied by what is set later, a few entries at
 * a time, and looked into as long as it is there; what was moved is marked removed in it. When it
 * is empty its memory is given back, a piece at a time as well.
 */
#include "conf/base/map.h"

#include "conf/base/mem.h"

#define FIRST_SIZE ((size_t)8)
#define REMOVED    SIZE_MAX

/* Arrays up to this size are moved in one go. */
#define SMALL      ((size_t)1024)
#define MOVES      16
#define FREE_EVERY 64 /* sets between two pieces given back */

void map_init(struct map *m)
{
    *m = (struct map){ 0 };
}

static size_t old_bytes(const struct map *m)
{
    return m->old_size > 0 ? m->old_size * sizeof(*m->old) : m->old_bytes;
}

void map_fini(struct map *m)
{
    MEM_BLOCK_FREE(&m->entries, m->size * sizeof(*m->entries));
    MEM_BLOCK_FREE(&m->old, old_bytes(m));
    map_init(m);
}

bool map_fini_some(struct map *m)
{
    size_t bytes = m->size * sizeof(*m->entries);
    if (m->old != NULL) {
        m->old_bytes = old_bytes(m);
        m->old_size = m->old_moved = 0;
        MEM_BLOCK_FREE_SOME(&m->old, &m->old_bytes);
        return true;
    }
    if (MEM_BLOCK_FREE_SOME(&m->entries, &bytes)) {
        m->size = bytes / sizeof(*m->entries);
        return true;
    }
    map_init(m);
    return false;
}

static bool is_free(const struct map_entry *e)
{
    return e->key.at == NULL;
}

static bool is_removed(const struct map_entry *e)
{
    return e->key.length == REMOVED;
}

/* The entry of `key`, or NULL. A removed entry's key has a length that no text has. There is always
 * a free one. */
static struct map_entry *find_among(struct map_entry *entries, size_t size, struct text key,
                                    uint64_t hash)
{
    if (size == 0)
        return NULL;
    for (size_t i = hash & (size - 1);; i = (i + 1) & (size - 1)) {
        struct map_entry *e = &entries[i];
        if (is_free(e))
            return NULL;
        if (e->hash == hash && text_equals(e->key, key))
            return e;
    }
}

static struct map_entry *find_entry(const struct map *m, struct text key, uint64_t hash)
{
    struct map_entry *e = find_among(m->entries, m->size, key, hash);
    return e != NULL ? e : find_among(m->old, m->old_size, key, hash);
}

/* The first entry on the key's way that is free: the key is not in the map. */
static struct map_entry *find_free(const struct map *m, uint64_t hash)
{
    size_t i = hash & (m->size - 1);
    while (!is_free(&m->entries[i]))
        i = (i + 1) & (m->size - 1);
    return &m->entries[i];
}

/* ---- growing ---- */

static void mark_removed(struct map_entry *e)
{
    *e = (struct map_entry){ .key = { "", REMOVED } };
}

static void move_some(struct map *m, size_t most)
{
    MUST(m->old != NULL || m->old_size == 0);
    for (; m->old_moved < m->old_size && most > 0; m->old_moved++, most--) {
        struct map_entry *e = &m->old[m->old_moved];
        if (is_free(e) || is_removed(e))
            continue;
        *find_free(m, e->hash) = *e;
        m->used++;
        mark_removed(e);
    }
    if (m->old_size == 0 || m->old_moved < m->old_size)
        return;
    m->old_bytes = old_bytes(m);
    m->old_size = m->old_moved = 0;
    if (m->old_bytes <= SMALL * sizeof(*m->old)) {
        MEM_BLOCK_FREE(&m->old, m->old_bytes);
        m->old_bytes = 0;
    }
}

/* A step of what is left to do of growing. */
static void go_on(struct map *m)
{
    if (m->old_size > 0)
        move_some(m, MOVES + MOVES * (m->old_size / m->size));
    else if (m->count % FREE_EVERY == 0)
        MEM_BLOCK_FREE_SOME(&m->old, &m->old_bytes);
}

/* A new array without the removed entries, at most half used when all are in it. */
static void grow(struct map *m)
{
    size_t size = FIRST_SIZE;
    move_some(m, SIZE_MAX);
    MEM_BLOCK_FREE(&m->old, old_bytes(m));
    while (size < (m->count + 1) * 2)
        size *= 2;
    m->old = m->entries;
    m->old_size = m->size;
    m->old_moved = m->old_bytes = 0;
    m->entries = mem_block_new(size * sizeof(*m->entries));
    m->size = size;
    m->used = 0;
    if (m->old_size <= SMALL)
        move_some(m, SIZE_MAX);
}

/* ---- the rest ---- */

void *map_find(const struct map *m, struct text key)
{
    if (m->count == 0)
        return NULL;
    const struct map_entry *e = find_entry(m, key, text_hash(key));
    return e == NULL ? NULL : e->value;
}

void *map_set(struct map *m, struct text key, void *value)
{
    MUST(value != NULL);
    /* A key without bytes may come without an address; an entry in use has one. */
    if (key.at == NULL)
        key = TEXT_OF("");
    uint64_t hash = text_hash(key);
    struct map_entry *e = find_entry(m, key, hash);
    if (e != NULL) {
        void *was = e->value;
        *e = (struct map_entry){ hash, key, value };
        return was;
    }
    if (m->old != NULL)
        go_on(m);
    if ((m->used + 1) * 4 > m->size * 3)
        grow(m);
    *find_free(m, hash) = (struct map_entry){ hash, key, value };
    m->count++;
    m->used++;
    return NULL;
}

void *map_remove(struct map *m, struct text key)
{
    struct map_entry *e = find_entry(m, key, text_hash(key));
    if (e == NULL)
        return NULL;
    void *was = e->value;
    mark_removed(e);
    m->count--;
    return was;
}

bool map_next(const struct map *m, size_t *position, struct map_entry **entry_out)
{
    while (*position < m->size + m->old_size) {
        size_t i = (*position)++;
        struct map_entry *e = i < m->size ? &m->entries[i] : &m->old[i - m->size];
        if (!is_free(e) && !is_removed(e)) {
            *entry_out = e;
            return true;
        }
    }
    return false;
}
