/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_history_look.c - *look again*: where does this node stand, and what is to be done so that
 * it stands where the shared history does?
 */
#include "cluster/redis_history_private.h"
#include "cluster/redis_history_tail.h"
#include "gatewayd/core/log.h"

#define QUIET_MS       2 /* what is being written ends first */
#define SOON_MS        100
#define RETRY_MS       1000
#define STRAYED_MS     3000 /* between two times in a row */
#define STRAYS_AT_ONCE 3    /* looked at without waiting */
#define PACE_MS        20

static const struct log_scope log_store = { .subject = LOG_SUBJECT_store };

static void again(struct redis_history *h, uint64_t ms)
{
    if (h->is_stopping)
        return;
    loop_timer_start(&h->look_timer, ms);
}

static void say(struct redis_history *h, const char *why)
{
    if (!text_equals(text_of(h->reason), text_of(why)))
        redis_history_enter(h, HISTORY_LOOKING, text_of(why));
}

static struct history_place mine(const struct redis_history *h)
{
    return (struct history_place){ store_revision(store_embedded_port(h->settings.store)),
                                   store_embedded_id(h->settings.store) };
}

/* This node stands where the shared history did at `at`, and follows it from there. */
static void stand(struct redis_history *h, const struct history_place *at)
{
    h->nobody_ms = 0;
    h->stuck_at = 0;
    h->cluster = store_embedded_cluster(h->settings.store);
    redis_history_tell_cluster(h);
    h->follow.at = *at;
    redis_history_enter(h, HISTORY_READY, TEXT_EMPTY);
    if (h->strays > 0) /* there may be something behind the head */
        redis_history_beat_fold(h);
    redis_history_follow_start(h, at);
    if (h->tail != NULL)
        redis_history_tail_go_on(h->tail);
}

/* ---- case by case ---- */

/* Neither Redis nor this node knows anything: a node that does may be on its way. */
static void nothing_anywhere(struct redis_history *h)
{
    uint64_t now = loop_now_ms(h->settings.loop);
    struct history_place nowhere = { .revision = 0 };
    if (h->nobody_ms == 0)
        h->nobody_ms = now;
    if (now - h->nobody_ms >= REDIS_HISTORY_NOBODY_MS) {
        stand(h, &nowhere);
        return;
    }
    say(h, "Neither Redis nor this node has a history: a node that has one may be on its way.");
    again(h, SOON_MS);
}

static void on_next(void *arg, const struct redis_answer *a)
{
    struct redis_history *h = arg;
    h->is_looking = false;
    if (h->phase != HISTORY_LOOKING || h->is_stopping)
        return;
    if (a->outcome != REDIS_ANSWERED) {
        again(h, RETRY_MS);
        return;
    }
    struct history_place at = mine(h);
    uint64_t parts;
    struct store_embedded_incoming *in =
        a->value->count == 0 ? NULL
                             : redis_history_follow_parse(redis_value_at(a->value, 0), &parts);
    bool is_next = in != NULL && entry_id_equals(&in->head.prev, &at.id);
    store_embedded_incoming_free(&in);
    if (is_next)
        stand(h, &at);
    else
        redis_history_merge_start(h, &h->head_at);
}

/* The history has gone on without this node: does what comes next follow what is here? */
static void behind(struct redis_history *h)
{
    char number[TEXT_NUMBER_SIZE];
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    struct text id =
        arena_print(&arena, "%.*s-0", TEXT_ARGS(text_print_u64(mine(h).revision + 1, number)));
    struct text words[] = { TEXT("XRANGE"), redis_history_key(h, &arena, "log"), id, id };
    h->is_looking = true;
    redis_history_call(h, words, ARRAY_LENGTH(words), on_next);
    arena_reset(&arena);
}

/* An entry on the way there cannot be had any more. */
static void read_past(struct redis_history *h, const struct history_head *head)
{
    if (head->folded >= h->follow.gone) {
        redis_history_read_start(h);
        return;
    }
    redis_history_beat_fold(h);
    say(h, "What an entry changed is not in Redis, nor is it folded.");
    again(h, RETRY_MS);
}

