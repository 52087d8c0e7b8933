/* SPDX-License-Identifier: Apache-2.0 */
/*
 * balancer.c - who may be chosen at all, and in which order tiers are looked at.
 */
#include "gatewayd/route/balancer_private.h"

#define DRAWS_MAX 6 /* blind draws before all members are looked at */
#define RACES_MAX 8 /* seats lost to other workers before the target counts as full */

uint64_t balancer_random_next(struct balancer_random *r)
{
    uint64_t x = r->state;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    r->state = x;
    return x * 0x2545f4914f6cdd1du;
}

static bool is_avoided(const struct balancer_ask *ask, const struct target *target)
{
    for (unsigned i = 0; i < ask->avoid_count; i++) {
        if (ask->avoid[i] == target)
            return true;
    }
    return false;
}

static bool is_full(const struct fleet *fleet, const struct target *target)
{
    int64_t maximum = fleet->upstream->max_connections;

    return maximum > 0 &&
           atomic_load_explicit(&target->in_flight, memory_order_relaxed) >= (uint64_t)maximum;
}

bool balancer_can_take(const struct balancer_look *look, const struct member *m)
{
    return target_is_serving(m->target, look->ask->now) && !is_full(look->fleet, m->target) &&
           (look->takes_avoided || !is_avoided(look->ask, m->target));
}

unsigned balancer_weight(const struct balancer_look *look, const struct member *m)
{
    return m->weight * target_share(m->target, look->ask->now, look->fleet->upstream->slow_start);
}

/* ---- drawing by weight ---- */

static const struct member *draw_blindly(const struct balancer_look *look, uint64_t random)
{
    const struct fleet_tier *tier = look->tier;
    const struct member *members = look->fleet->members + tier->first;
    uint32_t number = (uint32_t)(random >> 32);
    unsigned low = 0;
    unsigned high = tier->count - 1;

    if (tier->is_even)
        return &members[(uint64_t)number * tier->count >> 32];
    number = (uint32_t)((uint64_t)number * tier->weight >> 32);
    while (low < high) {
        unsigned middle = low + (high - low) / 2;

        if (number < members[middle].until)
            high = middle;
        else
            low = middle + 1;
    }
    return &members[low];
}

/* One that starts slowly is taken as often as its share says. */
static bool accept_share(const struct balancer_look *look, const struct member *m)
{
    unsigned share = target_share(m->target, look->ask->now, look->fleet->upstream->slow_start);

    return share >= 1000 || balancer_random_next(look->ask->random) % 1000 < share;
}

static const struct member *draw_from_all(const struct balancer_look *look)
{
    const struct member *members = look->fleet->members + look->tier->first;
    const struct member *chosen = NULL;
    uint64_t total = 0;

    for (unsigned i = 0; i < look->tier->count; i++) {
        unsigned weight;

        if (!balancer_can_take(look, &members[i]))
            continue;
        weight = balancer_weight(look, &members[i]);
        total += weight;
        if (balancer_random_next(look->ask->random) % total < weight)
            chosen = &members[i];
    }
    return chosen;
}

const struct member *balancer_draw(const struct balancer_look *look)
{
    for (unsigned i = 0; i < DRAWS_MAX; i++) {
        const struct member *m = draw_blindly(look, balancer_random_next(look->ask->random));

        if (balancer_can_take(look, m) && accept_share(look, m))
            return m;
    }
    return draw_from_all(look);
}

/* ---- tiers ---- */

static balancer_choose_fn *choose_fn(const struct balancer_look *look)
{
    switch (look->fleet->upstream->balance) {
    case UPSTREAM_ROUND_ROBIN:
        return balancer_round_robin_choose;
    case UPSTREAM_LEAST_REQUESTS:
        return balancer_least_requests_choose;
    case UPSTREAM_HASH:
        if (look->ask->has_key)
            return balancer_hash_choose;
        break;
    case UPSTREAM_RANDOM_TWO:
        break;
    }
    return balancer_random_two_choose;
}

static struct target *pick_from(const struct fleet *fleet, const struct fleet_tier *tier,
                                const struct balancer_ask *ask, bool takes_avoided)
{
    struct balancer_look look = { fleet, tier, ask, takes_avoided };

    if (tier->count == 0)
        return NULL;
    for (unsigned i = 0; i < RACES_MAX; i++) {
        const struct member *m = choose_fn(&look)(&look);

        if (m == NULL)
            return NULL;
        if (target_try_take(m->target, (unsigned)fleet->upstream->max_connections))
            return target_ref(m->target);
    }
    return NULL;
}

static enum balancer_outcome explain_none(const struct fleet *fleet, const struct balancer_ask *ask)
{
    unsigned count = fleet->primaries.count + fleet->backups.count;

    if (count == 0)
        return BALANCER_NO_TARGET;
    for (unsigned i = 0; i < count; i++) {
        if (target_is_serving(fleet->members[i].target, ask->now))
            return BALANCER_ALL_FULL;
    }
    return BALANCER_ALL_DOWN;
}

enum balancer_outcome balancer_pick(const struct fleet *fleet, const struct balancer_ask *ask,
                                    struct target **target_out)
{
    struct target *target = pick_from(fleet, &fleet->primaries, ask, false);

    if (target == NULL)
        target = pick_from(fleet, &fleet->backups, ask, false);
    if (target == NULL && ask->avoid_count > 0)
        target = pick_from(fleet, &fleet->primaries, ask, true);
    if (target == NULL && ask->avoid_count > 0)
        target = pick_from(fleet, &fleet->backups, ask, true);
    if (target == NULL)
        return explain_none(fleet, ask);
    *target_out = target;
    return BALANCER_PICKED;
}
