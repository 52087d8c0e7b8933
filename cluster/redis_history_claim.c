/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_history_claim.c - entries that this node planned, offered to Redis: one script takes all of
 * them or none. What is too big for one command is staged before, part by part, under a key that
 * ends by itself unless it is committed.
 *
 * When the answer is lost the commit is looked up by its id once Redis is back, and if it has not
 * happened it is refused for good (Redis executes what it finds in its buffers when it goes on
 * after a stop). Until then, and no longer than the deadline, nobody is answered.
 */
#include <stdio.h>

#include "cluster/redis_history_private.h"
#include "conf/base/mem.h"

#define STAGED_MS      "120000"
#define REFUSED_MS     "60000"
#define KEYS_BEFORE    4 /* of a commit, before those of its entries */
#define BEFORE_WORDS   6 /* of a commit's arguments, before those of its entries */
#define WORDS_OF_ENTRY 6

REDIS_SCRIPT(history_commit);
REDIS_SCRIPT(history_stage);
REDIS_SCRIPT(history_lookup);

bool redis_history_claim_is_open(const struct redis_history *h)
{
    return h->claim.entries != NULL;
}

static void stage_next(struct redis_history *h);

static void answer(struct redis_history *h, enum authority_outcome outcome, struct text reason)
{
    struct history_claim claim = h->claim;
    loop_timer_stop(&h->claim.timer);
    h->claim.entries = NULL;
    h->claim.is_lost = false;
    if (outcome == AUTHORITY_TAKEN)
        redis_history_beat_fold(h);
    claim.answered(claim.arg, outcome, reason);
}

/* ---- when it is made: replicas ---- */

static void on_replicated(void *arg, const struct redis_answer *a)
{
    struct redis_history *h = arg;
    if (!redis_history_claim_is_open(h))
        return;
    if (a->outcome == REDIS_ANSWERED && redis_value_integer(a->value) >= h->settings.replicas) {
        answer(h, AUTHORITY_TAKEN, TEXT_EMPTY);
        return;
    }
    char sentence[160];
    snprintf(sentence, sizeof(sentence),
             "Redis has made the change, but fewer than %lld replicas (state.redis.replicas) have "
             "confirmed it: a fail-over may lose it.",
             (long long)h->settings.replicas);
    answer(h, AUTHORITY_UNKNOWN, text_of(sentence));
}

static void wait_for_replicas(struct redis_history *h)
{
    char count[TEXT_NUMBER_SIZE];
    struct text words[] = { TEXT("WAIT"), text_print_u64((uint64_t)h->settings.replicas, count),
                            TEXT("1500") };
    redis_history_call(h, words, ARRAY_LENGTH(words), on_replicated);
}

static void taken(struct redis_history *h)
{
    loop_timer_stop(&h->claim.timer);
    h->claim.is_lost = false;
    if (h->settings.replicas > 0)
        wait_for_replicas(h);
    else
        answer(h, AUTHORITY_TAKEN, TEXT_EMPTY);
}

/* ---- when the answer is lost ---- */

static void on_timer(void *arg)
{
    struct redis_history *h = arg;
    if (h->claim.is_lost)
        answer(h, AUTHORITY_UNKNOWN,
               TEXT_OF("The connection to Redis was lost before it answered: the change may have "
                       "been made."));
}

static void on_looked_up(void *arg, const struct redis_answer *a)
{
    struct redis_history *h = arg;
    h->claim.is_looking = false;
    if (!h->claim.is_lost)
        return;
    const struct redis_value *word = redis_value_at(a->value, 0);
    if (a->outcome != REDIS_ANSWERED)
        return; /* the link is lost again: on_link, or the timer */
    if (redis_value_is(word, "taken"))
        taken(h); /* WAIT counts from the last command of its connection: this one */
    else if (redis_value_is(word, "refused"))
        answer(h, AUTHORITY_AWAY,
               TEXT_OF("The connection to Redis was lost; the change was not made."));
    else
        on_timer(h);
}

static void look_up(struct redis_history *h)
{
    char revision[TEXT_NUMBER_SIZE];
    struct arena arena;
    const struct entry_head *first = h->claim.entries[0].head;
    if (h->claim.is_looking || !h->is_up[REDIS_CALLS])
        return;
    arena_init(&arena, SIZE_MAX);
    struct text words[] = {
        redis_history_key(h, &arena, "log"),
        redis_history_key_of(h, &arena, "refused", &first->id),
        text_print_u64(first->revision, revision),
        redis_history_id(&first->id),
        TEXT(REFUSED_MS),
    };
    h->claim.is_looking = true;
    redis_courier_send(h->courier, &(struct redis_errand){ .use = REDIS_CALLS,
                                                           .script = &redis_script_history_lookup,
                                                           .run = h->claim.run,
                                                           .words = words,
                                                           .count = ARRAY_LENGTH(words),
                                                           .key_count = 2,
                                                           .timeout_ms = REDIS_HISTORY_CALL_MS,
                                                           .done = on_looked_up,
                                                           .arg = h });
    arena_reset(&arena);
}