static void foreign(struct redis_history *h)
{
    static const char *const why =
        "Redis holds the history of another cluster: this node goes on with its own state and "
        "merges nothing. Point it to its own Redis, or give it an empty state.dir.";
    if (!text_equals(text_of(h->reason), text_of(why)))
        log_error(&log_store, "%s", why);
    say(h, why);
    again(h, RETRY_MS);
}

static void decide(struct redis_history *h, const struct history_head *head)
{
    struct store_embedded *store = h->settings.store;
    struct history_place at = mine(h);
    struct entry_id cluster = store_embedded_cluster(store);
    if (!head->is_there) {
        if (at.revision == 0)
            nothing_anywhere(h);
        else
            redis_history_upload_start(h, NULL);
        return;
    }
    h->nobody_ms = 0;
    h->head_at = head->at;
    if (at.revision == 0)
        redis_history_read_start(h);
    else if (!entry_id_equals(&head->cluster, &cluster))
        foreign(h);
    else if (head->at.revision > at.revision && h->follow.gone > at.revision)
        read_past(h, head);
    else if (head->at.revision > at.revision)
        behind(h);
    else if (store_embedded_knows(store, head->at.revision, &head->at.id) != STORE_EMBEDDED_KNOWN)
        redis_history_merge_start(h, &head->at);
    else if (head->at.revision < at.revision)
        redis_history_push_start(h, &head->at);
    else if (!head->is_whole)
        redis_history_upload_start(h, head);
    else
        stand(h, &at);
}

/* ---- steps ---- */

static void on_head(void *arg, const struct redis_answer *a)
{
    struct redis_history *h = arg;
    struct history_head head;
    h->is_looking = false;
    if (h->phase != HISTORY_LOOKING || h->is_stopping)
        return;
    if (a->outcome != REDIS_ANSWERED) {
        if (a->outcome == REDIS_REFUSED)
            redis_history_enter(h, HISTORY_LOOKING, a->reason);
        again(h, RETRY_MS);
        return;
    }
    redis_history_beat_read(a->value, &head);
    decide(h, &head);
}

static void on_timer(void *arg)
{
    struct redis_history *h = arg;
    if (h->phase != HISTORY_LOOKING || h->is_looking || h->is_stopping)
        return;
    /* What has been offered, or is being written, belongs to where this node stands. */
    if (redis_history_claim_is_open(h) || !store_embedded_is_quiet(h->settings.store)) {
        again(h, QUIET_MS);
        return;
    }
    h->is_looking = true;
    redis_history_beat_ask(h, on_head);
}

void redis_history_look_again(struct redis_history *h, uint64_t ms)
{
    if (h->phase == HISTORY_LOOKING)
        again(h, ms);
}

/* Where Redis holds what never fits it would be read and looked at without a pause. */
static uint64_t pace(struct redis_history *h)
{
    uint64_t now = loop_now_ms(h->settings.loop);
    h->strays = now < h->strayed_ms + STRAYED_MS ? h->strays + 1 : 0;
    h->strayed_ms = now;
    if (h->strays < STRAYS_AT_ONCE)
        return 0;
    unsigned doubled = h->strays - STRAYS_AT_ONCE;
    return doubled > 5 ? RETRY_MS : (uint64_t)PACE_MS << doubled;
}

void redis_history_look_start(struct redis_history *h, struct text why)
{
    uint64_t after = 0;
    if (h->phase == HISTORY_READY) {
        log_info(&log_store, "looking again: %.*s", TEXT_ARGS(why));
        after = pace(h);
    }
    redis_history_follow_stop(h);
    redis_history_enter(h, HISTORY_LOOKING, why);
    again(h, after);
}

void redis_history_look_stop(struct redis_history *h)
{
    loop_timer_stop(&h->look_timer);
    redis_history_follow_stop(h);
}

void redis_history_look_init(struct redis_history *h)
{
    loop_timer_init(&h->look_timer, h->settings.loop, on_timer, h);
}
