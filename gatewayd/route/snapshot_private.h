/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_private.h - the compiler's own records. Only snapshot*.c include it.
 */
#ifndef GATEWAYD_ROUTE_SNAPSHOT_PRIVATE_H
#define GATEWAYD_ROUTE_SNAPSHOT_PRIVATE_H

#include "conf/base/map.h"
#include "gatewayd/core/loop.h"
#include "gatewayd/route/names.h"
#include "gatewayd/route/snapshot.h"

enum snapshot_phase {
    SNAPSHOT_PHASE_IDLE,
    SNAPSHOT_PHASE_UPSTREAMS, /* what upstreams there are, and the names they need */
    SNAPSHOT_PHASE_NAMES,     /* waiting for names that were never answered */
    SNAPSHOT_PHASE_FLEETS,
    SNAPSHOT_PHASE_ROUTES,
    SNAPSHOT_PHASE_ROUTER,
    SNAPSHOT_PHASE_DONE,
};

/* What the compiler knows of one upstream. The slot is the name's until a snapshot without it was
 * taken: pieces of routes that are used again may rely on it. */
struct snapshot_upstream {
    struct resource *resource; /* as it is wanted now; counted */
    uint64_t job;              /* the last one that wants it */
    unsigned slot;
    struct name **names; /* of each configured target; NULL for literals */
    size_t name_count;
    uint64_t names_version; /* sum of those the fleet was made of */
    uint64_t files_version;
    struct fleet *fleet; /* the last one made; counted */
};

struct snapshot_compiler {
    struct snapshot_settings settings;
    struct target_table targets;
    struct names *names;
    struct map upstreams; /* name of the resource → struct snapshot_upstream */
    unsigned char *slots; /* 1: taken */
    size_t slot_count;
    struct snapshot *last; /* counted */
    bool names_changed;
    bool is_for_names; /* the job is only because of them */
    uint64_t files_version;

    struct snapshot_upstream **waiting; /* upstreams of the job, in the order of names */
    size_t waiting_count;

    enum snapshot_phase phase;
    uint64_t job;
    uint64_t deadline_ns;        /* of this step */
    int64_t names_deadline;      /* ms */
    struct loop_timer timer;     /* rings then */
    struct resources *resources; /* being compiled; counted */
    struct snapshot *result;
    struct resources_cursor cursor;
    size_t next;      /* of waiting, or of the last snapshot's routes */
    bool has_changed; /* some route is another one */
    struct router_builder *router;
    struct builder reason;

    struct snapshot *dead; /* being freed, linked by release_arg */
    size_t dead_next;
    struct loop_slice undertaker;
};

/* Monotonic ms: the loop's, or the clock's when there is no loop. */
int64_t snapshot_now(const struct snapshot_compiler *c);
int64_t snapshot_wall(const struct snapshot_compiler *c);

/* The record of this upstream, its names being looked up. */
struct snapshot_upstream *snapshot_upstream_take(struct snapshot_compiler *c,
                                                 struct resource *resource);

/* Have all its names been answered? */
bool snapshot_upstream_is_answered(const struct snapshot_upstream *u);

/* Makes a new fleet if its resource, its addresses or its files are others than those of the last;
 * false and the reason when that fails. */
MUST_USE bool snapshot_upstream_compile(struct snapshot_compiler *c, struct snapshot_upstream *u);

/* Forgets the upstreams that the current job does not want, or all. */
void snapshot_upstream_sweep(struct snapshot_compiler *c, bool all);

#endif
