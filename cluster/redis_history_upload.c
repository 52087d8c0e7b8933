/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_history_upload.c - the state of this node goes to Redis, which has lost it or a part of it.
 *
 *     elect ─▶ items of the state, chunk by chunk ─▶ the newest entries ─▶ put in place
 *
 * The node with the newest history does it, under a lock that ends by itself. Everything goes to
 * keys that nobody reads and that end by themselves too; one short script puts them in place, if
 * nobody else was faster.
 */
#include "cluster/redis_history_private.h"
#include "conf/base/digest.h"
#include "conf/base/mem.h"
#include "gatewayd/core/log.h"

#define SAY_SO_MS    "1000"  /* how long others may say that theirs is newer */
#define LOCK_MS      "10000" /* and what is staged, without a further step */
#define CHUNK_BYTES  ((size_t)64 << 10)
#define CHUNK_ITEMS  300
#define ENTRIES_MOST 256 /* of the log that go along: for nodes that are a little behind */
#define SOON_MS      200
#define RETRY_MS     1000

REDIS_SCRIPT(history_elect);
REDIS_SCRIPT(history_fold);
REDIS_SCRIPT(history_relog);
REDIS_SCRIPT(history_place);

static const struct log_scope log_store = { .subject = LOG_SUBJECT_store };

static void next_chunk(struct redis_history *h);
static void next_entry(struct redis_history *h);

/* ---- keys ---- */

/* Of this attempt only: what one before left would be mixed with what is there now. */
static struct text staged(const struct redis_history *h, struct arena *arena, const char *name)
{
    return arena_print(arena, "%.*snew:%s-%u:%s", TEXT_ARGS(builder_text(&h->prefix)),
                       h->upload.token, h->upload.attempt, name);
}

static struct text token_of(const struct redis_history *h)
{
    return text_of(h->upload.token);
}

static void run(struct redis_history *h, const struct redis_script *script,
                const struct text *words, size_t count, size_t keys, redis_courier_fn *done)
{
    h->is_looking = true;
    redis_courier_send(h->courier, &(struct redis_errand){ .use = REDIS_CALLS,
                                                           .script = script,
                                                           .words = words,
                                                           .count = count,
                                                           .key_count = keys,
                                                           .has_not_after = true,
                                                           .timeout_ms = REDIS_HISTORY_CALL_MS,
                                                           .done = done,
                                                           .arg = h });
}

/* ---- the end ---- */

static void end(struct redis_history *h, uint64_t again_ms)
{
    struct history_upload *u = &h->upload;
    if (u->is_walking)
        store_embedded_walk_fini(&u->walk);
    u->is_walking = false;
    builder_fini(&u->chunk);
    while (!list_is_empty(&u->entries)) {
        struct store_embedded_incoming *in =
            LIST_ITEM(u->entries.next, struct store_embedded_incoming, node);
        list_remove(&in->node);
        store_embedded_incoming_free(&in);
    }
    u->is_running = false;
    redis_history_look_again(h, again_ms);
}

/* The answer is this word. Otherwise it is over. */
static bool is_word(struct redis_history *h, const struct redis_answer *a, const char *word)
{
    h->is_looking = false;
    if (!h->upload.is_running)
        return false;
    if (h->phase == HISTORY_LOOKING && !h->is_stopping && a->outcome == REDIS_ANSWERED &&
        redis_value_is(redis_value_at(a->value, 0), word))
        return true;
    if (a->outcome == REDIS_REFUSED && h->phase == HISTORY_LOOKING) {
        log_warn(&log_store, "the state cannot be put into Redis: %.*s", TEXT_ARGS(a->reason));
        redis_history_enter(h, HISTORY_LOOKING, a->reason);
    }
    end(h, RETRY_MS);
    return false;
}

/* ---- in its place ---- */

static void on_placed(void *arg, const struct redis_answer *a)
{
    struct redis_history *h = arg;
    if (!is_word(h, a, "placed"))
        return;
    log_info(&log_store, "the shared state was put into Redis: revision %llu, %llu records",
             (unsigned long long)h->upload.base.revision, (unsigned long long)h->upload.items);
    end(h, 0);
}

