/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded_hold.c - giving the journal to another process of this node, which may fail to
 * take it: then all goes on.
 *
 *     ─▶ resting (what was begun ends) ─▶ released ─▶ left
 *            └──────────────────────────────┴─▶ as before
 *
 * While it is released, and after, what others accept in a shared history is applied and not
 * written: revocations hold here as long as this process serves anybody.
 */
#include "cluster/store_embedded_private.h"

void store_embedded_keep_still(struct store_embedded *e, bool is_still)
{
    e->is_still = is_still;
    if (is_still)
        store_embedded_compact_give_up(e);
}

static bool is_at_rest(const struct store_embedded *e)
{
    return e->batch == NULL && e->planning == NULL && list_is_empty(&e->publishing) &&
           !e->is_writing && !e->is_claiming && !e->is_gathering && !e->is_syncing &&
           !loop_timer_is_started(&e->sync_timer) && e->compaction == NULL &&
           e->replacing == NULL && scribe_waiting(e->scribe) == 0;
}

bool store_embedded_try_release(struct store_embedded *e)
{
    if (!e->is_started || e->hold >= HOLD_RELEASED)
        return e->hold >= HOLD_RELEASED;
    e->hold = HOLD_RESTING;
    store_embedded_compact_give_up(e);
    if (!is_at_rest(e))
        return false;
    if (e->authority != NULL)
        store_embedded_turn_end(e); /* others need not wait for what is planned elsewhere */
    e->hold = HOLD_RELEASED;
    store_embedded_batch_run(e); /* what others accepted meanwhile */
    return true;
}

void store_embedded_resume(struct store_embedded *e)
{
    e->hold = HOLD_NOT;
    if (!e->is_started)
        return;
    store_embedded_compact_consider(e);
    store_embedded_batch_run(e);
}

void store_embedded_leave(struct store_embedded *e)
{
    e->hold = HOLD_LEFT;
    store_embedded_batch_run(e);
}
