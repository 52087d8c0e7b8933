/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_history_follow.c - what others do, as it happens: XREAD waits on a link of its own. Entries
 * go to the store in their order; one whose items are too big for the log fetches them part by part
 * first, and those behind it wait.
 */
#include "cluster/redis_history_private.h"
#include "conf/base/mem.h"

#define READ_COUNT "64"
#define BLOCK_MS   "1000"
#define ANSWER_MS  2000 /* silence for so long is a lost connection */
/* Of entries that have come and are not applied yet, as while this node plans something big: those
 * of 10 s of busy writers. What is not read in time may be trimmed before it is. */
#define AHEAD_BYTES   ((size_t)64 << 20)
#define AHEAD_LOOK_MS 5
#define PARTS_MOST    65536 /* of one entry; what says more is none of ours */

static void read_on(struct redis_history *h);
static void deliver(struct redis_history *h);

static void go_astray(struct redis_history *h, const char *why)
{
    redis_history_look_start(h, text_of(why));
}

static struct store_embedded_incoming *first_of(const struct redis_history *h)
{
    const struct list *coming = &h->follow.coming;
    return list_is_empty(coming) ? NULL
                                 : LIST_ITEM(coming->next, struct store_embedded_incoming, node);
}

/* ---- big bodies ---- */

static void on_part(void *arg, const struct redis_answer *a)
{
    struct redis_history *h = arg;
    struct history_follow *f = &h->follow;
    struct store_embedded_incoming *in = first_of(h);
    f->is_fetching = false;
    if (in == NULL || f->missing == 0)
        return; /* dropped meanwhile */
    if (!entry_id_equals(&f->fetching, &in->head.id)) {
        deliver(h);
        return;
    }
    if (a->outcome == REDIS_LOST || a->outcome == REDIS_AWAY)
        return; /* the link is lost: all of it comes again */
    if (a->value->kind != REDIS_REPLY_TEXT) {
        f->gone = in->head.revision;
        go_astray(h, "What an entry changed is no longer in Redis.");
        return;
    }
    store_embedded_incoming_add(in, a->value->text);
    f->missing--;
    deliver(h);
}

static void fetch_part(struct redis_history *h, const struct store_embedded_incoming *in)
{
    char number[TEXT_NUMBER_SIZE];
    struct arena arena;
    if (h->follow.is_fetching)
        return;
    h->follow.is_fetching = true;
    h->follow.fetching = in->head.id;
    arena_init(&arena, SIZE_MAX);
    struct text words[] = { TEXT("HGET"), redis_history_key_of(h, &arena, "body", &in->head.id),
                            text_print_u64(in->part_count, number) };
    redis_history_call(h, words, ARRAY_LENGTH(words), on_part);
    arena_reset(&arena);
}

/* ---- entries ---- */

/* Those that are whole go to the store. */
static void deliver(struct redis_history *h)
{
    struct history_follow *f = &h->follow;
    struct store_embedded_incoming *in;
    while ((in = first_of(h)) != NULL) {
        bool is_known = store_embedded_knows(h->settings.store, in->head.revision, &in->head.id) ==
                        STORE_EMBEDDED_KNOWN;
        if (f->missing == 0 && in->part_count == 0 && in->part_size > 0 && !is_known)
            f->missing = in->part_size;
        if (f->missing > 0) {
            fetch_part(h, in);
            return;
        }
        list_remove(&in->node);
        store_embedded_follow(h->settings.store, in);
    }
    read_on(h);
}

static struct text field_of(const struct redis_value *fields, const char *name)
{
    for (size_t i = 0; i + 1 < fields->count; i += 2) {
        if (redis_value_is(&fields->items[i], name))
            return fields->items[i + 1].text;
    }
    return TEXT_EMPTY;
}

static bool read_id(struct text bytes, struct entry_id *id_out)
{
    if (bytes.length != ENTRY_ID_SIZE)
        return false;
    memcpy(id_out->bytes, bytes.at, ENTRY_ID_SIZE);
    return true;
}

struct store_embedded_incoming *redis_history_follow_parse(const struct redis_value *entry,
                                                           uint64_t *parts_out)
{
    const struct redis_value *fields = redis_value_at(entry, 1);
    struct text number = redis_value_at(entry, 0)->text;
    struct entry_head head = { .author = field_of(fields, "author"),
                               .summary = field_of(fields, "summary") };
    *parts_out = 0;
    bool is_numbered = text_ends_with(number, TEXT_OF("-0"));
    number = text_first(number, text_find_byte(number, '-'));
    if (!is_numbered || !text_parse_u64(number, &head.revision) ||
        !read_id(field_of(fields, "id"), &head.id) ||
        !read_id(field_of(fields, "prev"), &head.prev) ||
        !text_parse_i64(field_of(fields, "time"), &head.time_ms) ||
        !text_parse_u64(field_of(fields, "parts"), parts_out) || *parts_out > PARTS_MOST)
        return NULL;
    struct store_embedded_incoming *in = store_embedded_incoming_new(&head);
    if (*parts_out == 0)
        store_embedded_incoming_add(in, field_of(fields, "items"));
    return in;
}

