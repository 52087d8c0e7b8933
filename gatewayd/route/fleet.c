/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fleet.c - putting a fleet together.
 */
#include "gatewayd/route/fleet.h"

#include <stdlib.h>

#include "conf/base/mem.h"
#include "gatewayd/net/tls.h"
#include "gatewayd/route/balancer.h"

struct fleet *fleet_new(struct resource *resource, unsigned slot, unsigned workers,
                        struct tls_client *tls)
{
    struct fleet *fleet = mem_new(sizeof(*fleet));

    MUST(resource->kind == RESOURCE_UPSTREAM);
    fleet->count = 1;
    fleet->resource = resource_ref(resource);
    fleet->upstream = resource->upstream;
    fleet->name = resource->upstream->name;
    fleet->slot = slot;
    fleet->worker_count = workers;
    fleet->tls = tls == NULL ? NULL : tls_client_ref(tls);
    fleet->metrics = metrics_block_new(METRICS_UPSTREAM, &fleet->name);
    return fleet;
}

void fleet_add(struct fleet *fleet, struct target *target, const struct upstream_target *configured)
{
    struct member *member;

    if (fleet_find(fleet, target) != NULL) {
        target_unref(&target);
        return;
    }
    fleet->members =
        mem_resize(fleet->members, (fleet->member_count + 1) * sizeof(*fleet->members));
    member = &fleet->members[fleet->member_count++];
    *member = (struct member){ .target = target,
                               .weight = configured->drain ? 0 : (unsigned)configured->weight,
                               .is_drained = configured->drain,
                               .is_backup = configured->backup };
}

static unsigned tier_of(const struct member *m)
{
    return m->weight == 0 ? 2 : m->is_backup;
}

/* By tier, then by identity: the same order on every node. */
static int compare_members(const void *a, const void *b)
{
    const struct member *x = a;
    const struct member *y = b;

    if (tier_of(x) != tier_of(y))
        return tier_of(x) < tier_of(y) ? -1 : 1;
    return strcmp(x->target->identity, y->target->identity);
}

static struct fleet_tier make_tier(struct fleet *fleet, unsigned first, unsigned tier)
{
    struct fleet_tier t = { .first = first, .is_even = true };

    for (unsigned i = first; i < fleet->member_count; i++) {
        struct member *m = &fleet->members[i];

        if (tier_of(m) != tier)
            break;
        t.count++;
        t.weight += m->weight;
        t.is_even &= m->weight == fleet->members[first].weight;
        m->until = t.weight;
    }
    return t;
}

void fleet_seal(struct fleet *fleet, const struct fleet *old, int64_t now)
{
    if (fleet->member_count > 0)
        qsort(fleet->members, fleet->member_count, sizeof(*fleet->members), compare_members);
    fleet->primaries = make_tier(fleet, 0, 0);
    fleet->backups = make_tier(fleet, fleet->primaries.count, 1);
    if (fleet->upstream->balance == UPSTREAM_ROUND_ROBIN)
        fleet->turns = balancer_turns_new(fleet);
    for (unsigned i = 0; old != NULL && i < fleet->member_count; i++) {
        const struct member *m = &fleet->members[i];
        const struct member *was = fleet_find(old, m->target);

        if (was != NULL && was->weight == 0 && m->weight > 0)
            atomic_store_explicit(&m->target->serving_since, now, memory_order_relaxed);
    }
}

struct fleet *fleet_ref(struct fleet *fleet)
{
    fleet->count++;
    return fleet;
}

void fleet_unref(struct fleet **fleet)
{
    struct fleet *f = *fleet;

    *fleet = NULL;
    if (f == NULL || --f->count > 0)
        return;
    for (unsigned i = 0; i < f->member_count; i++)
        target_unref(&f->members[i].target);
    if (f->tls != NULL)
        tls_client_unref(&f->tls);
    balancer_turns_free(&f->turns);
    metrics_block_unref(&f->metrics);
    resource_unref(&f->resource);
    MEM_FREE(&f->members);
    MEM_FREE(&f);
}

const struct member *fleet_find(const struct fleet *fleet, const struct target *target)
{
    for (unsigned i = 0; i < fleet->member_count; i++) {
        if (fleet->members[i].target == target)
            return &fleet->members[i];
    }
    return NULL;
}
