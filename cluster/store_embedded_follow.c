/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded_follow.c - entries that were accepted elsewhere: in their order, each decoded,
 * then written and applied like one of our own, and never refused: what this version does not
 * understand is passed over, what cannot be in force here is held back (store_embedded_held.c).
 */
#include "cluster/store_embedded_private.h"
#include "conf/base/mem.h"
#include "gatewayd/core/log.h"

static const struct log_scope log_store = { .subject = LOG_SUBJECT_store };

/* ---- what comes in ---- */

struct store_embedded_incoming *store_embedded_incoming_new(const struct entry_head *head)
{
    struct store_embedded_incoming *in = mem_new(sizeof(*in));
    list_init(&in->node);
    arena_init(&in->arena, SIZE_MAX);
    in->head = *head;
    in->head.author = arena_copy(&in->arena, text_first(head->author, ENTRY_AUTHOR_MAX));
    in->head.summary = arena_copy(&in->arena, text_first(head->summary, ENTRY_SUMMARY_MAX));
    return in;
}

void store_embedded_incoming_add(struct store_embedded_incoming *in, struct text part)
{
    if (in->part_count == in->part_size) {
        in->part_size = in->part_size == 0 ? 1 : in->part_size * 2;
        in->parts = mem_resize(in->parts, in->part_size * sizeof(*in->parts));
    }
    /* The journal takes no more than whole items: a start refuses anything else. */
    struct text readable =
        part.length <= STORE_EMBEDDED_PART_MOST ? item_readable(part) : TEXT_EMPTY;
    in->is_cut |= readable.length < part.length;
    in->parts[in->part_count++] = arena_copy(&in->arena, readable);
}

void store_embedded_incoming_free(struct store_embedded_incoming **at)
{
    if (*at == NULL)
        return;
    arena_reset(&(*at)->arena);
    MEM_FREE(&(*at)->parts);
    MEM_FREE(at);
}

void store_embedded_follow_free(struct store_embedded_incoming **in)
{
    store_embedded_incoming_free(in);
}

static enum store_embedded_knows compare(const struct entry_id *a, const struct entry_id *b)
{
    return entry_id_equals(a, b) ? STORE_EMBEDDED_KNOWN : STORE_EMBEDDED_OTHER;
}

enum store_embedded_knows store_embedded_knows(const struct store_embedded *e, uint64_t revision,
                                               const struct entry_id *id)
{
    struct store_entry entry;
    if (revision == e->now.revision)
        return compare(&e->now.id, id);
    if (history_find(&e->history, revision, &entry))
        return compare(&entry.head.id, id);
    /* One that is offered just now may be it; or others were first, which is no contradiction. */
    if (e->batch != NULL) {
        LIST_EACH (node, &e->batch->works) {
            const struct embedded_work *w = LIST_ITEM(node, struct embedded_work, node);
            if (w->head.revision == revision && entry_id_equals(&w->head.id, id))
                return STORE_EMBEDDED_KNOWN;
        }
    }
    /* It is asked of what comes next, behind all of them. */
    for (const struct list *node = e->inbox.prev; node != &e->inbox; node = node->prev) {
        const struct store_embedded_incoming *in =
            LIST_ITEM(node, const struct store_embedded_incoming, node);
        if (in->head.revision == revision)
            return compare(&in->head.id, id);
        if (in->head.revision < revision)
            break;
    }
    return STORE_EMBEDDED_UNSURE;
}

/* At least a chunk of its arena. */
static size_t bytes_of(const struct store_embedded_incoming *in)
{
    return sizeof(*in) + (in->arena.allocated < 2048 ? 2048 : in->arena.allocated) +
           in->part_size * sizeof(*in->parts);
}

size_t store_embedded_follow_bytes(const struct store_embedded *e)
{
    return e->inbox_bytes;
}

void store_embedded_follow(struct store_embedded *e, struct store_embedded_incoming *in)
{
    list_add_last(&e->inbox, &in->node);
    e->inbox_bytes += bytes_of(in);
    e->must_follow = false;
    store_embedded_batch_run(e);
}

static void take_out(struct store_embedded *e, struct store_embedded_incoming *in)
{
    list_remove(&in->node);
    e->inbox_bytes -= bytes_of(in);
}

