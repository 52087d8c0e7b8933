/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_sets.h - the limits of every plan of one configuration, found by the plan's number.
 *
 * Lifetime: counted (atomic). Made by control, read by workers through their generation, or where
 * it was announced (plan_board.h); immutable.
 */
#ifndef GATEWAYD_EXCHANGE_PLAN_SETS_H
#define GATEWAYD_EXCHANGE_PLAN_SETS_H

#include "conf/resources.h"
#include "gatewayd/policy/credentials.h"
#include "gatewayd/policy/limiter.h"

struct plan_sets;

/* Control thread. Sets of plans that did not change since `before` (may be NULL) are used again. */
struct plan_sets *plan_sets_new(const struct resources *resources, struct credentials *credentials,
                                struct limiter *limiter, const struct plan_sets *before);
/* Those of `now`, and those of `before` (may be NULL) whose plans are not in it. */
struct plan_sets *plan_sets_join(const struct plan_sets *now, const struct plan_sets *before);

struct plan_sets *plan_sets_ref(struct plan_sets *p);
void plan_sets_unref(struct plan_sets **p); /* any thread */

/* By credentials_plan_id(). False: the plan is unknown. *set_out may be NULL: it has no limits. */
MUST_USE bool plan_sets_find(const struct plan_sets *p, uint32_t plan_id,
                             const struct limiter_set **set_out);

#endif
