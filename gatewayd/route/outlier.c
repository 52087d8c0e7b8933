/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outlier.c - counting failures and ejecting.
 *
 * The times of the last `failures` failures are in a ring of the target; when the oldest of them is
 * within the window, the target goes. With more than TARGET_FAILURES_KEPT each entry stands for
 * several.
 */
#include "gatewayd/route/outlier.h"

/* Is this the failure that is one too many? */
static bool is_too_many(struct target *t, const struct upstream_outlier *outlier, int64_t now)
{
    unsigned failures = (unsigned)outlier->failures;
    unsigned step = (failures + TARGET_FAILURES_KEPT - 1) / TARGET_FAILURES_KEPT;
    unsigned ring = failures / step;
    unsigned number = atomic_fetch_add_explicit(&t->failures_at, 1, memory_order_relaxed);
    int64_t oldest;

    if (number % step != 0)
        return false;
    number /= step;
    atomic_store_explicit(&t->failure_times[number % ring], now, memory_order_relaxed);
    oldest = atomic_load_explicit(&t->failure_times[(number + 1) % ring], memory_order_relaxed);
    return oldest > 0 && now - oldest <= outlier->window;
}

static void forget_failures(struct target *t)
{
    for (unsigned i = 0; i < TARGET_FAILURES_KEPT; i++)
        atomic_store_explicit(&t->failure_times[i], 0, memory_order_relaxed);
}

unsigned outlier_count(const struct fleet *fleet, int64_t now)
{
    unsigned count = 0;

    for (unsigned i = 0; i < fleet->primaries.count + fleet->backups.count; i++)
        count += target_is_ejected(fleet->members[i].target, now);
    return count;
}

static unsigned allowed(const struct fleet *fleet)
{
    uint64_t members = fleet->primaries.count + fleet->backups.count;

    return (unsigned)(members * (uint64_t)fleet->upstream->outlier->max_ejected / 100);
}

/* Two workers may eject two targets at once: who finds too many out takes his own back. */
static bool eject(const struct fleet *fleet, struct target *t, int64_t now)
{
    long long before = atomic_load(&t->ejected_until);

    if (before > now || outlier_count(fleet, now) >= allowed(fleet))
        return false;
    if (!atomic_compare_exchange_strong(&t->ejected_until, &before,
                                        now + fleet->upstream->outlier->eject_for))
        return false;
    if (outlier_count(fleet, now) > allowed(fleet)) {
        atomic_store(&t->ejected_until, before);
        return false;
    }
    forget_failures(t);
    atomic_fetch_add_explicit(&t->ejections, 1, memory_order_relaxed);
    metrics_add(t->metrics, METRIC_TARGET_EJECTIONS, 1);
    return true;
}

bool outlier_on_failure(const struct fleet *fleet, struct target *target, int64_t now)
{
    const struct upstream_outlier *outlier = fleet->upstream->outlier;

    atomic_fetch_add_explicit(&target->failures, 1, memory_order_relaxed);
    if (outlier == NULL || outlier->failures <= 0 || target_is_ejected(target, now))
        return false;
    return is_too_many(target, outlier, now) && eject(fleet, target, now);
}