void redis_history_claim_on_link(struct redis_history *h)
{
    if (h->claim.is_lost)
        look_up(h);
}

/* It is looked up when the link is back, but not longer than the deadline. */
static void lose(struct redis_history *h)
{
    uint64_t now = loop_now_ms(h->settings.loop);
    h->claim.is_lost = true;
    if (h->is_stopping || now >= h->claim.due_ms) {
        on_timer(h);
        return;
    }
    loop_timer_start(&h->claim.timer, h->claim.due_ms - now);
    look_up(h);
}

/* ---- the commit ---- */

static void refused(struct redis_history *h, const struct redis_answer *a)
{
    bool is_full = text_starts_with(a->value->text, TEXT_OF("OOM")) ||
                   text_contains(a->value->text, TEXT_OF("OOM "));
    if (is_full)
        answer(h, AUTHORITY_FULL,
               TEXT_OF("Redis has reached its maxmemory: nothing can be added before there is "
                       "room."));
    else
        answer(h, AUTHORITY_AWAY, a->reason);
}

/* What was sent for the try before has gone. */
static void stage_again(struct redis_history *h)
{
    h->claim.is_staged = false;
    h->claim.entry = h->claim.part = 0;
    stage_next(h);
}

/* Another node made the cluster just now. */
static bool is_joining(const struct redis_history *h, const struct redis_value *word)
{
    return redis_value_is(word, "foreign") && h->claim.entries[0].head->revision == 1;
}

static void on_committed(void *arg, const struct redis_answer *a)
{
    struct redis_history *h = arg;
    const struct redis_value *word = redis_value_at(a->value, 0);
    if (!redis_history_claim_is_open(h))
        return;
    h->claim.run = a->run;
    if (a->outcome == REDIS_LOST)
        lose(h);
    else if (a->outcome == REDIS_AWAY)
        answer(h, AUTHORITY_AWAY, a->reason);
    else if (a->outcome == REDIS_REFUSED)
        refused(h, a);
    else if (redis_value_is(word, "taken"))
        taken(h);
    else if (redis_value_is(word, "moved") || is_joining(h, word))
        answer(h, AUTHORITY_MOVED_ON, TEXT_EMPTY);
    else if (redis_value_is(word, "turn"))
        answer(h, AUTHORITY_TURN, TEXT_EMPTY);
    else if (redis_value_is(word, "unstaged") && h->claim.is_staged)
        stage_again(h);
    else if (redis_value_is(word, "late") || redis_value_is(word, "foreign") ||
             redis_value_is(word, "unstaged"))
        answer(h, AUTHORITY_AWAY,
               TEXT_OF("Redis got the change too late, or holds another history by now: nothing "
                       "was changed."));
    else
        lose(h); /* no answer to a commit: what became of it is looked up */
}

/* Nodes read many entries at once: what is in the log itself is bounded. */
static size_t parts_of(const struct authority_entry *entry)
{
    bool is_large = entry->part_count == 1 && entry->parts[0].length > REDIS_HISTORY_INLINE_MOST;
    return entry->part_count > 1 || is_large ? entry->part_count : 0;
}

static void add_entry(const struct authority_entry *entry, struct arena *arena, struct text *words)
{
    char number[TEXT_NUMBER_SIZE];
    size_t parts = parts_of(entry);
    words[0] = redis_history_id(&entry->head->id);
    words[1] = arena_copy(arena, text_print_u64((uint64_t)entry->head->time_ms, number));
    words[2] = entry->head->author;
    words[3] = entry->head->summary;
    words[4] = arena_copy(arena, text_print_u64(parts, number));
    words[5] = parts == 0 && entry->part_count == 1 ? entry->parts[0] : TEXT_EMPTY;
}

