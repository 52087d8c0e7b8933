/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fleet.h - one upstream, compiled: its settings and the targets that its addresses stand for.
 *
 * A piece of a snapshot. When a name resolves to other addresses, control makes a new fleet with
 * the same settings and publishes a snapshot that differs in this piece only: workers learn of it
 * as of any other change, and need no other way.
 *
 * Lifetime: counted on the control thread, by snapshots. Immutable, but for balancer_turns, which
 * belong to one worker each. An exchange that has let go of its snapshot keeps only a target.
 */
#ifndef GATEWAYD_ROUTE_FLEET_H
#define GATEWAYD_ROUTE_FLEET_H

#include "conf/resource.h"
#include "conf/upstream.h"
#include "gatewayd/core/metrics.h"
#include "gatewayd/route/target.h"

struct tls_client;
struct balancer_turns;

struct member {
    struct target *target; /* counted */
    unsigned weight;       /* 0: gets no new requests (weight 0 or drain) */
    unsigned until;        /* sum of the weights of its tier up to and with this one */
    bool is_drained;
    bool is_backup;
};

/* Members that are chosen from together: primaries, or backups. */
struct fleet_tier {
    unsigned first;
    unsigned count;
    unsigned weight; /* of all */
    bool is_even;    /* all have the same weight */
};

struct fleet {
    unsigned count;
    struct resource *resource; /* counted */
    const struct upstream *upstream;
    struct text name;
    unsigned slot;          /* where it is in a snapshot; the same as long as the name is there */
    struct tls_client *tls; /* NULL: plain. Counted */
    struct member *members; /* those with weight first: primaries, then backups, then the rest */
    unsigned member_count;  /* all */
    struct fleet_tier primaries;
    struct fleet_tier backups;
    struct balancer_turns *turns; /* round_robin, else NULL */
    unsigned worker_count;
    struct metrics_block *metrics; /* METRICS_UPSTREAM */
};

/* ---- making: control thread ---- */

/* Takes counts of resource and tls (may be NULL). Members are added, then it is sealed. */
struct fleet *fleet_new(struct resource *resource, unsigned slot, unsigned workers,
                        struct tls_client *tls);

/* The caller's count of `target` goes over to the fleet. One that is there already (two names for
 * one address are two targets; one name twice is not) is given back. */
void fleet_add(struct fleet *fleet, struct target *target,
               const struct upstream_target *configured);

/* Sorts and is done. `old` (may be NULL) is what this one takes the place of: a target that got no
 * requests there and gets some now starts slowly. */
void fleet_seal(struct fleet *fleet, const struct fleet *old, int64_t now);

struct fleet *fleet_ref(struct fleet *fleet);
void fleet_unref(struct fleet **fleet);

/* NULL if it is no member. Any thread that holds the snapshot. */
const struct member *fleet_find(const struct fleet *fleet, const struct target *target);

#endif
