/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generation.h - one worker's hold on one configuration: a snapshot and the limits of its plans.
 *
 * Made by control, one for each worker, and mailed to it. From then on it is the worker's: the
 * worker holds it while it is the current one and every exchange that uses it does, by a plain
 * counter. Lifetime: until the last of them lets go.
 */
#ifndef GATEWAYD_EXCHANGE_GENERATION_H
#define GATEWAYD_EXCHANGE_GENERATION_H

#include "gatewayd/exchange/plan_sets.h"
#include "gatewayd/route/departures.h"
#include "gatewayd/route/snapshot.h"

struct generation {
    struct snapshot *snapshot; /* one count */
    struct plan_sets *plans;   /* one count */
    /* Against the one before; control's, until it was told that the worker has swapped. */
    const struct departures *departures;
    unsigned users;
};

/* Takes its own counts; one user, the worker to be. `departures` (may be NULL) is borrowed. */
struct generation *generation_new(struct snapshot *snapshot, struct plan_sets *plans,
                                  const struct departures *departures);

static inline struct generation *generation_use(struct generation *g)
{
    g->users++;
    return g;
}

/* Leaves NULL. The last one lets go of the snapshot. */
void generation_leave(struct generation **g);

#endif
