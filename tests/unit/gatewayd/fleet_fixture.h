/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fleet_fixture.h - a fleet from the JSON of an upstream with literal addresses.
 */
#ifndef TESTS_FLEET_FIXTURE_H
#define TESTS_FLEET_FIXTURE_H

#include "gatewayd/route/balancer.h"
#include "gatewayd/route/fleet.h"

struct fleet_fixture {
    struct target_table table;
    struct fleet *fleet;
    struct balancer_random random;
    int64_t now;
};

/* JSON with ' for ". */
void fleet_fixture_init(struct fleet_fixture *f, const char *json);
void fleet_fixture_fini(struct fleet_fixture *f);
void fleet_fixture_change(struct fleet_fixture *f, const char *json); /* the same targets live on */

/* By its address as written; MUST be there. */
struct target *fleet_fixture_target(struct fleet_fixture *f, const char *address);
void fleet_fixture_set(struct fleet_fixture *f, const char *address, enum target_state state);

/* The address of who gets a request on worker 0, or "none", "down", "full". The seat is given
 * back at once, or kept. */
const char *fleet_fixture_pick(struct fleet_fixture *f);
const char *fleet_fixture_pick_and_keep(struct fleet_fixture *f);
const char *fleet_fixture_pick_key(struct fleet_fixture *f, uint64_t key);
const char *fleet_fixture_pick_other(struct fleet_fixture *f, const char *avoided);

#endif
