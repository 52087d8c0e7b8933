/* SPDX-License-Identifier: Apache-2.0 */
/*
 * balancer.h - which target of a fleet gets a request.
 *
 * Only targets with weight that are up, not ejected and below max_connections; backups when no
 * primary is left; the targets to avoid (tried before) only when nothing else is. Nobody left: NULL
 * at once. No locks, no allocation. round_robin goes round for each worker by itself, beginning at
 * a random place; the others look at counts that all workers share.
 *
 * max_connections counts connections that carry a request (seats); idle ones come on top.
 */
#ifndef GATEWAYD_ROUTE_BALANCER_H
#define GATEWAYD_ROUTE_BALANCER_H

#include "gatewayd/route/fleet.h"

#define BALANCER_AVOID_MAX 4

/* A generator of a worker (xorshift); seed it with anything but 0. */
struct balancer_random {
    uint64_t state;
};
uint64_t balancer_random_next(struct balancer_random *r);

struct balancer_ask {
    unsigned worker; /* 0 to fleet->worker_count - 1 */
    int64_t now;     /* monotonic ms */
    struct balancer_random *random;
    bool has_key; /* UPSTREAM_HASH without one: as random_two */
    uint64_t key; /* text_hash_stable of what hash_on says */
    const struct target *avoid[BALANCER_AVOID_MAX];
    unsigned avoid_count;
};

enum balancer_outcome {
    BALANCER_PICKED,
    BALANCER_NO_TARGET, /* the fleet has none, or all have weight 0 or are drained */
    BALANCER_ALL_DOWN,  /* down, ejected, or not checked yet */
    BALANCER_ALL_FULL,  /* those that are up have max_connections */
};

/* BALANCER_PICKED: *target_out has a seat taken for the caller (target_give it when the exchange
 * with it is over) and is counted (target_unref). */
MUST_USE enum balancer_outcome balancer_pick(const struct fleet *fleet,
                                             const struct balancer_ask *ask,
                                             struct target **target_out);

/* Where round robin stands, for each worker: made and freed by the fleet, its tiers known. */
struct balancer_turns *balancer_turns_new(const struct fleet *fleet);
void balancer_turns_free(struct balancer_turns **turns);

#endif
