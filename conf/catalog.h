/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog.h - a sorted sequence of (key, resource) that is cheap to copy and change: counted
 * chunks under one spine, the unchanged chunks being shared between versions.
 *
 * Entries are ordered by key, then by the resource's name; both together are unique. A catalog
 * holds a count of each resource; keys are borrowed from the resource (or one it replaces by an
 * equal text) and live as long. One thread changes a catalog; sharing chunks between threads is
 * safe because only a chunk with a single owner is changed in place.
 */
#ifndef CONF_CATALOG_H
#define CONF_CATALOG_H

#include "conf/resource.h"

struct catalog_entry {
    struct text key;
    struct resource *resource;
};

struct catalog_chunk;

/* No chunk is empty. */
struct catalog {
    struct catalog_chunk **chunks;
    size_t chunk_count;
    size_t room; /* of chunks */
    size_t count;
};

void catalog_init(struct catalog *c);
void catalog_fini(struct catalog *c);

/* Chunks that no other catalog has: what catalog_fini will free. */
size_t catalog_count_sole(const struct catalog *c);

/* A part of catalog_fini: lets go of some chunks; false when there was none left. Nothing can be
 * found in it any more. */
bool catalog_fini_some(struct catalog *c);

/* A copy that shares all chunks. */
void catalog_copy(const struct catalog *from, struct catalog *copy_out);

/* Adds, or replaces the entry of the same key and name. Takes its own count. */
void catalog_set(struct catalog *c, struct text key, struct resource *resource);
bool catalog_remove(struct catalog *c, struct text key, struct text name);

/* Where an entry is, or would be: chunk and index. */
struct catalog_place {
    size_t chunk;
    size_t index;
};

/* The first entry whose key and name are not smaller. */
struct catalog_place catalog_find(const struct catalog *c, struct text key, struct text name);

/* The entry at the place, which is moved on; NULL at the end. */
const struct catalog_entry *catalog_next(const struct catalog *c, struct catalog_place *place);

/* If both stand at the start of one shared chunk: moves both behind it. */
bool catalog_skip_shared(const struct catalog *a, struct catalog_place *at_a,
                         const struct catalog *b, struct catalog_place *at_b);

#endif
