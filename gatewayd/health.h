/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health.h - active checks: each target of an upstream with `health` is asked again and again, on
 * the control loop, whether it works.
 *
 * A new target takes traffic once its first check succeeded; after that `healthy_after` and
 * `unhealthy_after` checks in a row change its state. Checks of a target begin at a random moment
 * of its interval, which is jittered by a tenth, and at most HEALTH_AT_ONCE run at a time (first
 * checks go first). Each uses a connection of its own and closes it. States live in the targets, so
 * they outlast changes of configuration.
 *
 * Lifetime: control. Control thread only.
 */
#ifndef GATEWAYD_HEALTH_H
#define GATEWAYD_HEALTH_H

#include "gatewayd/route/snapshot.h"

#define HEALTH_AT_ONCE 128

struct health;
struct names;

struct health *health_new(struct loop *loop);
void health_free(struct health **h); /* ends the checks that run */

/* Checks what this snapshot has from now on. Call it with each snapshot, before it is published. */
void health_follow(struct health *h, const struct snapshot *snapshot);

/* Has every new target had its first check? Control may wait for it, for a while, before it
 * publishes a snapshot with new upstreams; `on_settled` is called from the loop when it becomes
 * true. */
bool health_is_settled(const struct health *h);
typedef void health_settled_fn(void *arg);
void health_on_settled(struct health *h, health_settled_fn *fn, void *arg);

/* For GET /v1/upstreams/{name}/health. */
struct health_report {
    struct text address;  /* as configured */
    struct text resolved; /* the address it stands for; empty: a name that stands for none */
    const char *state;    /* "up", "down", "unknown", "ejected", "draining" */
    int64_t since;        /* wall clock, ms; 0: unknown */
    struct text because;  /* may be empty */
    unsigned weight;
    bool is_backup;
    bool is_drained;
    unsigned in_flight;
    unsigned connections;
    uint64_t requests;
    uint64_t failures;
};

/* Every target, and each configured name that stands for none yet; `names` says why (may be NULL).
 */
struct health_view {
    const struct fleet *fleet;
    const struct names *names;
    int64_t now;
    int64_t wall;
};

typedef void health_report_fn(void *arg, const struct health_report *report);
void health_each(const struct health_view *view, health_report_fn *report, void *arg);

#endif
