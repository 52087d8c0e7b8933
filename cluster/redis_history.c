/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_history.c - its phases, and what the store and the status are told.
 */
#include "cluster/redis_history.h"

#include "cluster/conflicts.h"
#include "cluster/redis_history_private.h"
#include "cluster/redis_history_tail.h"
#include "cluster/state_dir.h"
#include "conf/base/digest.h"
#include "conf/base/mem.h"
#include "gatewayd/core/log.h"

static const struct log_scope log_store = { .subject = LOG_SUBJECT_store };

/* ---- names ---- */

struct text redis_history_key(const struct redis_history *h, struct arena *arena, const char *name)
{
    return arena_print(arena, "%.*s%s", TEXT_ARGS(builder_text(&h->prefix)), name);
}

struct text redis_history_key_of(const struct redis_history *h, struct arena *arena,
                                 const char *name, const struct entry_id *id)
{
    char hex[REDIS_HISTORY_ID_HEX + 1];
    digest_print_hex(id->bytes, ENTRY_ID_SIZE, hex);
    return arena_print(arena, "%.*s%s:%s", TEXT_ARGS(builder_text(&h->prefix)), name, hex);
}

void redis_history_tell_cluster(struct redis_history *h)
{
    struct entry_id cluster = store_embedded_cluster(h->settings.store);
    bool has_state = store_revision(store_embedded_port(h->settings.store)) > 0;
    redis_set_cluster(h->settings.redis, has_state ? redis_history_id(&cluster) : TEXT_EMPTY);
}

struct text redis_history_id(const struct entry_id *id)
{
    return text_from((const char *)id->bytes, ENTRY_ID_SIZE);
}

void redis_history_run(struct redis_history *h, const struct redis_script *script,
                       const struct text *words, size_t count, size_t key_count,
                       redis_courier_fn *done)
{
    redis_courier_send(h->courier, &(struct redis_errand){ .use = REDIS_CALLS,
                                                           .script = script,
                                                           .words = words,
                                                           .count = count,
                                                           .key_count = key_count,
                                                           .timeout_ms = REDIS_HISTORY_CALL_MS,
                                                           .done = done,
                                                           .arg = h });
}

void redis_history_call(struct redis_history *h, const struct text *words, size_t count,
                        redis_courier_fn *done)
{
    redis_history_run(h, NULL, words, count, 0, done);
}

bool redis_history_parse_id(const struct redis_value *v, struct entry_id *id_out)
{
    if (v->kind != REDIS_REPLY_TEXT || v->text.length != ENTRY_ID_SIZE)
        return false;
    memcpy(id_out->bytes, v->text.at, ENTRY_ID_SIZE);
    return true;
}

/* ---- phases ---- */

static void log_phase(const struct redis_history *h, enum history_phase before)
{
    if (h->phase == HISTORY_READY && before != HISTORY_READY)
        log_info(&log_store, "the shared history is followed, at revision %llu",
                 (unsigned long long)h->follow.at.revision);
    else if (h->phase != HISTORY_READY && before == HISTORY_READY)
        log_warn(&log_store, "the shared history is away: %s", h->reason);
}

void redis_history_enter(struct redis_history *h, enum history_phase phase, struct text reason)
{
    enum history_phase before = h->phase;
    char *why = phase == HISTORY_READY ? NULL : mem_copy_text(reason.at, reason.length);
    MEM_FREE(&h->reason);
    h->reason = why;
    h->phase = phase;
    if ((before == HISTORY_READY) != (phase == HISTORY_READY))
        h->since = clock_wall_ms(&h->settings.loop->clock);
    if (before != HISTORY_LOOKING && phase == HISTORY_LOOKING)
        h->looking_ms = loop_now_ms(h->settings.loop);
    if (before == HISTORY_READY || phase == HISTORY_READY) {
        h->fresh_ms = loop_now_ms(h->settings.loop);
        h->age_ms = 0;
        state_dir_set_fresh(h->settings.dir);
    }
    if (before != phase)
        log_phase(h, before);
    store_embedded_look(h->settings.store);
    if (phase == HISTORY_READY && !h->has_been_ready && h->settings.on_ready != NULL) {
        h->has_been_ready = true;
        h->settings.on_ready(h->settings.arg);
    }
}

static void on_link(void *arg, enum redis_use use, bool is_up, struct text reason)
{
    struct redis_history *h = arg;
    h->is_up[use] = is_up;
    if (h->is_stopping)
        return;
    /* Why there is no Redis is known best by the link that is tried for everything else. */
    if (use == REDIS_FOLLOW && !is_up && !h->is_up[REDIS_CALLS] && h->phase == HISTORY_AWAY)
        return;
    if (!is_up) {
        redis_history_look_stop(h);
        redis_history_enter(h, HISTORY_AWAY,
                            text_is_empty(reason) ? TEXT_OF("Redis is away.") : reason);
        return;
    }
    if (use == REDIS_CALLS)
        redis_history_claim_on_link(h);
    if (h->is_up[REDIS_CALLS] && h->is_up[REDIS_FOLLOW])
        redis_history_look_start(h, TEXT_OF("This node looks where the shared history is."));
}

