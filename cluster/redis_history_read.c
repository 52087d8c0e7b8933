/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_history_read.c - a full read: everything that is in Redis takes the place of what is here.
 *
 *     head ─▶ the entries that are listed ─▶ resources, consumers, keys, revocations ─▶ head again
 *
 * The hashes are read in slices while others write; what was folded into them meanwhile comes again
 * with the entries after the first head. If the log does not reach back to it any more, all of it
 * is read again.
 */
#include "cluster/redis_history_private.h"
#include "conf/base/mem.h"
#include "gatewayd/core/log.h"

#define ENTRIES_AT_ONCE "64"
#define FEW_AT_ONCE     2 /* resources may have 16 MiB, and a reply 128 */
#define MANY_AT_ONCE    512
#define SMALL_REPLY     ((size_t)256 << 10)
#define LARGE_REPLY     ((size_t)1 << 20)
#define RETRY_MS        1000
#define FOLD_MS         20
#define QUIET_MS        2

static const struct log_scope log_store = { .subject = LOG_SUBJECT_store };
static const char *const hashes[] = { "resources", "consumers", "keys", "revoked" };

static void scan(struct redis_history *h);
static void list(struct redis_history *h);

static void give_up(struct redis_history *h)
{
    store_embedded_replace_cancel(h->settings.store);
    if (!h->is_stopping)
        store_embedded_look(h->settings.store);
    h->read.is_reading = false;
    redis_history_look_again(h, RETRY_MS);
}

/* It was given up, or Redis did not answer. */
static bool is_over(struct redis_history *h, const struct redis_answer *a)
{
    h->is_looking = false;
    if (!h->read.is_reading)
        return true;
    if (h->phase == HISTORY_LOOKING && !h->is_stopping && a->outcome == REDIS_ANSWERED)
        return false;
    if (a->outcome == REDIS_LOST)
        h->read.is_careful = true;
    if (a->outcome == REDIS_REFUSED)
        log_warn(&log_store, "the shared state cannot be read: %.*s", TEXT_ARGS(a->reason));
    give_up(h);
    return true;
}

static void ask(struct redis_history *h, const struct text *words, size_t count,
                redis_courier_fn *done)
{
    h->is_looking = true;
    redis_history_call(h, words, count, done);
}

/* ---- the end ---- */

static void on_replaced(void *arg, struct text why)
{
    struct redis_history *h = arg;
    h->read.is_reading = false;
    h->is_looking = false;
    if (!text_is_empty(why)) {
        if (h->phase == HISTORY_LOOKING)
            redis_history_enter(h, HISTORY_LOOKING, why);
        redis_history_look_again(h, RETRY_MS);
        return;
    }
    log_info(&log_store, "the shared state was read: revision %llu, %llu records",
             (unsigned long long)h->read.head.folded, (unsigned long long)h->read.records);
    h->cluster = h->read.head.cluster;
    redis_history_tell_cluster(h);
    h->read.is_careful = false;
    /* Twice the same: what comes after it cannot be followed. */
    bool is_same = entry_id_equals(&h->read.brought, &h->read.head.folded_id);
    h->read.brought = h->read.head.folded_id;
    redis_history_look_again(h, is_same ? RETRY_MS : 0);
}

static void on_first(void *arg, const struct redis_answer *a)
{
    struct redis_history *h = arg;
    if (is_over(h, a))
        return;
    if (a->value->count == 0) {
        log_info(&log_store, "the shared history was trimmed while its state was read: again");
        give_up(h);
        return;
    }
    h->is_looking = true;
    store_embedded_replace_finish(h->settings.store, on_replaced, h);
}

static void on_head_again(void *arg, const struct redis_answer *a)
{
    struct redis_history *h = arg;
    struct history_head head;
    char number[TEXT_NUMBER_SIZE];
    struct arena arena;
    if (is_over(h, a))
        return;
    redis_history_beat_read(a->value, &head);
    uint64_t base = h->read.head.folded;
    if (!head.is_there || !entry_id_equals(&head.cluster, &h->read.head.cluster) ||
        head.at.revision < base) {
        give_up(h);
        return;
    }
    if (head.at.revision == base) {
        h->is_looking = true;
        store_embedded_replace_finish(h->settings.store, on_replaced, h);
        return;
    }
    arena_init(&arena, SIZE_MAX);
    struct text id = arena_print(&arena, "%.*s-0", TEXT_ARGS(text_print_u64(base + 1, number)));
    struct text words[] = { TEXT("XRANGE"), redis_history_key(h, &arena, "log"), id, id };
    ask(h, words, ARRAY_LENGTH(words), on_first);
    arena_reset(&arena);
}

/* ---- the hashes ---- */

/* Records of one kind are mostly of one size: what came tells how many may come next. */
static void pace(struct history_read *r, size_t bytes)
{
    if (bytes > LARGE_REPLY || r->is_careful)
        r->at_once = FEW_AT_ONCE;
    else if (bytes < SMALL_REPLY && r->at_once < MANY_AT_ONCE)
        r->at_once *= 2;
}

static void on_fields(void *arg, const struct redis_answer *a)
{
    struct redis_history *h = arg;
    struct history_read *r = &h->read;
    if (is_over(h, a))
        return;
    const struct redis_value *fields = redis_value_at(a->value, 1);
    size_t bytes = 0;
    for (size_t i = 1; i < fields->count; i += 2) {
        store_embedded_replace_add_state(h->settings.store, fields->items[i].text);
        bytes += fields->items[i].text.length;
    }
    pace(r, bytes);
    r->records += fields->count / 2;
    struct text cursor = redis_value_at(a->value, 0)->text;
    if (text_equals(cursor, TEXT_OF("0"))) {
        r->hash++;
        r->at_once = FEW_AT_ONCE;
    }
    r->cursor_length = cursor.length < sizeof(r->cursor) ? cursor.length : 0;
    memcpy(r->cursor, cursor.at, r->cursor_length);
    scan(h);
}

