/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_history_beat.c - once a second: is the history in Redis still the one that is followed, and
 * is its folded state whole? FLUSHALL cuts no connection, and a trimmed log goes on without an
 * error. And folding: entries are brought into the state a little at a time.
 */
#include "cluster/conflicts.h"
#include "cluster/redis_history_private.h"
#include "cluster/redis_history_tail.h"
#include "cluster/state_dir.h"
#include "gatewayd/core/log.h"

#define HOLE_MS "10000" /* a node that has what Redis lacks puts it there within */

REDIS_SCRIPT(history_head);
REDIS_SCRIPT(history_fold);

static const struct log_scope log_store = { .subject = LOG_SUBJECT_store };

/* ---- the head ---- */

void redis_history_beat_ask(struct redis_history *h, redis_courier_fn *done)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    struct text words[] = {
        redis_history_key(h, &arena, "head"),      redis_history_key(h, &arena, "resources"),
        redis_history_key(h, &arena, "consumers"), redis_history_key(h, &arena, "keys"),
        redis_history_key(h, &arena, "revoked"),
    };
    redis_history_run(h, &redis_script_history_head, words, ARRAY_LENGTH(words),
                      ARRAY_LENGTH(words), done);
    arena_reset(&arena);
}

void redis_history_beat_read(const struct redis_value *v, struct history_head *head_out)
{
    *head_out = (struct history_head){ .is_there = false };
    int64_t revision = redis_value_integer(redis_value_at(v, 0));
    if (revision <= 0 || !redis_history_parse_id(redis_value_at(v, 1), &head_out->at.id) ||
        !redis_history_parse_id(redis_value_at(v, 2), &head_out->cluster))
        return;
    head_out->is_there = true;
    head_out->at.revision = (uint64_t)revision;
    head_out->folded = (uint64_t)redis_value_integer(redis_value_at(v, 3));
    head_out->is_whole = redis_value_integer(redis_value_at(v, 4)) == 1;
    if (!redis_history_parse_id(redis_value_at(v, 5), &head_out->folded_id))
        head_out->folded_id = (struct entry_id){ { 0 } };
    struct text tag = redis_value_at(v, 6)->text;
    head_out->passed = (uint64_t)redis_value_integer(redis_value_at(v, 7));
    if (tag.length == sizeof(head_out->config_tag))
        memcpy(&head_out->config_tag, tag.at, tag.length);
}

/* ---- folding ---- */

static void on_folded(void *arg, const struct redis_answer *a)
{
    struct redis_history *h = arg;
    h->is_folding = false;
    if (a->outcome != REDIS_ANSWERED || h->is_stopping)
        return;
    int64_t revision = redis_value_integer(redis_value_at(a->value, 0));
    bool is_waiting = redis_value_integer(redis_value_at(a->value, 3)) != 0;
    int64_t passed = redis_value_integer(redis_value_at(a->value, 4));
    int64_t extra = redis_value_integer(redis_value_at(a->value, 5));
    if (passed > 0)
        log_error(&log_store,
                  "the shared history holds something at revision %lld that no node wrote, or not "
                  "all of what one did: it was passed over",
                  (long long)passed);
    if (extra > 0)
        log_error(&log_store,
                  "somebody else wrote %lld entries behind the end of the shared history: they "
                  "were removed",
                  (long long)extra);
    if (extra > 0 || (redis_value_integer(redis_value_at(a->value, 1)) < revision && !is_waiting))
        redis_history_beat_fold(h);
}

void redis_history_beat_fold(struct redis_history *h)
{
    char items[TEXT_NUMBER_SIZE];
    char history[TEXT_NUMBER_SIZE];
    char lifetime[TEXT_NUMBER_SIZE];
    struct arena arena;
    if (h->is_folding || h->is_stopping)
        return;
    arena_init(&arena, SIZE_MAX);
    struct text words[] = {
        redis_history_key(h, &arena, "head"),
        redis_history_key(h, &arena, "log"),
        redis_history_key(h, &arena, "resources"),
        redis_history_key(h, &arena, "consumers"),
        redis_history_key(h, &arena, "keys"),
        redis_history_key(h, &arena, "revoked"),
        redis_history_key(h, &arena, "lock"),
        TEXT("log"),
        text_print_u64(REDIS_HISTORY_ITEMS, items),
        text_print_u64(h->settings.history, history),
        redis_history_key(h, &arena, "body:"),
        text_print_u64(REDIS_HISTORY_BODY_MS, lifetime),
        TEXT(HOLE_MS),
    };
    h->is_folding = true;
    redis_history_run(h, &redis_script_history_fold, words, ARRAY_LENGTH(words), 7, on_folded);
    arena_reset(&arena);
}

