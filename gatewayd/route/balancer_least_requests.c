/* SPDX-License-Identifier: Apache-2.0 */
/*
 * balancer_least_requests.c - the one with the fewest requests for its weight; of several, a random
 * one by weight.
 */
#include "gatewayd/route/balancer_private.h"

const struct member *balancer_least_requests_choose(const struct balancer_look *look)
{
    const struct member *members = look->fleet->members + look->tier->first;
    const struct member *best = NULL;
    uint64_t best_load = 0;
    uint64_t best_weight = 1;
    uint64_t equals = 0; /* weight of those as good as the best */

    for (unsigned i = 0; i < look->tier->count; i++) {
        uint64_t load;
        uint64_t weight;

        if (!balancer_can_take(look, &members[i]))
            continue;
        load = atomic_load_explicit(&members[i].target->in_flight, memory_order_relaxed);
        weight = balancer_weight(look, &members[i]);
        if (best != NULL && load * best_weight > best_load * weight)
            continue;
        if (best == NULL || load * best_weight < best_load * weight)
            equals = 0;
        equals += weight;
        if (balancer_random_next(look->ask->random) % equals < weight) {
            best = &members[i];
            best_load = load;
            best_weight = weight;
        }
    }
    return best;
}