void redis_history_add_conflict(struct redis_history *h, uint64_t revision)
{
    conflicts_add(h->conflicts, revision, store_revision(store_embedded_port(h->settings.store)));
}

static void on_conflicts_saved(void *arg)
{
    struct redis_history *h = arg;
    if (h->tail != NULL && !h->is_stopping)
        redis_history_tail_on_saved(h->tail);
}

/* ---- the authority ---- */

static struct redis_history *history_of(const struct authority *a)
{
    return CONTAINER_OF(a, struct redis_history, authority);
}

static bool is_looking(const struct authority *a)
{
    const struct redis_history *h = history_of(a);
    return h->phase == HISTORY_LOOKING &&
           loop_now_ms(h->settings.loop) < h->looking_ms + REDIS_HISTORY_CALL_MS;
}

static struct text refusal(const struct authority *a)
{
    const struct redis_history *h = history_of(a);
    return h->phase == HISTORY_READY || is_looking(a) ? TEXT_EMPTY : text_of(h->reason);
}

static void astray(struct authority *a)
{
    struct redis_history *h = history_of(a);
    if (h->phase == HISTORY_READY && !h->is_stopping)
        redis_history_look_start(h, TEXT_OF("What came from Redis does not follow what is here."));
}

static int64_t staleness_of(const struct redis_history *h)
{
    if (h->phase == HISTORY_READY)
        return 0;
    return h->age_ms + (int64_t)(loop_now_ms(h->settings.loop) - h->fresh_ms);
}

static struct store_status get_status(const struct authority *a)
{
    const struct redis_history *h = history_of(a);
    size_t conflict_count;
    const uint64_t *conflicts = conflicts_get(h->conflicts, &conflict_count);
    return (struct store_status){
        .kind = "redis",
        .is_away = h->phase != HISTORY_READY,
        .since = h->since,
        .staleness_ms = staleness_of(h),
        .reason = text_of(h->reason),
        .conflicts = conflicts,
        .conflict_count = conflict_count,
        .passed_over = h->passed,
    };
}

static const struct authority_type redis_authority = {
    .name = "redis",
    .claim = redis_history_claim_start,
    .take_turn = redis_history_turn_take,
    .give_turn = redis_history_turn_give,
    .refusal = refusal,
    .is_looking = is_looking,
    .astray = astray,
    .status = get_status,
};

struct authority *redis_history_authority(struct redis_history *h)
{
    return &h->authority;
}

void redis_history_set_keeping(struct redis_history *h, size_t history, int64_t tombstones)
{
    h->settings.history = history;
    h->settings.tombstones = tombstones;
}

/* ---- lifetime ---- */

/* What is here is as old as it was when the process before last knew that it was all there is. */
static void take_age(struct redis_history *h)
{
    int64_t age_ms = clock_read_wall_ms() - h->settings.dir->fresh_ms;
    h->fresh_ms = loop_now_ms(h->settings.loop);
    h->age_ms = age_ms < 0 ? 0 : age_ms;
}

struct redis_history *redis_history_new(const struct redis_history_settings *settings)
{
    struct redis_history *h = mem_new(sizeof(*h));
    h->authority.type = &redis_authority;
    h->settings = *settings;
    h->reason = mem_copy_text("Redis has not been reached yet.", 31);
    h->since = clock_read_wall_ms();
    builder_init(&h->prefix, SIZE_MAX);
    builder_addf(&h->prefix, "{%.*s}:", TEXT_ARGS(redis_prefix(settings->redis)));
    h->conflicts = conflicts_new(settings->dir, settings->loop, on_conflicts_saved, h);
    h->courier = redis_courier_new(settings->redis, settings->thread, on_link, h);
    take_age(h); /* before anything is served */
    redis_history_claim_init(h);
    redis_history_turn_init(h);
    redis_history_follow_init(h);
    redis_history_beat_init(h);
    redis_history_look_init(h);
    return h;
}

void redis_history_start(struct redis_history *h)
{
    take_age(h); /* the process before may have known better meanwhile */
    redis_history_tell_cluster(h);
    conflicts_start(h->conflicts, store_embedded_scribe(h->settings.store));
    redis_history_beat_start(h);
    redis_history_tidy_start(h);
    h->tail = redis_history_tail_new(h);
    redis_history_tail_load(h->tail);
}

void redis_history_stop(struct redis_history *h)
{
    h->is_stopping = true;
    redis_history_look_stop(h);
    redis_history_turn_stop(h);
    redis_history_beat_stop(h);
    redis_history_tidy_stop(h);
    redis_history_follow_stop(h);
    redis_history_tail_stop(h->tail);
    conflicts_stop(h->conflicts);
    redis_courier_close(h->courier);
}

void redis_history_free(struct redis_history **at)
{
    struct redis_history *h = *at;
    if (h == NULL)
        return;
    redis_history_tail_free(&h->tail);
    redis_courier_free(&h->courier);
    builder_fini(&h->prefix);
    MEM_FREE(&h->reason);
    conflicts_free(&h->conflicts);
    MEM_FREE(at);
}
