/* SPDX-License-Identifier: Apache-2.0 */
/*
 * balancer_random_two.c - of two drawn by weight the one with fewer requests for its weight: nearly
 * as even as looking at all, and no herd runs to the same one.
 */
#include "gatewayd/route/balancer_private.h"

#define SECOND_DRAWS 3

static uint64_t load_of(const struct member *m)
{
    return atomic_load_explicit(&m->target->in_flight, memory_order_relaxed);
}

const struct member *balancer_random_two_choose(const struct balancer_look *look)
{
    const struct member *first = balancer_draw(look);
    const struct member *second = first;

    if (first == NULL || look->tier->count == 1)
        return first;
    for (unsigned i = 0; i < SECOND_DRAWS && second == first; i++)
        second = balancer_draw(look);
    if (second == NULL)
        return first;
    if (load_of(second) * balancer_weight(look, first) <
        load_of(first) * balancer_weight(look, second))
        return second;
    return first;
}
