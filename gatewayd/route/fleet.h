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
    bool is_drained;
    bool is_backup;
};

struct fleet {
    unsigned count;
    struct resource *resource; /* counted */
    const struct upstream *upstream;
    struct text name;
    unsigned slot;          /* where it is in a snapshot; the same as long as the name is there */
    struct tls_client *tls; /* NULL: plain. Counted */
    struct member *members; /* those with weight first: primaries, then backups, then the rest */
    unsigned primary_count;
    unsigned backup_count;
    unsigned member_count;        /* all */
    bool has_equal_weights;       /* of the primaries */
    struct balancer_turns *turns; /* round_robin: one for each worker, else NULL */
    unsigned worker_count;
    struct metrics_block *metrics; /* METRICS_UPSTREAM */
};

#endif
