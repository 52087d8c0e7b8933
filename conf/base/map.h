/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map.h - a hash table from text to pointer (open addressing, keyed hash).
 *
 * A large one grows bit by bit: no call takes longer than a few microseconds, whatever it holds.
 *
 * Keys are borrowed: they must live as long as the entry. One thread, or read-only by many.
 */
#ifndef CONF_BASE_MAP_H
#define CONF_BASE_MAP_H

#include "conf/base/text.h"

struct map_entry {
    uint64_t hash;
    struct text key; /* at == NULL: free; length SIZE_MAX: removed */
    void *value;
};

struct map {
    struct map_entry *entries;
    size_t size;  /* a power of two, or 0 */
    size_t count; /* old ones included */
    size_t used;  /* of `entries`: in use or removed */

    /* While it grows: where the others are yet. */
    struct map_entry *old;
    size_t old_size;
    size_t old_moved; /* entries before that one have been moved */
    size_t old_bytes; /* left of the block, once all have been moved */
};

void map_init(struct map *m);
void map_fini(struct map *m);
bool map_fini_some(struct map *m); /* about a megabyte of it; true if there is more */
void *map_find(const struct map *m, struct text key); /* NULL if absent */

/* Adds or replaces (key and value); returns the value that was there, or NULL. `value` not NULL. */
void *map_set(struct map *m, struct text key, void *value);
void *map_remove(struct map *m, struct text key); /* the value that was there, or NULL */

/* for (size_t i = 0; map_next(m, &i, &entry);) in no particular order; do not change meanwhile. */
bool map_next(const struct map *m, size_t *position, struct map_entry **entry_out);

#endif
