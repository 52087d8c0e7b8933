/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded_turn.c - a change that takes long to plan, or finds others first again and again,
 * asks the authority for a turn before it is planned again:
 *
 *     not taken ─▶ ASKED ─▶ HELD: what others did comes in, then it is planned and claimed
 *                    └────▶ PAUSED: somebody else has one; asked for again a little later
 *
 * Who merely meets somebody else's turn is PAUSED as well. What comes in from elsewhere, and
 * revoking a key while the history is away, go on meanwhile.
 */
#include "cluster/store_embedded_private.h"
#include "gatewayd/core/log.h"

#define PAUSE_MS  ((uint64_t)20)
#define HOLD_MOST ((uint64_t)10000) /* others wait meanwhile */
#define WAIT_MOST ((uint64_t)20000) /* for others, again and again */

static const struct log_scope log_store = { .subject = LOG_SUBJECT_store };

static void enter(struct store_embedded *e, enum embedded_turn_state state, uint64_t ms)
{
    e->turn.state = state;
    loop_timer_stop(&e->turn.timer);
    if (ms > 0)
        loop_timer_start(&e->turn.timer, ms);
}

static void on_answer(void *arg, enum authority_outcome outcome, uint64_t revision)
{
    struct store_embedded *e = arg;
    if (e->turn.state != TURN_ASKED)
        return;
    e->turn.from = revision;
    if (outcome == AUTHORITY_TAKEN)
        enter(e, TURN_HELD, HOLD_MOST);
    else if (outcome == AUTHORITY_TURN)
        enter(e, TURN_PAUSED, PAUSE_MS);
    else
        enter(e, TURN_NONE, 0);
    store_embedded_batch_run(e);
}

void store_embedded_turn_consider(struct store_embedded *e)
{
    const struct embedded_work *first =
        list_is_empty(&e->queue) ? NULL : LIST_ITEM(e->queue.next, struct embedded_work, node);
    if (e->turn.state == TURN_HELD)
        store_embedded_turn_end(e); /* it ended too early */
    if (e->hold != HOLD_NOT || first == NULL || !first->wants_turn ||
        e->authority->type->take_turn == NULL || e->turn.state != TURN_NONE ||
        loop_now_ms(e->settings.loop) > first->began_ms + WAIT_MOST)
        return;
    enter(e, TURN_ASKED, 0);
    e->authority->type->take_turn(e->authority, on_answer, e);
}

static void on_timer(void *arg)
{
    struct store_embedded *e = arg;
    if (e->turn.state == TURN_PAUSED) {
        enter(e, TURN_NONE, 0);
        store_embedded_turn_consider(e);
    } else if (e->turn.state == TURN_HELD) {
        log_warn(&log_store, "a change took longer than its turn in the shared history");
        store_embedded_turn_end(e);
    }
    store_embedded_batch_run(e);
}

void store_embedded_turn_pause(struct store_embedded *e)
{
    store_embedded_turn_end(e);
    enter(e, TURN_PAUSED, PAUSE_MS);
}

bool store_embedded_turn_must_wait(const struct store_embedded *e)
{
    if (e->turn.state == TURN_HELD)
        return e->now.revision < e->turn.from;
    return e->turn.state != TURN_NONE;
}

void store_embedded_turn_end(struct store_embedded *e)
{
    if (e->turn.state == TURN_ASKED || e->turn.state == TURN_HELD)
        e->authority->type->give_turn(e->authority);
    enter(e, TURN_NONE, 0);
}

void store_embedded_turn_init(struct store_embedded *e)
{
    loop_timer_init(&e->turn.timer, e->settings.loop, on_timer, e);
}