static void commit(struct redis_history *h)
{
    const struct history_claim *claim = &h->claim;
    const struct entry_head *first = claim->entries[0].head;
    uint64_t now = loop_now_ms(h->settings.loop);
    char number[TEXT_NUMBER_SIZE];
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    size_t keys = KEYS_BEFORE + claim->count;
    size_t count = keys + BEFORE_WORDS + WORDS_OF_ENTRY * claim->count;
    struct text *words = arena_zalloc(&arena, count * sizeof(*words));
    words[0] = redis_history_key(h, &arena, "head");
    words[1] = redis_history_key(h, &arena, "log");
    words[2] = redis_history_key_of(h, &arena, "refused", &first->id);
    words[3] = redis_history_key(h, &arena, "ids");
    struct text *arguments = words + keys;
    arguments[1] = redis_history_id(&h->cluster);
    arguments[2] = arena_copy(&arena, text_print_u64(first->revision - 1, number));
    arguments[3] = redis_history_id(&first->prev);
    arguments[4] = text_of(h->turn.token);
    arguments[5] = TEXT_OF(REDIS_HISTORY_TURN_MS);
    for (size_t i = 0; i < claim->count; i++) {
        words[KEYS_BEFORE + i] =
            redis_history_key_of(h, &arena, "body", &claim->entries[i].head->id);
        add_entry(&claim->entries[i], &arena, arguments + BEFORE_WORDS + WORDS_OF_ENTRY * i);
    }
    int64_t left = now >= claim->due_ms ? 1 : (int64_t)(claim->due_ms - now);
    redis_courier_send(h->courier, &(struct redis_errand){ .use = REDIS_CALLS,
                                                           .script = &redis_script_history_commit,
                                                           .words = words,
                                                           .count = count,
                                                           .key_count = keys,
                                                           .has_not_after = true,
                                                           .timeout_ms = left,
                                                           .done = on_committed,
                                                           .arg = h });
    arena_reset(&arena);
}

/* ---- staging ---- */

static void on_staged(void *arg, const struct redis_answer *a)
{
    struct redis_history *h = arg;
    if (!redis_history_claim_is_open(h))
        return;
    if (a->outcome == REDIS_REFUSED) {
        refused(h, a);
    } else if (a->outcome != REDIS_ANSWERED ||
               !redis_value_is(redis_value_at(a->value, 0), "staged")) {
        answer(h, AUTHORITY_AWAY,
               TEXT_OF("Redis was lost while the change was sent: nothing was changed."));
    } else {
        h->claim.part++;
        stage_next(h);
    }
}

static void stage(struct redis_history *h, const struct authority_entry *entry)
{
    char number[TEXT_NUMBER_SIZE];
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    struct text words[] = {
        redis_history_key_of(h, &arena, "body", &entry->head->id),
        TEXT_EMPTY,
        text_print_u64(h->claim.part, number),
        entry->parts[h->claim.part],
        TEXT(STAGED_MS),
    };
    redis_courier_send(h->courier, &(struct redis_errand){ .use = REDIS_CALLS,
                                                           .script = &redis_script_history_stage,
                                                           .words = words,
                                                           .count = ARRAY_LENGTH(words),
                                                           .key_count = 1,
                                                           .has_not_after = true,
                                                           .timeout_ms = REDIS_HISTORY_CALL_MS,
                                                           .done = on_staged,
                                                           .arg = h });
    arena_reset(&arena);
}

/* The next part that is too much for the commit itself; then the commit. */
static void stage_next(struct redis_history *h)
{
    struct history_claim *claim = &h->claim;
    while (claim->entry < claim->count && claim->part >= parts_of(&claim->entries[claim->entry])) {
        claim->entry++;
        claim->part = 0;
    }
    if (claim->entry < claim->count) {
        stage(h, &claim->entries[claim->entry]);
        return;
    }
    claim->staged = claim->entries[claim->count - 1].head->id;
    claim->due_ms = loop_now_ms(h->settings.loop) + REDIS_HISTORY_CALL_MS;
    commit(h);
}

void redis_history_claim_start(struct authority *a, const struct authority_entry *entries,
                               size_t count, authority_answered_fn *answered, void *arg)
{
    struct redis_history *h = CONTAINER_OF(a, struct redis_history, authority);
    MUST(!redis_history_claim_is_open(h) && count > 0);
    h->claim.entries = entries;
    h->claim.count = count;
    h->claim.answered = answered;
    h->claim.arg = arg;
    /* The same again, which others kept from being taken: its parts are there. */
    h->claim.is_staged = count == 1 && entry_id_equals(&entries[0].head->id, &h->claim.staged);
    h->claim.entry = h->claim.is_staged ? count : 0;
    h->claim.part = 0;
    h->claim.is_lost = false;
    stage_next(h);
}

void redis_history_claim_init(struct redis_history *h)
{
    loop_timer_init(&h->claim.timer, h->settings.loop, on_timer, h);
}