static bool take_entry(struct redis_history *h, const struct redis_value *entry)
{
    struct history_place *at = &h->follow.at;
    uint64_t parts;
    struct store_embedded_incoming *in = redis_history_follow_parse(entry, &parts);
    /* The first entry of all is another node's: so is the cluster, which this node has to join. */
    bool is_joining =
        in != NULL && at->revision == 0 &&
        store_embedded_knows(h->settings.store, 1, &in->head.id) != STORE_EMBEDDED_KNOWN;
    if (in == NULL || is_joining || in->head.revision != at->revision + 1 ||
        !entry_id_equals(&in->head.prev, &at->id)) {
        store_embedded_incoming_free(&in);
        return false;
    }
    if (parts > 0) {
        in->parts = mem_new_array(parts, sizeof(*in->parts));
        in->part_size = parts;
    }
    at->revision = in->head.revision;
    at->id = in->head.id;
    list_add_last(&h->follow.coming, &in->node);
    return true;
}

/* ---- reading ---- */

static void on_read(void *arg, const struct redis_answer *a)
{
    struct redis_history *h = arg;
    h->follow.is_reading = false;
    if (h->phase != HISTORY_READY || h->is_stopping)
        return;
    if (a->outcome == REDIS_REFUSED) {
        loop_timer_start(&h->follow.timer, REDIS_HISTORY_BEAT_MS);
        return;
    }
    if (a->outcome != REDIS_ANSWERED)
        return; /* until the link is back */
    /* It was asked for before this node looked again. */
    if (h->follow.asked.revision != h->follow.at.revision ||
        !entry_id_equals(&h->follow.asked.id, &h->follow.at.id)) {
        read_on(h);
        return;
    }
    /* [[key, [entry, …]]], or nil when the time is over. */
    const struct redis_value *entries = redis_value_at(redis_value_at(a->value, 0), 1);
    for (size_t i = 0; i < entries->count; i++) {
        if (!take_entry(h, &entries->items[i])) {
            deliver(h);
            go_astray(h, "The next entry of the shared history does not follow the last one here.");
            return;
        }
    }
    deliver(h);
}

bool redis_history_follow_is_ahead(const struct redis_history *h)
{
    return store_embedded_follow_bytes(h->settings.store) > AHEAD_BYTES;
}

static void read_on(struct redis_history *h)
{
    struct history_follow *f = &h->follow;
    char from[TEXT_NUMBER_SIZE + 2];
    struct arena arena;
    if (h->phase != HISTORY_READY || h->is_stopping || f->is_reading || !h->is_up[REDIS_FOLLOW] ||
        !list_is_empty(&f->coming))
        return;
    if (redis_history_follow_is_ahead(h)) {
        loop_timer_start(&f->timer, AHEAD_LOOK_MS);
        return;
    }
    f->is_reading = true;
    f->asked = f->at;
    arena_init(&arena, SIZE_MAX);
    struct text words[] = { TEXT("XREAD"),
                            TEXT("COUNT"),
                            TEXT(READ_COUNT),
                            TEXT("BLOCK"),
                            TEXT(BLOCK_MS),
                            TEXT("STREAMS"),
                            redis_history_key(h, &arena, "log"),
                            arena_print(&arena, "%.*s-18446744073709551615",
                                        TEXT_ARGS(text_print_u64(f->at.revision, from))) };
    redis_courier_send(h->courier, &(struct redis_errand){ .use = REDIS_FOLLOW,
                                                           .words = words,
                                                           .count = ARRAY_LENGTH(words),
                                                           .timeout_ms = ANSWER_MS,
                                                           .done = on_read,
                                                           .arg = h });
    arena_reset(&arena);
}

static void on_timer(void *arg)
{
    read_on(arg);
}

void redis_history_follow_start(struct redis_history *h, const struct history_place *from)
{
    redis_history_follow_stop(h);
    h->follow.at = *from;
    read_on(h);
}

void redis_history_follow_stop(struct redis_history *h)
{
    struct store_embedded_incoming *in;
    loop_timer_stop(&h->follow.timer);
    h->follow.missing = 0;
    while ((in = first_of(h)) != NULL) {
        list_remove(&in->node);
        store_embedded_incoming_free(&in);
    }
}

void redis_history_follow_init(struct redis_history *h)
{
    list_init(&h->follow.coming);
    loop_timer_init(&h->follow.timer, h->settings.loop, on_timer, h);
}
