/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health_report.c - what is known of the targets of an upstream, for people.
 */
#include "gatewayd/health.h"

#include <stdio.h>

#include "gatewayd/route/names.h"

#define BECAUSE_SIZE 160

static void report_ejection(const struct health_view *view, const struct target *t,
                            struct health_report *r, char because[BECAUSE_SIZE])
{
    const struct upstream_outlier *outlier = view->fleet->upstream->outlier;
    int64_t until = atomic_load_explicit(&t->ejected_until, memory_order_relaxed);
    char number[TEXT_NUMBER_SIZE];

    r->state = "ejected";
    r->because = TEXT_OF("its requests failed");
    if (outlier == NULL)
        return;
    r->since = view->wall - view->now + until - outlier->eject_for;
    r->because =
        text_from(because, (size_t)snprintf(because, BECAUSE_SIZE, "%lld failures within %s",
                                            (long long)outlier->failures,
                                            text_print_duration(outlier->window, number).at));
}

static void report_member(const struct health_view *view, const struct member *m,
                          struct health_report *r, char because[BECAUSE_SIZE])
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
    if (state == TARGET_UP && target_is_ejected(t, view->now))
        report_ejection(view, t, r, because);
    else if (state == TARGET_UP && m->is_drained)
        r->state = "draining";
}

static bool has_member(const struct fleet *fleet, struct text address)
{
    for (unsigned i = 0; i < fleet->member_count; i++) {
        if (text_equals(fleet->members[i].target->written, address))
            return true;
    }
    return false;
}

/* A configured target whose name stands for no address. */
static void report_nameless(const struct health_view *view, const struct upstream_target *t,
                            struct health_report *r, char because[BECAUSE_SIZE])
{
    int64_t since = 0;
    const char *why = view->names == NULL
                          ? NULL
                          : names_find_failure(view->names, t->at.host, t->at.port, &since);

    int length = snprintf(because, BECAUSE_SIZE, "its name has no address: %s",
                          why == NULL ? "it is being looked up" : why);
    *r = (struct health_report){
        .address = t->address,
        .state = since == 0 ? "unknown" : "down",
        .since = since,
        .because = text_from(because, (size_t)length),
        .weight = t->drain ? 0 : (unsigned)t->weight,
        .is_backup = t->backup,
        .is_drained = t->drain,
    };
}

void health_each(const struct health_view *view, health_report_fn *report, void *arg)
{
    const struct fleet *fleet = view->fleet;
    const struct upstream_targets *configured = &fleet->upstream->targets;
    char because[BECAUSE_SIZE];
    struct health_report r;

    for (unsigned i = 0; i < fleet->member_count; i++) {
        report_member(view, &fleet->members[i], &r, because);
        report(arg, &r);
    }
    for (size_t i = 0; i < configured->count; i++) {
        if (has_member(fleet, configured->items[i].address))
            continue;
        report_nameless(view, &configured->items[i], &r, because);
        report(arg, &r);
    }
}