static void scan(struct redis_history *h)
{
    struct arena arena;
    char number[TEXT_NUMBER_SIZE];
    if (h->read.hash == ARRAY_LENGTH(hashes)) {
        h->is_looking = true;
        redis_history_beat_ask(h, on_head_again);
        return;
    }
    arena_init(&arena, SIZE_MAX);
    struct text words[] = { TEXT("HSCAN"), redis_history_key(h, &arena, hashes[h->read.hash]),
                            text_from(h->read.cursor, h->read.cursor_length), TEXT("COUNT"),
                            text_print_u64(h->read.at_once, number) };
    ask(h, words, ARRAY_LENGTH(words), on_fields);
    arena_reset(&arena);
}

static void scan_first(struct redis_history *h)
{
    /* What is listed ends where the state does, or there is no list. */
    if (!entry_id_equals(&h->read.listed, &h->read.head.folded_id))
        store_embedded_replace_drop_entries(h->settings.store);
    h->read.hash = 0;
    h->read.at_once = FEW_AT_ONCE;
    h->read.cursor[0] = '0';
    h->read.cursor_length = 1;
    scan(h);
}

/* ---- the entries up to the state, to be listed ---- */

static uint64_t number_of(const struct redis_value *entry)
{
    struct text id = redis_value_at(entry, 0)->text;
    uint64_t number = 0;
    return text_parse_u64(text_first(id, text_find_byte(id, '-')), &number) ? number : 0;
}

/* Those behind one whose items are not at hand cannot be told without it: the list begins later. */
static void list_entry(struct redis_history *h, const struct redis_value *entry)
{
    struct history_read *r = &h->read;
    uint64_t parts;
    struct store_embedded_incoming *in = redis_history_follow_parse(entry, &parts);
    if (in == NULL) { /* no node's: those before it are not followed by those behind it */
        store_embedded_replace_drop_entries(h->settings.store);
        r->listed = (struct entry_id){ { 0 } };
        r->from = number_of(entry) + 1;
        return;
    }
    bool is_next = entry_id_equals(&in->head.prev, &r->listed);
    r->listed = in->head.id;
    if (!is_next || parts > 0)
        store_embedded_replace_drop_entries(h->settings.store);
    r->from = in->head.revision + 1;
    if (parts > 0)
        store_embedded_incoming_free(&in);
    else
        store_embedded_replace_add_entry(h->settings.store, in);
}

static void on_entries(void *arg, const struct redis_answer *a)
{
    struct redis_history *h = arg;
    if (is_over(h, a))
        return;
    for (size_t i = 0; i < a->value->count; i++)
        list_entry(h, &a->value->items[i]);
    if (a->value->count == 0 || h->read.from > h->read.head.folded)
        scan_first(h);
    else
        list(h);
}

static void list(struct redis_history *h)
{
    char from[TEXT_NUMBER_SIZE];
    char to[TEXT_NUMBER_SIZE];
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    struct text words[] = {
        TEXT("XRANGE"),
        redis_history_key(h, &arena, "log"),
        arena_print(&arena, "%.*s-0", TEXT_ARGS(text_print_u64(h->read.from, from))),
        arena_print(&arena, "%.*s-0", TEXT_ARGS(text_print_u64(h->read.head.folded, to))),
        TEXT("COUNT"),
        TEXT(ENTRIES_AT_ONCE),
    };
    ask(h, words, ARRAY_LENGTH(words), on_entries);
    arena_reset(&arena);
}

/* ---- the beginning ---- */

static void on_head(void *arg, const struct redis_answer *a)
{
    struct redis_history *h = arg;
    struct history_read *r = &h->read;
    if (is_over(h, a))
        return;
    redis_history_beat_read(a->value, &r->head);
    if (!r->head.is_there || !r->head.is_whole) {
        redis_history_beat_fold(h);
        if (r->head.is_there)
            redis_history_enter(h, HISTORY_LOOKING,
                                TEXT_OF("The state in Redis is not whole: a node that has all of "
                                        "it has to put it there."));
        give_up(h);
        return;
    }
    /* Whoever made the first entry ended before it was folded; or what is folded is here already.
     */
    struct entry_id mine = store_embedded_id(h->settings.store);
    bool is_here = entry_id_equals(&r->head.folded_id, &mine);
    if (r->head.folded == 0 || (is_here && r->head.folded < r->head.at.revision)) {
        redis_history_beat_fold(h);
        r->is_reading = false;
        redis_history_look_again(h, FOLD_MS);
        return;
    }
    /* A revocation waits for nobody: it may be on its way into the journal. */
    if (!store_embedded_can_replace(h->settings.store)) {
        h->read.is_reading = false;
        redis_history_look_again(h, QUIET_MS);
        return;
    }
    store_embedded_replace_start(h->settings.store,
                                 &(struct store_embedded_base){ .cluster = r->head.cluster,
                                                                .revision = r->head.folded,
                                                                .id = r->head.folded_id,
                                                                .config_tag = r->head.config_tag });
    r->records = 0;
    r->from = 1;
    r->listed = (struct entry_id){ { 0 } };
    list(h);
}

void redis_history_read_start(struct redis_history *h)
{
    MUST(!h->read.is_reading);
    h->read.is_reading = true;
    h->is_looking = true;
    redis_history_beat_ask(h, on_head);
}
