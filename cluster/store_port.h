/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_port.h - for those who implement store.h: one table of functions each.
 */
#ifndef CLUSTER_STORE_PORT_H
#define CLUSTER_STORE_PORT_H

#include "cluster/store.h"

/* Each as its namesake in store.h. */
struct store_type {
    const char *name;
    struct resources *(*resources)(const struct store *s);
    uint64_t (*revision)(const struct store *s);
    uint64_t (*config_tag)(const struct store *s);
    bool (*is_loading)(const struct store *s);
    struct store_status (*status)(const struct store *s);
    void (*commit)(struct store *s, struct store_commit *commit);
    void (*confirm)(struct store *s, struct store_confirm *confirm);
    void (*revoke)(struct store *s, struct store_revoke *revoke);
    size_t (*list_unshared)(struct store *s, struct store_revocation *items, size_t size);
    size_t (*list_entries)(const struct store *s, uint64_t before, size_t size,
                           struct store_entry *entries_out);
    uint64_t (*oldest_revision)(const struct store *s);
    void (*wait)(struct store *s, struct store_waiter *w, uint64_t after);
    void (*read_entry)(struct store *s, uint64_t revision, store_entry_fn *done, void *arg);
};

/* Embedded first in an implementation. */
struct store {
    const struct store_type *type;
};

/* What a store knows is loaded while the loop runs, in slices: a service's `start` begins it, the
 * node is "starting" meanwhile (gatewayd/service.h), reads and writes through the admin API are
 * answered 503. `ps`: why it cannot be had (the process ends then); empty: it is loaded. Called
 * once, from the loop, never from inside the call that began it; not after the store was stopped
 * or freed. `ps` is borrowed for the call. */
typedef void store_loaded_fn(void *arg, const struct problems *ps);

/* Makes it the store of this process (NULL: none). */
void store_set(struct store *s);

/* The tag of what an entry changed. */
uint64_t store_tag_of(const struct entry_id *id);

#endif