static struct store_embedded_incoming *first_of(struct store_embedded *e)
{
    return list_is_empty(&e->inbox)
               ? NULL
               : LIST_ITEM(e->inbox.next, struct store_embedded_incoming, node);
}

static void drop_all(struct store_embedded *e)
{
    struct store_embedded_incoming *in;
    while ((in = first_of(e)) != NULL) {
        take_out(e, in);
        store_embedded_incoming_free(&in);
    }
}

/* No batch is claimed or being written: what is here is what `now` says. */
bool store_embedded_follow_has_next(struct store_embedded *e)
{
    struct store_embedded_incoming *in;
    while ((in = first_of(e)) != NULL) {
        if (in->head.revision == e->now.revision + 1 && in->part_count > 0 &&
            entry_id_equals(&in->head.prev, &e->now.id))
            return true;
        bool is_known =
            in->head.revision <= e->now.revision &&
            store_embedded_knows(e, in->head.revision, &in->head.id) != STORE_EMBEDDED_OTHER;
        if (!is_known) {
            drop_all(e);
            e->authority->type->astray(e->authority);
            return false;
        }
        take_out(e, in);
        store_embedded_incoming_free(&in);
    }
    return false;
}

struct embedded_work *store_embedded_follow_next(struct store_embedded *e)
{
    struct store_embedded_incoming *in = first_of(e);
    MUST(in != NULL);
    take_out(e, in);
    struct embedded_work *w = store_embedded_work_new(e, WORK_FOLLOW);
    w->incoming = in;
    return w;
}

void store_embedded_follow_init(struct store_embedded *e)
{
    list_init(&e->inbox);
}

void store_embedded_follow_fini(struct store_embedded *e)
{
    drop_all(e);
    store_embedded_held_free(&e->held);
}

/* ---- decoding ---- */

enum follow_phase { FOLLOW_BEGIN, FOLLOW_ITEMS, FOLLOW_SEAL };

/* The next item of all parts. Its texts are in the entry, its scopes in the arena. */
static bool next_item(struct embedded_work *w, struct arena *arena, struct item *item_out)
{
    for (;;) {
        bool is_bad;
        if (item_next(&w->rest, arena, item_out, &is_bad))
            return true;
        if (w->part == w->text_count)
            return false;
        w->rest = w->texts[w->part++];
    }
}

static void begin_items(struct embedded_work *w)
{
    w->part = 0;
    w->rest = TEXT_EMPTY;
}

static void begin(struct embedded_work *w)
{
    struct store_embedded *e = w->store;
    w->now = store_embedded_wall(e);
    w->head = w->incoming->head;
    w->tag = store_tag_of(&w->head.id);
    w->texts = w->incoming->parts;
    w->text_count = w->incoming->part_count;
    w->before = resources_ref(e->next.resources);
    w->draft = resources_draft_new(w->before);
    if (w->incoming->is_cut)
        w->held = TEXT_OF("an item of it cannot be read");
    if (e->held != NULL)
        store_embedded_held_try(w);
    begin_items(w);
}

static void hold(struct embedded_work *w, const struct item_resource *item, struct problems *ps)
{
    if (text_is_empty(w->held))
        w->held = arena_print(&w->arena, "%s %.*s: %s", resource_kind_singular(item->kind),
                              TEXT_ARGS(item->name),
                              ps->count == 0 ? "not understood" : ps->items[0].sentence);
}

static struct resource *parse(struct embedded_work *w, const struct item_resource *item)
{
    struct problems ps;
    problems_init(&ps);
    struct resource *r =
        resource_parse(item->kind, item->after, store_embedded_checks(w->store), &ps);
    if (r == NULL)
        hold(w, item, &ps);
    else
        resource_stamp(r, w->head.revision, w->tag);
    problems_fini(&ps);
    return r;
}

static void take_resource(struct embedded_work *w, const struct item_resource *item)
{
    struct resource *r = item->has_after ? parse(w, item) : NULL;
    if (item->kind == RESOURCE_CONSUMER) {
        struct resource *before = store_embedded_consumer(w->store, item->name);
        if (before != NULL || r != NULL)
            store_embedded_plan_difference(w, before, r);
        return;
    }
    if (r != NULL || !item->has_after)
        store_embedded_held_pass(w, item);
    if (r != NULL)
        resources_draft_put(w->draft, r, NULL);
    else if (!item->has_after)
        resources_draft_remove(w->draft, item->kind, item->name);
    resource_unref(&r);
}

