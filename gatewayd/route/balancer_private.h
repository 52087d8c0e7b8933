/* SPDX-License-Identifier: Apache-2.0 */
/*
 * balancer_private.h - between balancer.c and one file for each way to choose.
 */
#ifndef GATEWAYD_ROUTE_BALANCER_PRIVATE_H
#define GATEWAYD_ROUTE_BALANCER_PRIVATE_H

#include "gatewayd/route/balancer.h"

/* What one look at a tier needs. */
struct balancer_look {
    const struct fleet *fleet;
    const struct fleet_tier *tier;
    const struct balancer_ask *ask;
    bool takes_avoided; /* nobody else is left */
};

/* May this one get the request? */
bool balancer_can_take(const struct balancer_look *look, const struct member *m);

/* Weight times the share of a slow start: 100 to 256 000. */
unsigned balancer_weight(const struct balancer_look *look, const struct member *m);

/* A random one of those that can take it, by weight; NULL when none can. */
const struct member *balancer_draw(const struct balancer_look *look);

/* Each: the chosen member of the tier, or NULL when none can take the request. */
typedef const struct member *balancer_choose_fn(const struct balancer_look *look);
balancer_choose_fn balancer_round_robin_choose;
balancer_choose_fn balancer_least_requests_choose;
balancer_choose_fn balancer_random_two_choose;
balancer_choose_fn balancer_hash_choose;

#endif
