/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.c - counting and looking into snapshots. Making and freeing them is in
 * snapshot_compiler.c.
 */
#include "gatewayd/route/snapshot.h"

struct snapshot *snapshot_ref(struct snapshot *s)
{
    atomic_fetch_add_explicit(&s->count, 1, memory_order_relaxed);
    return s;
}

void snapshot_unref(struct snapshot **s)
{
    struct snapshot *snapshot = *s;

    *s = NULL;
    if (snapshot == NULL)
        return;
    if (atomic_fetch_sub_explicit(&snapshot->count, 1, memory_order_acq_rel) == 1)
        snapshot->release(snapshot, snapshot->release_arg);
}

const struct fleet *snapshot_find_fleet(const struct snapshot *s, struct text name)
{
    for (size_t i = 0; i < s->fleet_slots; i++) {
        if (s->fleets[i] != NULL && text_equals(s->fleets[i]->name, name))
            return s->fleets[i];
    }
    return NULL;
}

const struct route_piece *snapshot_find_route(const struct snapshot *s, struct text name)
{
    size_t low = 0;
    size_t high = s->route_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = text_compare(s->routes[middle]->route->name, name);

        if (order == 0)
            return s->routes[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
