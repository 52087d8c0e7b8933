/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.h - the compiled configuration that workers run on: router, routes, fleets.
 *
 * Lifetime: counted (atomic): control has one while it is the current one, each worker one (which
 * its exchanges share by a plain counter of the worker). The last snapshot_unref, on whatever
 * thread, calls the release hook, which has to bring the corpse to the control thread, where
 * snapshot_free ends it. Pieces are counted by snapshots on the control thread only.
 *
 * Control drives the compiler from its loop:
 *
 *     snapshot_compiler_begin(c, resources);              // replaces what was being compiled
 *     each turn: switch (snapshot_compiler_step(c, 2 ms)) // MORE: again next turn
 *         WAIT:  nothing to do until a name is resolved (on_ready is called) or a deadline
 *         READY: snapshot_compiler_take(c) → publish, and step again until it is IDLE
 *         FAILED: snapshot_compiler_reason(c) says why
 *
 * on_ready also comes when a name changed its addresses later on: step again, it builds a snapshot
 * of the same resources with other fleets.
 */
#ifndef GATEWAYD_ROUTE_SNAPSHOT_H
#define GATEWAYD_ROUTE_SNAPSHOT_H

#include "conf/resources.h"
#include "gatewayd/route/balancer.h"
#include "gatewayd/route/fleet.h"
#include "gatewayd/route/route_piece.h"
#include "gatewayd/route/router.h"

struct loop;
struct names;
struct resolve;

struct snapshot {
    atomic_uint count;
    struct resources *resources; /* counted */
    struct router *router;
    struct route_piece **routes; /* in the order of names */
    size_t route_count;
    struct fleet **fleets; /* by slot; NULL where a slot is free */
    size_t fleet_slots;
    void (*release)(struct snapshot *snapshot, void *arg);
    void *release_arg;
};

struct snapshot *snapshot_ref(struct snapshot *s); /* any thread that holds a count */
void snapshot_unref(struct snapshot **s);

/* Never NULL for the slots of the snapshot's own routes. */
static inline const struct fleet *snapshot_fleet(const struct snapshot *s, unsigned slot)
{
    MUST(slot < s->fleet_slots && s->fleets[slot] != NULL);
    return s->fleets[slot];
}

/* NULL if there is none. Control thread. */
const struct fleet *snapshot_find_fleet(const struct snapshot *s, struct text name);
const struct route_piece *snapshot_find_route(const struct snapshot *s, struct text name);

/* Control thread, count 0: drops the pieces. */
struct snapshot_compiler;
void snapshot_free(struct snapshot_compiler *c, struct snapshot **s);

/* What higher folders put into pieces. All on the control thread; each may be NULL. */
struct snapshot_hooks {
    void *arg;

    /* Made for a new route piece; let go of when the piece dies. `why` gets a sentence on false. */
    bool (*compile_policy)(void *arg, const struct route *route, void **policy_out,
                           struct builder *why);
    void (*free_policy)(void *arg, void *policy);

    /* The last count of a snapshot is gone: any thread; bring it to control and snapshot_free. */
    void (*release)(struct snapshot *snapshot, void *arg);

    /* There is something to compile (a name was resolved or changed): step again. From the loop. */
    void (*on_ready)(void *arg);
};

struct snapshot_settings {
    unsigned workers;
    struct loop *loop;       /* of control */
    struct resolve *resolve; /* NULL: names are not resolved, their targets are none */
    struct snapshot_hooks hooks;
};

struct snapshot_compiler *snapshot_compiler_new(const struct snapshot_settings *settings);
void snapshot_compiler_free(struct snapshot_compiler **c); /* after its last snapshot */

/* The names of targets, of all that is compiled. */
const struct names *snapshot_compiler_names(const struct snapshot_compiler *c);

enum snapshot_step {
    SNAPSHOT_IDLE,   /* nothing is being compiled */
    SNAPSHOT_MORE,   /* out of time: again next turn */
    SNAPSHOT_WAIT,   /* names of new upstreams are being looked up, for at most 2 s */
    SNAPSHOT_READY,  /* take it */
    SNAPSHOT_FAILED, /* it cannot be compiled: the reason says why; keep the last one */
};

/* Takes its own count. Pieces of the last snapshot taken are used again where the resource is the
 * same. */
void snapshot_compiler_begin(struct snapshot_compiler *c, struct resources *resources);
enum snapshot_step snapshot_compiler_step(struct snapshot_compiler *c, int64_t budget_us);
struct snapshot *snapshot_compiler_take(struct snapshot_compiler *c); /* with one count */
struct text snapshot_compiler_reason(const struct snapshot_compiler *c);

/* The files that TLS contexts were read from may have changed (SIGHUP): the next snapshot reads
 * them again. */
void snapshot_compiler_reread_files(struct snapshot_compiler *c);

struct target_table *snapshot_compiler_targets(struct snapshot_compiler *c);

#endif