static void take_item(struct embedded_work *w, const struct item *item)
{
    switch (item->kind) {
    case ITEM_RESOURCE:
        take_resource(w, &item->resource);
        break;
    case ITEM_KEY:
        w->keys_changed++;
        break;
    case ITEM_CONFIRM:
        w->confirm_until = item->confirm_until;
        break;
    case ITEM_ORIGIN:
        if (item->origin.is_undo)
            w->undoes = item->origin.revision;
        break;
    case ITEM_CONFIRMED:
        w->settles = item->confirmed.revision;
        w->settles_undone = item->confirmed.was_undone;
        break;
    case ITEM_CONFIG:
    case ITEM_REVOKED:
    case ITEM_UNKNOWN:
        break;
    }
}

/* The last good ones stay when those of the entry cannot be in force. */
static void seal(struct embedded_work *w)
{
    struct store_embedded *e = w->store;
    struct resources_outside outside = { store_embedded_plan_users, w };
    if (text_is_empty(w->held) && store_embedded_held_is_stuck(e))
        w->held = TEXT_OF("what came before it cannot be in force here");
    if (text_is_empty(w->held) &&
        !resources_draft_seal(&w->draft, &outside, &w->problems, &w->after)) {
        struct text why = text_of(w->problems.items[0].sentence);
        w->held = arena_copy(&w->arena, why);
    }
    if (w->after == NULL)
        w->after = resources_ref(w->before);
    if (!text_is_empty(w->held) && e->held == NULL)
        log_error(&log_store, "revision %llu cannot be in force here: %.*s",
                  (unsigned long long)w->head.revision, TEXT_ARGS(w->held));
    if (w->after != w->before || w->consumer_count > 0)
        e->next.config_tag = w->tag;
    store_embedded_advance(&e->next, w->after);
    e->next.revision = w->head.revision;
    e->next.id = w->head.id;
    begin_items(w);
    w->is_planned = true;
}

enum embedded_step store_embedded_follow_step(struct embedded_work *w)
{
    struct item item;
    struct arena arena;
    bool has_more = true;
    switch ((enum follow_phase)w->phase) {
    case FOLLOW_BEGIN:
        begin(w);
        w->phase++;
        break;
    case FOLLOW_ITEMS:
        arena_init(&arena, SIZE_MAX);
        has_more = next_item(w, &arena, &item);
        if (has_more)
            take_item(w, &item);
        else
            w->phase++;
        arena_reset(&arena);
        break;
    case FOLLOW_SEAL:
        seal(w);
        break;
    }
    return STEP_AGAIN;
}

/* ---- entries that are only listed ---- */

static void note_confirm(void *arg, const struct item *item)
{
    if (item->kind == ITEM_CONFIRM)
        *(int64_t *)arg = item->confirm_until;
}

int64_t store_embedded_follow_confirm_until(const struct store_embedded_incoming *in)
{
    int64_t until = 0;
    (void)item_each(in->parts, in->part_count, note_confirm, &until);
    return until;
}

static void settle_item(void *arg, const struct item *item)
{
    struct store_embedded *e = arg;
    if (item->kind == ITEM_CONFIRMED)
        store_embedded_undo_settled(e, &item->confirmed);
    else if (item->kind == ITEM_ORIGIN && item->origin.is_undo)
        history_settle(&e->history, item->origin.revision, STORE_UNDONE);
}

void store_embedded_follow_settle(struct store_embedded *e,
                                  const struct store_embedded_incoming *in)
{
    (void)item_each(in->parts, in->part_count, settle_item, e);
}

/* ---- applying ---- */

bool store_embedded_follow_apply(struct embedded_work *w)
{
    struct item item;
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    bool has_more = next_item(w, &arena, &item);
    if (has_more && item.kind == ITEM_KEY)
        store_embedded_items_key(w->store, &item.key, w->store->batch);
    arena_reset(&arena);
    return has_more;
}
