/* SPDX-License-Identifier: Apache-2.0 */
/*
 * balancer_hash.c - consistent hashing by rendezvous: each target draws a number from its identity
 * and the key, the best of those that can take the request wins.
 *
 * When a target goes, exactly its keys move, evenly to the others; when it is back, exactly they
 * come back; a changed weight moves what it must and no more. Nodes agree without talking, and
 * there is no table to build. With weights the number u becomes -ln(u) ÷ weight, and the smallest
 * wins: the chances are then as the weights (an exponential race).
 */
#include "gatewayd/route/balancer_private.h"

#include <math.h>

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static const struct member *choose_even(const struct balancer_look *look)
{
    const struct member *members = look->fleet->members + look->tier->first;
    const struct member *best = NULL;
    uint64_t best_number = 0;

    for (unsigned i = 0; i < look->tier->count; i++) {
        uint64_t number = mix(look->ask->key ^ members[i].target->seed);

        if ((best == NULL || number > best_number) && balancer_can_take(look, &members[i])) {
            best = &members[i];
            best_number = number;
        }
    }
    return best;
}

static const struct member *choose_weighted(const struct balancer_look *look)
{
    const struct member *members = look->fleet->members + look->tier->first;
    const struct member *best = NULL;
    double best_time = 0;

    for (unsigned i = 0; i < look->tier->count; i++) {
        uint64_t number = mix(look->ask->key ^ members[i].target->seed);
        double u = ((double)(number >> 11) + 0.5) * 0x1p-53;
        double time = -log(u) / balancer_weight(look, &members[i]);

        if ((best == NULL || time < best_time) && balancer_can_take(look, &members[i])) {
            best = &members[i];
            best_time = time;
        }
    }
    return best;
}

const struct member *balancer_hash_choose(const struct balancer_look *look)
{
    if (look->tier->is_even && look->fleet->upstream->slow_start == 0)
        return choose_even(look);
    return choose_weighted(look);
}
