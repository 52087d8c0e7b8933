/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limiter_wait.c - exchanges that wait for a lease. Without a port nobody ever does.
 */
#include "gatewayd/policy/limiter_private.h"

void limiter_wait_init(struct limiter_wait *wait, limiter_answered_fn *on_answered)
{
    list_init(&wait->node);
    wait->on_answered = on_answered;
    wait->lease = NULL;
}

void limiter_stop_waiting(struct limiter *l, size_t worker, struct limiter_wait *wait)
{
    list_remove(&wait->node);
    wait->lease = NULL;
}

void limiter_on_answered(struct limiter *l, size_t worker)
{
    MUST(l->settings.port != NULL);
}

void limiter_on_wanted(struct limiter *l)
{
    MUST(l->settings.port != NULL);
}

void limiter_tick(struct limiter *l)
{
    MUST(l->settings.port != NULL);
}
