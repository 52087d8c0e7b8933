/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded_claim.c - with an authority: what was planned is offered to it, before it is
 * written. When others were first it is planned again, on top of what they did.
 */
#include "cluster/store_embedded_private.h"
#include "conf/base/mem.h"
#include "gatewayd/core/log.h"

/* How long a change waits for what others did before it to come in. */
#define FOLLOW_MS ((uint64_t)2000)
/* What is accepted elsewhere is on this node's disk after so long. */
#define SYNC_MS ((uint64_t)25)

static const struct log_scope log_store = { .subject = LOG_SUBJECT_store };

/* How long others may be first, again and again, or have their turn; how often, with what is big.
 */
#define TRY_MS       ((uint64_t)15000)
#define TURN_TRY_MS  ((uint64_t)30000)
#define BIG_TRY_MOST 8
/* Others are first where planning takes so long; and where it took so long, many times. */
#define SLOW_MS   ((uint64_t)50)
#define STARVE_MS ((uint64_t)1000)

/* ---- the answer ---- */

/* What is big takes long to plan and to send: it must not go on for ever. */
static bool can_try_again(struct embedded_work *w, bool has_moved)
{
    uint64_t now = loop_now_ms(w->store->settings.loop);
    bool is_big = w->text_count > 1;
    if (w->began_ms == 0)
        w->began_ms = now;
    w->tries += has_moved;
    w->wants_turn |=
        has_moved && (is_big || w->planned_ms >= SLOW_MS || now - w->began_ms >= STARVE_MS);
    return is_big ? w->tries < BIG_TRY_MOST && now - w->began_ms < TURN_TRY_MS
                  : now - w->began_ms < TRY_MS;
}

void store_embedded_claim_give_back(struct store_embedded *e)
{
    struct embedded_batch *batch = e->batch;
    e->batch = NULL;
    store_embedded_batch_rewind(e);
    while (!list_is_empty(&batch->works)) {
        struct embedded_work *w = LIST_ITEM(batch->works.prev, struct embedded_work, node);
        list_remove(&w->node);
        w = store_embedded_work_again(&w);
        list_add_first(&e->queue, &w->node);
    }
    store_embedded_batch_free(&batch);
}

static void try_again(struct store_embedded *e, bool has_moved)
{
    bool can = true;
    LIST_EACH (node, &e->batch->works)
        can &= can_try_again(LIST_ITEM(node, struct embedded_work, node), has_moved);
    if (can)
        store_embedded_claim_give_back(e);
    else
        store_embedded_batch_fail(e, STORE_AWAY,
                                  TEXT_OF("Other nodes were first again and again: nothing was "
                                          "changed."));
}

void store_embedded_claim_moved(struct store_embedded *e)
{
    try_again(e, true);
    store_embedded_turn_consider(e);
}

/* It ended with what was taken. */
static void use_turn(struct store_embedded *e)
{
    store_embedded_turn_end(e);
    LIST_EACH (node, &e->batch->works)
        LIST_ITEM(node, struct embedded_work, node)->wants_turn = false;
}

static void on_claimed(void *arg, enum authority_outcome outcome, struct text reason)
{
    struct store_embedded *e = arg;
    MUST(e->is_claiming);
    e->is_claiming = false;
    switch (outcome) {
    case AUTHORITY_TAKEN:
        use_turn(e);
        store_embedded_batch_write(e);
        break;
    case AUTHORITY_MOVED_ON:
        store_embedded_claim_moved(e);
        e->must_follow = !store_embedded_follow_has_next(e);
        if (e->must_follow)
            loop_timer_start(&e->follow_timer, FOLLOW_MS);
        break;
    case AUTHORITY_TURN:
        try_again(e, false);
        store_embedded_turn_pause(e);
        break;
    case AUTHORITY_AWAY:
        store_embedded_batch_fail(e, STORE_AWAY, reason);
        break;
    case AUTHORITY_FULL:
        store_embedded_batch_fail(e, STORE_FULL, reason);
        break;
    case AUTHORITY_UNKNOWN:
        store_embedded_batch_fail(e, STORE_UNKNOWN, reason);
        break;
    }
    store_embedded_batch_run(e);
}

void store_embedded_claim_start(struct store_embedded *e)
{
    struct embedded_batch *batch = e->batch;
    size_t count = 0;
    MEM_FREE(&batch->claim);
    batch->claim = mem_new_array(batch->count, sizeof(*batch->claim));
    LIST_EACH (node, &batch->works) {
        const struct embedded_work *w = LIST_ITEM(node, struct embedded_work, node);
        batch->claim[count++] = (struct authority_entry){ &w->head, w->texts, w->text_count };
    }
    e->is_claiming = true;
    e->authority->type->claim(e->authority, batch->claim, count, on_claimed, e);
}

/* What others did has not come in. */
static void on_follow_timer(void *arg)
{
    struct store_embedded *e = arg;
    if (!e->must_follow)
        return;
    e->must_follow = false;
    e->authority->type->astray(e->authority);
    store_embedded_batch_run(e);
}

/* ---- the journal, soon ---- */

static void sync_journal(void *arg)
{
    struct store_embedded *e = arg;
    if (journal_sync(e->journal) != JOURNAL_DONE)
        log_error(&log_store, "the journal cannot be made durable: %s", journal_why(e->journal));
    else
        journal_mark(e->journal);
}

static void on_synced(void *arg)
{
    struct store_embedded *e = arg;
    e->is_syncing = false;
}

static void on_sync_timer(void *arg)
{
    struct store_embedded *e = arg;
    if (!store_embedded_can_write(e))
        return;
    if (e->is_syncing) {
        loop_timer_start(&e->sync_timer, SYNC_MS);
        return;
    }
    e->is_syncing = true;
    scribe_job_init(&e->sync_job, sync_journal, on_synced, e);
    scribe_post(e->scribe, &e->sync_job);
}

void store_embedded_claim_sync(struct store_embedded *e)
{
    if (!loop_timer_is_started(&e->sync_timer))
        loop_timer_start(&e->sync_timer, SYNC_MS);
}

void store_embedded_claim_init(struct store_embedded *e)
{
    store_embedded_turn_init(e);
    loop_timer_init(&e->follow_timer, e->settings.loop, on_follow_timer, e);
    loop_timer_init(&e->sync_timer, e->settings.loop, on_sync_timer, e);
}

void store_embedded_claim_stop(struct store_embedded *e)
{
    loop_timer_stop(&e->follow_timer);
    store_embedded_turn_end(e);
    e->must_follow = false;
    if (!loop_timer_is_started(&e->sync_timer))
        return;
    loop_timer_stop(&e->sync_timer);
    on_sync_timer(e);
    loop_timer_stop(&e->sync_timer);
}
