/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_board.h - the limits of plans that consumers may have before the configuration that makes
 * the plan is in force on a worker, or after the one that removes it is.
 *
 * Consumers change in place while a configuration is compiled and swapped in, so a request may find
 * a consumer whose plan its own generation does not know. It looks here then: before consumers are
 * changed, control announces the plans of the new resources, together with those that leave with
 * them. Those are forgotten with the next announcement: by then no consumer has them.
 *
 * Lifetime: process. Control writes; workers read within a turn (turns.h).
 */
#ifndef GATEWAYD_EXCHANGE_PLAN_BOARD_H
#define GATEWAYD_EXCHANGE_PLAN_BOARD_H

#include "gatewayd/exchange/plan_sets.h"

struct plan_board {
    _Atomic(struct plan_sets *) announced; /* with those that leave; NULL: nothing yet */
    struct resources *resources;           /* the last that were announced; counted */
    struct plan_sets *now;                 /* theirs; counted */
    struct turns_queue queue;              /* of what was announced before */
};

void plan_board_init(struct plan_board *b, struct turns *turns);
void plan_board_fini(struct plan_board *b); /* no reader may be left */

/* Control: before any consumer is given a plan of these resources. Returns a count of their plans,
 * without those that leave. */
MUST_USE struct plan_sets *plan_board_announce(struct plan_board *b, struct resources *resources,
                                               struct credentials *credentials,
                                               struct limiter *limiter);

/* Control, now and then. */
void plan_board_tidy(struct plan_board *b);

/* A count of what is announced, for a worker within a turn; may be NULL. */
struct plan_sets *plan_board_take(struct plan_board *b);

#endif
