/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_board.c - announcing, and forgetting once nobody looks.
 */
#include "gatewayd/exchange/plan_board.h"

#define TIDY_MOST 64

static void forget(void *owner, uint64_t what)
{
    struct plan_sets *sets = (struct plan_sets *)(uintptr_t)what;
    plan_sets_unref(&sets);
}

void plan_board_init(struct plan_board *b, struct turns *turns)
{
    *b = (struct plan_board){ .resources = NULL };
    turns_queue_init(&b->queue, turns);
}

void plan_board_fini(struct plan_board *b)
{
    struct plan_sets *last = atomic_exchange(&b->announced, NULL);

    plan_sets_unref(&last);
    plan_sets_unref(&b->now);
    resources_unref(&b->resources);
    turns_queue_fini(&b->queue);
}

static void replace(struct plan_board *b, struct plan_sets *announced)
{
    struct plan_sets *before = atomic_exchange(&b->announced, announced);

    if (before != NULL)
        turns_retire(&b->queue, forget, b, (uintptr_t)before);
}

struct plan_sets *plan_board_announce(struct plan_board *b, struct resources *resources,
                                      struct credentials *credentials, struct limiter *limiter)
{
    if (b->resources == resources)
        return plan_sets_ref(b->now);
    struct plan_sets *now = plan_sets_new(resources, credentials, limiter, b->now);
    replace(b, plan_sets_join(now, b->now));
    plan_sets_unref(&b->now);
    b->now = now;
    resources_unref(&b->resources);
    b->resources = resources_ref(resources);
    return plan_sets_ref(now);
}

void plan_board_tidy(struct plan_board *b)
{
    turns_tidy(&b->queue, TIDY_MOST);
}

struct plan_sets *plan_board_take(struct plan_board *b)
{
    struct plan_sets *announced = atomic_load(&b->announced);
    return announced == NULL ? NULL : plan_sets_ref(announced);
}
