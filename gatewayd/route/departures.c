/* SPDX-License-Identifier: Apache-2.0 */
/*
 * departures.c - one walk along the slots of two snapshots; only fleets that differ are looked
 * into.
 */
#include "gatewayd/route/departures.h"

#include "conf/base/mem.h"

static void add(struct departures *d, const struct fleet *fleet, const struct member *m)
{
    /* Twice as much room whenever a power of two is reached. */
    if ((d->count & (d->count - 1)) == 0)
        d->items = mem_resize(d->items, (d->count == 0 ? 1 : 2 * d->count) * sizeof(d->items[0]));
    d->items[d->count++] = (struct departure){ m->target, fleet->tls };
}

/* Gets no requests any more, or not over connections like those that are there. */
static bool departs(const struct fleet *before, const struct fleet *after, const struct member *m)
{
    const struct member *now;

    if (after == NULL || after->tls != before->tls)
        return true;
    now = fleet_find(after, m->target);
    return now == NULL || now->weight == 0;
}

void departures_init(struct departures *d, const struct snapshot *before,
                     const struct snapshot *after)
{
    *d = (struct departures){ 0 };
    for (size_t i = 0; before != NULL && i < before->fleet_slots; i++) {
        const struct fleet *was = before->fleets[i];
        const struct fleet *is = i < after->fleet_slots ? after->fleets[i] : NULL;

        if (was == NULL || was == is)
            continue;
        for (unsigned m = 0; m < was->member_count; m++) {
            if (was->members[m].weight > 0 && departs(was, is, &was->members[m]))
                add(d, was, &was->members[m]);
        }
    }
}

void departures_fini(struct departures *d)
{
    MEM_FREE(&d->items);
    d->count = 0;
}