static void place(struct redis_history *h)
{
    const struct history_upload *u = &h->upload;
    char number[TEXT_NUMBER_SIZE];
    struct arena arena;
    uint64_t tag = store_config_tag(store_embedded_port(h->settings.store));
    arena_init(&arena, SIZE_MAX);
    struct text words[] = {
        redis_history_key(h, &arena, "head"),
        redis_history_key(h, &arena, "log"),
        redis_history_key(h, &arena, "resources"),
        redis_history_key(h, &arena, "consumers"),
        redis_history_key(h, &arena, "keys"),
        redis_history_key(h, &arena, "revoked"),
        redis_history_key(h, &arena, "lock"),
        staged(h, &arena, "log"),
        staged(h, &arena, "resources"),
        staged(h, &arena, "consumers"),
        staged(h, &arena, "keys"),
        redis_history_key(h, &arena, "ids"),
        TEXT_EMPTY,
        token_of(h),
        redis_history_id(&h->cluster),
        text_print_u64(u->base.revision, number),
        redis_history_id(&u->base.id),
        text_from((const char *)&tag, sizeof(tag)),
        u->has_head ? TEXT_OF("head") : TEXT_OF("none"),
    };
    run(h, &redis_script_history_place, words, ARRAY_LENGTH(words), 12, on_placed);
    arena_reset(&arena);
}

/* ---- entries ---- */

static void on_relogged(void *arg, const struct redis_answer *a)
{
    struct redis_history *h = arg;
    if (is_word(h, a, "staged"))
        next_entry(h);
}

static void relog(struct redis_history *h, const struct store_embedded_incoming *in)
{
    char revision[TEXT_NUMBER_SIZE];
    char time[TEXT_NUMBER_SIZE];
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    struct text words[] = {
        staged(h, &arena, "log"),
        redis_history_key(h, &arena, "lock"),
        TEXT_EMPTY,
        token_of(h),
        TEXT(LOCK_MS),
        text_print_u64(in->head.revision, revision),
        redis_history_id(&in->head.id),
        redis_history_id(&in->head.prev),
        text_print_u64((uint64_t)in->head.time_ms, time),
        in->head.author,
        in->head.summary,
        in->part_count == 0 ? TEXT_EMPTY : in->parts[0],
    };
    run(h, &redis_script_history_relog, words, ARRAY_LENGTH(words), 2, on_relogged);
    arena_reset(&arena);
}

static void next_entry(struct redis_history *h)
{
    struct list *entries = &h->upload.entries;
    if (list_is_empty(entries)) {
        place(h);
        return;
    }
    struct store_embedded_incoming *in =
        LIST_ITEM(entries->next, struct store_embedded_incoming, node);
    list_remove(&in->node);
    relog(h, in);
    store_embedded_incoming_free(&in);
}

/* Only the newest ones without a big one between. */
static void on_fetched(void *arg, struct list *entries)
{
    struct redis_history *h = arg;
    struct history_upload *u = &h->upload;
    h->is_looking = false;
    if (!u->is_running)
        return;
    while (!list_is_empty(entries)) {
        struct store_embedded_incoming *in =
            LIST_ITEM(entries->prev, struct store_embedded_incoming, node);
        if (in->part_count > 1 ||
            (in->part_count == 1 && in->parts[0].length > REDIS_HISTORY_INLINE_MOST))
            break;
        list_remove(&in->node);
        list_add_first(&u->entries, &in->node);
    }
    next_entry(h);
}

static void fetch_entries(struct redis_history *h)
{
    struct history_upload *u = &h->upload;
    uint64_t oldest = store_oldest_revision(store_embedded_port(h->settings.store));
    if (u->has_head || oldest == 0) {
        next_entry(h);
        return;
    }
    uint64_t from =
        u->base.revision > ENTRIES_MOST ? u->base.revision - ENTRIES_MOST + 1 : (uint64_t)1;
    h->is_looking = true;
    store_embedded_fetch(h->settings.store, from < oldest ? oldest : from, u->base.revision,
                         on_fetched, h);
}