/* ---- the beat ---- */

static bool is_same(const struct entry_id *a, const struct entry_id *b)
{
    return entry_id_equals(a, b);
}

/* What had come when the head was asked for cannot be newer than the answer. */
static const char *find_difference(struct redis_history *h, const struct history_head *head)
{
    if (!head->is_there && h->follow.at.revision == 0)
        return NULL;
    if (!head->is_there)
        return "The shared history has gone from Redis.";
    if (!is_same(&head->cluster, &h->cluster))
        return "Redis holds the history of another cluster.";
    if (head->at.revision < h->beat_at)
        return "The shared history has gone back.";
    if (head->at.revision == h->beat_at && !is_same(&head->at.id, &h->beat_id))
        return "The shared history is another one.";
    bool is_stuck = head->at.revision > h->follow.at.revision &&
                    h->stuck_at == h->follow.at.revision && h->follow.missing == 0 &&
                    !redis_history_follow_is_ahead(h);
    if (is_stuck)
        return "What is new in the shared history does not come.";
    if (!head->is_whole)
        return "The state in Redis is not whole.";
    return NULL;
}

static void on_beat(void *arg, const struct redis_answer *a)
{
    struct redis_history *h = arg;
    struct history_head head;
    h->is_beating = false;
    if (a->outcome != REDIS_ANSWERED || h->phase != HISTORY_READY || h->is_stopping)
        return;
    redis_history_beat_read(a->value, &head);
    const char *difference = find_difference(h, &head);
    if (difference != NULL) {
        redis_history_look_start(h, text_of(difference));
        return;
    }
    h->passed = head.passed;
    conflicts_forget(h->conflicts, store_oldest_revision(store_embedded_port(h->settings.store)));
    bool is_more = head.at.revision > h->follow.at.revision;
    h->stuck_at = is_more ? h->follow.at.revision : 0;
    if (head.folded < head.at.revision)
        redis_history_beat_fold(h);
}

/* A node that started without Redis. */
static void say_age_once(struct redis_history *h)
{
    uint64_t revision = store_revision(store_embedded_port(h->settings.store));
    if (h->has_said_age || revision == 0)
        return;
    h->has_said_age = true;
    if (h->phase == HISTORY_READY || h->age_ms == 0)
        return;
    log_warn(&log_store,
             "Redis is not there yet: this node serves what its journal has, revision %llu; %lld s "
             "ago that was known to be all.",
             (unsigned long long)revision, (long long)(h->age_ms / 1000));
}

static void on_timer(void *arg)
{
    struct redis_history *h = arg;
    loop_timer_start(&h->beat_timer, REDIS_HISTORY_BEAT_MS);
    if (h->phase == HISTORY_LOOKING)
        store_embedded_look(h->settings.store);
    say_age_once(h);
    redis_history_tell_cluster(h);
    if (h->phase != HISTORY_READY || h->is_beating)
        return;
    state_dir_set_fresh(h->settings.dir);
    if (h->tail != NULL)
        redis_history_tail_go_on(h->tail);
    h->is_beating = true;
    h->beat_at = h->follow.at.revision;
    h->beat_id = h->follow.at.id;
    redis_history_beat_ask(h, on_beat);
}

void redis_history_beat_init(struct redis_history *h)
{
    loop_timer_init(&h->beat_timer, h->settings.loop, on_timer, h);
}

void redis_history_beat_start(struct redis_history *h)
{
    loop_timer_start(&h->beat_timer, REDIS_HISTORY_BEAT_MS);
}

void redis_history_beat_stop(struct redis_history *h)
{
    loop_timer_stop(&h->beat_timer);
}
