/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outlier.h - passive checks: a target that fails real requests is put out for a while.
 *
 * Decided by the worker that saw the failure, with atomics of the target, no lock. `failures` of
 * them within `window` eject it for `eject_for`, unless more than `max_ejected` percent of the
 * upstream's targets would be out then (rounded down: a single target is never ejected at 50).
 */
#ifndef GATEWAYD_ROUTE_OUTLIER_H
#define GATEWAYD_ROUTE_OUTLIER_H

#include "gatewayd/route/fleet.h"

/* An exchange with the target failed: no connection, a reset, a time-out, or a 5xx of its own. Call
 * once for each try, whether or not the upstream has passive checks. True when this ejected the
 * target: log it and count it. Any worker. `now` is monotonic ms. */
bool outlier_on_failure(const struct fleet *fleet, struct target *target, int64_t now);

/* How many of the fleet's targets are ejected now. */
unsigned outlier_count(const struct fleet *fleet, int64_t now);

#endif
