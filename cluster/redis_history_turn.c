/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_history_turn.c - a turn in the head of the history, kept for as long as it is needed. It
 * ends by itself a second after this node last renewed it.
 */
#include "cluster/redis_history_private.h"
#include "conf/base/digest.h"
#include "gatewayd/core/log.h"

#define RENEW_MS  250
#define MOMENT_MS "250" /* in which nobody has a turn, after each */

REDIS_SCRIPT(history_turn);

static const struct log_scope log_store = { .subject = LOG_SUBJECT_store };

static void ask(struct redis_history *h, const char *how, redis_courier_fn *done)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    struct text words[] = {
        redis_history_key(h, &arena, "head"), TEXT_EMPTY,      text_of(h->turn.token), text_of(how),
        TEXT(REDIS_HISTORY_TURN_MS),          TEXT(MOMENT_MS),
    };
    redis_courier_send(h->courier, &(struct redis_errand){ .use = REDIS_CALLS,
                                                           .script = &redis_script_history_turn,
                                                           .words = words,
                                                           .count = ARRAY_LENGTH(words),
                                                           .key_count = 1,
                                                           .has_not_after = true,
                                                           .timeout_ms = REDIS_HISTORY_CALL_MS,
                                                           .done = done,
                                                           .arg = h });
    arena_reset(&arena);
}

static void on_given(void *arg, const struct redis_answer *a)
{
    /* Whatever it says: it ends by itself. */
}

/* ---- renewing ---- */

static void on_renewed(void *arg, const struct redis_answer *a)
{
    struct redis_history *h = arg;
    h->turn.is_renewing = false;
    if (h->turn.is_held && redis_value_is(redis_value_at(a->value, 0), "over"))
        log_info(&log_store, "this node's turn in the shared history ended before it was used");
}

static void on_timer(void *arg)
{
    struct redis_history *h = arg;
    loop_timer_start(&h->turn.timer, RENEW_MS);
    if (h->turn.is_renewing)
        return;
    h->turn.is_renewing = true;
    ask(h, "renew", on_renewed);
}

/* ---- taking ---- */

static void on_taken(void *arg, const struct redis_answer *a)
{
    struct redis_history *h = arg;
    authority_turn_fn *answered = h->turn.answered;
    const struct redis_value *word = redis_value_at(a->value, 0);
    enum authority_outcome outcome = AUTHORITY_AWAY;
    h->turn.is_asking = false;
    h->turn.answered = NULL;
    if (redis_value_is(word, "yours"))
        outcome = AUTHORITY_TAKEN;
    else if (redis_value_is(word, "theirs"))
        outcome = AUTHORITY_TURN;
    if (answered == NULL) { /* it was given back meanwhile */
        if (outcome == AUTHORITY_TAKEN)
            ask(h, "give", on_given);
        return;
    }
    if (outcome == AUTHORITY_TAKEN) {
        h->turn.is_held = true;
        loop_timer_start(&h->turn.timer, RENEW_MS);
    }
    answered(h->turn.arg, outcome, (uint64_t)redis_value_integer(redis_value_at(a->value, 1)));
}

void redis_history_turn_take(struct authority *a, authority_turn_fn *answered, void *arg)
{
    struct redis_history *h = CONTAINER_OF(a, struct redis_history, authority);
    h->turn.answered = answered;
    h->turn.arg = arg;
    if (h->turn.is_asking)
        return; /* its answer is this one's too */
    h->turn.is_asking = true;
    ask(h, "take", on_taken);
}

void redis_history_turn_give(struct authority *a)
{
    struct redis_history *h = CONTAINER_OF(a, struct redis_history, authority);
    h->turn.answered = NULL;
    if (!h->turn.is_held)
        return;
    redis_history_turn_stop(h);
    ask(h, "give", on_given);
}

void redis_history_turn_stop(struct redis_history *h)
{
    h->turn.is_held = false;
    loop_timer_stop(&h->turn.timer);
}

void redis_history_turn_init(struct redis_history *h)
{
    unsigned char token[8];
    digest_random(token, sizeof(token));
    digest_print_hex(token, sizeof(token), h->turn.token);
    loop_timer_init(&h->turn.timer, h->settings.loop, on_timer, h);
}
