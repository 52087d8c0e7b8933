/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health_report.c - what is known of the targets of an upstream, for people.
 */
#include "gatewayd/health.h"

#include <stdio.h>

static void report_ejection(const struct fleet *fleet, const struct target *t, int64_t now,
                            int64_t wall, struct health_report *r, char because[80])
{
    const struct upstream_outlier *outlier = fleet->upstream->outlier;
    int64_t until = atomic_load_explicit(&t->ejected_until, memory_order_relaxed);
    char number[TEXT_NUMBER_SIZE];

    r->state = "ejected";
    r->because = TEXT_OF("its requests failed");
    if (outlier == NULL)
        return;
    r->since = wall - now + until - outlier->eject_for;
    r->because =
        text_from(because, (size_t)snprintf(because, 80, "%lld failures within %s",
                                            (long long)outlier->failures,
                                            text_print_duration(outlier->window, number).at));
}

static void report_one(const struct fleet *fleet, const struct member *m, int64_t now, int64_t wall,
                       struct health_report *r, char because[80])
{
    const struct target *t = m->target;
    enum target_state state = atomic_load_explicit(&t->state, memory_order_relaxed);

    *r = (struct health_report){
        .address = t->written,
        .resolved = t->shown,
        .state = target_state_name(state),
        .since = t->since,
        .because = text_of(t->because),
        .weight = m->weight,
        .is_backup = m->is_backup,
        .is_drained = m->is_drained,
        .in_flight = atomic_load_explicit(&t->in_flight, memory_order_relaxed),
        .connections = atomic_load_explicit(&t->connections, memory_order_relaxed),
        .requests = atomic_load_explicit(&t->requests, memory_order_relaxed),
        .failures = atomic_load_explicit(&t->failures, memory_order_relaxed),
    };
    if (state == TARGET_UP && target_is_ejected(t, now))
        report_ejection(fleet, t, now, wall, r, because);
    else if (state == TARGET_UP && m->is_drained)
        r->state = "draining";
}

void health_each(const struct fleet *fleet, int64_t now, int64_t wall, health_report_fn *report,
                 void *arg)
{
    for (unsigned i = 0; i < fleet->member_count; i++) {
        struct health_report r;
        char because[80];

        report_one(fleet, &fleet->members[i], now, wall, &r, because);
        report(arg, &r);
    }
}