/* ---- the state ---- */

static void on_folded(void *arg, const struct redis_answer *a)
{
    struct redis_history *h = arg;
    if (is_word(h, a, "folded"))
        next_chunk(h);
}

static void next_chunk(struct redis_history *h)
{
    struct history_upload *u = &h->upload;
    struct arena arena;
    bool has_more = true;
    builder_clear(&u->chunk);
    for (int i = 0; has_more && i < CHUNK_ITEMS && u->chunk.length < CHUNK_BYTES; i++) {
        has_more = store_embedded_walk_next(&u->walk, &u->chunk);
        u->items += has_more;
    }
    if (builder_text(&u->chunk).length == 0) {
        MUST(!has_more);
        fetch_entries(h);
        return;
    }
    arena_init(&arena, SIZE_MAX);
    struct text words[] = {
        redis_history_key(h, &arena, "head"),
        redis_history_key(h, &arena, "log"),
        staged(h, &arena, "resources"),
        staged(h, &arena, "consumers"),
        staged(h, &arena, "keys"),
        redis_history_key(h, &arena, "revoked"),
        redis_history_key(h, &arena, "lock"),
        TEXT("state"),
        TEXT_EMPTY,
        token_of(h),
        builder_text(&u->chunk),
        TEXT(LOCK_MS),
    };
    /* The first argument says what is to be done; the second one is the not-after. */
    h->is_looking = true;
    redis_courier_send(h->courier, &(struct redis_errand){ .use = REDIS_CALLS,
                                                           .script = &redis_script_history_fold,
                                                           .words = words,
                                                           .count = ARRAY_LENGTH(words),
                                                           .key_count = 7,
                                                           .has_not_after = true,
                                                           .not_after_at = 8,
                                                           .timeout_ms = REDIS_HISTORY_CALL_MS,
                                                           .done = on_folded,
                                                           .arg = h });
    arena_reset(&arena);
}

/* ---- who does it ---- */

static void on_elected(void *arg, const struct redis_answer *a)
{
    struct redis_history *h = arg;
    struct history_upload *u = &h->upload;
    const struct redis_value *word = redis_value_at(a->value, 0);
    if (a->outcome == REDIS_ANSWERED && u->is_running &&
        (redis_value_is(word, "wait") || redis_value_is(word, "other"))) {
        h->is_looking = false;
        end(h, SOON_MS);
        return;
    }
    if (!is_word(h, a, "begin"))
        return;
    store_embedded_walk_init(&u->walk, h->settings.store);
    u->is_walking = true;
    u->attempt++;
    u->items = 0;
    next_chunk(h);
}

static void elect(struct redis_history *h)
{
    char number[TEXT_NUMBER_SIZE];
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    struct text words[] = {
        redis_history_key(h, &arena, "lock"),
        TEXT_EMPTY,
        token_of(h),
        text_print_u64(h->upload.base.revision, number),
        TEXT(SAY_SO_MS),
        TEXT(LOCK_MS),
    };
    run(h, &redis_script_history_elect, words, ARRAY_LENGTH(words), 1, on_elected);
    arena_reset(&arena);
}

void redis_history_upload_start(struct redis_history *h, const struct history_head *head)
{
    struct history_upload *u = &h->upload;
    unsigned char random[8];
    MUST(!u->is_running);
    /* One token for as long as it takes: the lock is asked for again and again. */
    if (u->token[0] == '\0') {
        digest_random(random, sizeof(random));
        digest_print_hex(random, sizeof(random), u->token);
    }
    u->is_running = true;
    u->has_head = head != NULL;
    u->base.revision = store_revision(store_embedded_port(h->settings.store));
    u->base.id = store_embedded_id(h->settings.store);
    h->cluster = store_embedded_cluster(h->settings.store);
    list_init(&u->entries);
    builder_init(&u->chunk, SIZE_MAX);
    elect(h);
}
