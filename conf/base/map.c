/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map.c - linear probing over a power of two of entries, at most three quarters used.
 */
#include "conf/base/map.h"

#include "conf/base/mem.h"

#define FIRST_SIZE ((size_t)8)
#define REMOVED    SIZE_MAX

void map_init(struct map *m)
{
    *m = (struct map){ 0 };
}

void map_fini(struct map *m)
{
    MEM_FREE(&m->entries);
    map_init(m);
}

static bool is_free(const struct map_entry *e)
{
    return e->key.at == NULL;
}

static bool is_removed(const struct map_entry *e)
{
    return e->key.length == REMOVED;
}

/* The entry of `key`, or NULL. A removed entry's key has a length that no text has. */
static struct map_entry *find_entry(const struct map *m, struct text key, uint64_t hash)
{
    if (m->size == 0)
        return NULL;
    for (size_t i = hash & (m->size - 1);; i = (i + 1) & (m->size - 1)) {
        struct map_entry *e = &m->entries[i];
        if (is_free(e))
            return NULL;
        if (e->hash == hash && text_equals(e->key, key))
            return e;
    }
}

/* The first entry on the key's way that is free: the key is not in the map. */
static struct map_entry *find_free(const struct map *m, uint64_t hash)
{
    size_t i = hash & (m->size - 1);
    while (!is_free(&m->entries[i]))
        i = (i + 1) & (m->size - 1);
    return &m->entries[i];
}

/* A new array without the removed entries, at most half used. */
static void rebuild(struct map *m)
{
    struct map old = *m;
    size_t size = FIRST_SIZE;
    while (size < (old.count + 1) * 2)
        size *= 2;
    m->entries = mem_new_array(size, sizeof(*m->entries));
    m->size = size;
    m->used = old.count;

    struct map_entry *e;
    for (size_t i = 0; map_next(&old, &i, &e);)
        *find_free(m, e->hash) = *e;
    MEM_FREE(&old.entries);
}

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
    if ((m->used + 1) * 4 > m->size * 3)
        rebuild(m);
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
    *e = (struct map_entry){ .key = { "", REMOVED } };
    m->count--;
    return was;
}

bool map_next(const struct map *m, size_t *position, struct map_entry **entry_out)
{
    while (*position < m->size) {
        struct map_entry *e = &m->entries[(*position)++];
        if (!is_free(e) && !is_removed(e)) {
            *entry_out = e;
            return true;
        }
    }
    return false;
}
