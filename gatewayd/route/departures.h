/* SPDX-License-Identifier: Apache-2.0 */
/*
 * departures.h - what a change of configuration takes away: targets that get no more requests, and
 * TLS contexts that were replaced. Found once, by control, so that a worker which swaps has to look
 * at these only.
 *
 * Pointers are borrowed from the configuration before. Control thread.
 */
#ifndef GATEWAYD_ROUTE_DEPARTURES_H
#define GATEWAYD_ROUTE_DEPARTURES_H

#include "gatewayd/route/snapshot.h"

struct departure {
    struct target *target;
    struct tls_client *tls; /* the context that it was reached under; NULL: plain */
};

struct departures {
    struct departure *items;
    size_t count;
};

/* From `before` (NULL: nothing departs) to `after`. */
void departures_init(struct departures *d, const struct snapshot *before,
                     const struct snapshot *after);
void departures_fini(struct departures *d); /* safe on a zeroed one, and twice */

#endif
