/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generation.c - one worker's hold on one configuration.
 */
#include "gatewayd/exchange/generation.h"

#include "conf/base/mem.h"

struct generation *generation_new(struct snapshot *snapshot, struct plan_sets *plans,
                                  const struct departures *departures)
{
    struct generation *g = mem_new(sizeof(*g));

    g->snapshot = snapshot_ref(snapshot);
    g->plans = plan_sets_ref(plans);
    g->departures = departures;
    g->users = 1;
    return g;
}

void generation_leave(struct generation **at)
{
    struct generation *g = *at;

    *at = NULL;
    if (g == NULL || --g->users > 0)
        return;
    snapshot_unref(&g->snapshot);
    plan_sets_unref(&g->plans);
    MEM_FREE(&g);
}
