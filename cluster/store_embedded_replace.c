/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded_replace.c - everything anew, from elsewhere: a state that was read as a whole
 * takes the place of what is here, in the journal first, then in the tables, while workers go on.
 *
 *     collect ─▶ revocations ─▶ journal ─▶ resources ─▶ publish ─▶ consumers, keys
 *                                                     ─▶ what is left goes ─▶ done
 *
 * A node that had nothing publishes last: it serves nobody before it has everything.
 *
 * Only revocations outlive it: a key that is revoked here stays so, and is unshared if the new
 * state does not say the same. The new journal says so too: it is looked for before it is written.
 */
#include "cluster/store_embedded_private.h"
#include "conf/base/mem.h"
#include "gatewayd/core/log.h"

static const struct log_scope log_store = { .subject = LOG_SUBJECT_store };

enum replace_phase {
    REPLACE_COLLECT,
    REPLACE_REVOKED,
    REPLACE_UNSHARED,
    REPLACE_JOURNAL,
    REPLACE_RESOURCES,
    REPLACE_PUBLISH,
    REPLACE_TABLES,
    REPLACE_SWEEP_KEYS,
    REPLACE_SWEEP_CONSUMERS,
    REPLACE_END
};

/* One bit for each slot of a table. */
struct marks {
    unsigned char *bits;
    size_t size;
};

struct embedded_replacing {
    struct store_embedded *store;
    struct store_embedded_base base;
    enum replace_phase phase;
    struct list entries;          /* store_embedded_incoming: the history up to the base */
    struct embedded_parts chunks; /* of the state */
    struct scribe_job job;
    enum journal_result written;
    const char *why;
    uint64_t journal_size;
    bool was_empty;      /* there was nothing here before */
    uint64_t unreadable; /* records */
    size_t chunk;        /* the walk through them */
    struct text rest;
    struct resources_draft *draft;
    uint64_t config_tag;
    struct marks keys;
    struct marks consumers;
    uint64_t key;
    struct builder consumer;
    store_embedded_replaced_fn *done;
    void *arg;
};

/* ---- collecting ---- */

void store_embedded_replace_start(struct store_embedded *e, const struct store_embedded_base *base)
{
    MUST(store_embedded_is_quiet(e) && e->replacing == NULL);
    if (e->is_stopping)
        return; /* and what is added is dropped */
    struct embedded_replacing *r = mem_new(sizeof(*r));
    r->store = e;
    r->base = *base;
    r->config_tag = base->config_tag;
    list_init(&r->entries);
    builder_init(&r->consumer, SIZE_MAX);
    e->replacing = r;
}

void store_embedded_replace_add_entry(struct store_embedded *e, struct store_embedded_incoming *in)
{
    if (e->replacing != NULL)
        list_add_last(&e->replacing->entries, &in->node);
    else
        store_embedded_incoming_free(&in);
}

static void drop_entries(struct embedded_replacing *r)
{
    LIST_EACH_SAFE (node, following, &r->entries) {
        struct store_embedded_incoming *in = LIST_ITEM(node, struct store_embedded_incoming, node);
        list_remove(&in->node);
        store_embedded_incoming_free(&in);
    }
}

void store_embedded_replace_drop_entries(struct store_embedded *e)
{
    if (e->replacing != NULL)
        drop_entries(e->replacing);
}

void store_embedded_replace_add_state(struct store_embedded *e, struct text items)
{
    struct embedded_replacing *r = e->replacing;
    if (r == NULL)
        return;
    struct text readable =
        items.length <= STORE_EMBEDDED_PART_MOST ? item_readable(items) : TEXT_EMPTY;
    if (readable.length < items.length && r->unreadable++ == 0)
        log_error(&log_store, "the shared state holds a record that cannot be read: it is left "
                              "out here");
    builder_add(store_embedded_encode_room(&r->chunks), readable);
}

void store_embedded_replace_cancel(struct store_embedded *e)
{
    struct embedded_replacing *r = e->replacing;
    if (r == NULL)
        return;
    loop_slice_stop(&e->replace_slice);
    drop_entries(r);
    store_embedded_encode_free(&r->chunks);
    resources_draft_free(&r->draft);
    MEM_FREE(&r->keys.bits);
    MEM_FREE(&r->consumers.bits);
    builder_fini(&r->consumer);
    MEM_FREE(&e->replacing);
}

/* ---- the journal ---- */

static enum journal_result write_all(struct embedded_replacing *r)
{
    struct journal *j = r->store->journal;
    enum journal_result result =
        journal_replace_start(j, &r->base.cluster, r->base.revision, &r->base.id);
    LIST_EACH (node, &r->entries) {
        const struct store_embedded_incoming *in =
            LIST_ITEM(node, struct store_embedded_incoming, node);
        if (result == JOURNAL_DONE)
            result = journal_replace_add(j, &in->head, in->parts, in->part_count);
    }
    if (result == JOURNAL_DONE)
        result = journal_replace_begin_state(j);
    size_t count = r->base.revision == 0 ? 0 : r->chunks.count;
    for (size_t i = 0; i < count && result == JOURNAL_DONE; i++)
        result = journal_compact_add(j, builder_text(&r->chunks.builders[i]));
    return result == JOURNAL_DONE ? journal_compact_finish(j) : result;
}

static void write_journal(void *arg)
{
    struct embedded_replacing *r = arg;
    struct journal *j = r->store->journal;
    r->written = write_all(r);
    r->why = journal_why(j);
    r->journal_size = journal_size(j);
}

static void end(struct embedded_replacing *r, struct text why)
{
    struct store_embedded *e = r->store;
    store_embedded_replaced_fn *done = r->done;
    void *arg = r->arg;
    store_embedded_replace_cancel(e);
    store_embedded_batch_run(e);
    done(arg, why);
}

static void on_written(void *arg)
{
    struct embedded_replacing *r = arg;
    struct store_embedded *e = r->store;
    if (e->is_stopping) {
        end(r, TEXT_OF("This node is stopping."));
        return;
    }
    if (r->written != JOURNAL_DONE) {
        e->trouble = "the journal cannot be written: this node's own copy of the state is old";
        log_error(&log_store, "the state that was read cannot be written to the journal: %s",
                  r->why == NULL ? "unknown" : r->why);
        end(r, TEXT_OF("The journal cannot be written: the disk that holds state.dir is full, or "
                       "failed."));
        return;
    }
    e->journal_size = r->journal_size;
    store_embedded_compact_after(e, r->journal_size);
    r->phase = REPLACE_RESOURCES;
    r->draft = resources_draft_new_replacing(e->now.resources);
    store_embedded_held_free(&e->held);
    loop_slice_start(&e->replace_slice);
}

void store_embedded_replace_write(struct store_embedded *e)
{
    struct embedded_replacing *r = e->replacing;
    scribe_job_init(&r->job, write_journal, on_written, r);
    scribe_post(e->scribe, &r->job);
}

/* ---- the walk ---- */

static void begin_walk(struct embedded_replacing *r)
{
    r->chunk = 0;
    r->rest = TEXT_EMPTY;
}

static bool next_item(struct embedded_replacing *r, struct arena *arena, struct item *item_out)
{
    bool is_bad;
    for (;;) {
        if (item_next(&r->rest, arena, item_out, &is_bad))
            return true;
        if (r->chunk == r->chunks.count)
            return false;
        r->rest = builder_text(&r->chunks.builders[r->chunk++]);
    }
}

static struct resource *parse(struct embedded_replacing *r, const struct item_resource *item)
{
    struct problems ps;
    problems_init(&ps);
    struct resource *parsed =
        resource_parse(item->kind, item->after, store_embedded_checks(r->store), &ps);
    if (parsed != NULL)
        resource_stamp(parsed, item->revision, item->tag);
    else if (item->kind != RESOURCE_CONSUMER)
        store_embedded_held_add(r->store, item, ps.count == 0 ? "" : ps.items[0].sentence);
    problems_fini(&ps);
    return parsed;
}

/* ---- resources ---- */

/* Those that do not fit together here are held back, all of them. */
static void hold_all(struct embedded_replacing *r, const char *why)
{
    struct item item;
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    begin_walk(r);
    while (next_item(r, &arena, &item)) {
        if (item.kind == ITEM_RESOURCE && item.resource.kind != RESOURCE_CONSUMER)
            store_embedded_held_add(r->store, &item.resource, why);
        arena_reset(&arena);
    }
    arena_reset(&arena);
}

static void on_published(void *arg, struct text reason)
{
    struct store_embedded *e = arg;
    struct embedded_replacing *r = e->replacing;
    if (r == NULL || r->phase != REPLACE_PUBLISH)
        return;
    if (r->was_empty) {
        end(r, TEXT_EMPTY);
        return;
    }
    begin_walk(r);
    r->phase = REPLACE_TABLES;
    loop_slice_start(&e->replace_slice);
}

static void publish(struct embedded_replacing *r)
{
    struct store_embedded *e = r->store;
    r->phase = REPLACE_PUBLISH;
    loop_slice_stop(&e->replace_slice);
    if (e->settings.publish == NULL)
        on_published(e, TEXT_EMPTY);
    else
        e->settings.publish(e->settings.arg, e->now.resources, e->now.revision, on_published, e);
}

static void take_base(struct embedded_replacing *r)
{
    struct store_embedded *e = r->store;
    e->cluster = r->base.cluster;
    e->now.revision = r->base.revision;
    e->now.id = r->base.id;
    e->now.config_tag = r->config_tag;
    store_embedded_batch_rewind(e);
    history_clear(&e->history);
    LIST_EACH (node, &r->entries) {
        const struct store_embedded_incoming *in =
            LIST_ITEM(node, struct store_embedded_incoming, node);
        history_add(&e->history, &in->head, store_embedded_follow_confirm_until(in));
    }
    LIST_EACH (node, &r->entries)
        store_embedded_follow_settle(e, LIST_ITEM(node, struct store_embedded_incoming, node));
    store_embedded_undo_watch(e);
}

static void seal(struct embedded_replacing *r)
{
    struct store_embedded *e = r->store;
    struct problems ps;
    struct resources *sealed = NULL;
    problems_init(&ps);
    if (e->held == NULL && resources_draft_seal(&r->draft, NULL, &ps, &sealed)) {
        store_embedded_advance(&e->now, sealed);
        resources_unref(&sealed);
    } else {
        log_error(&log_store, "what was read cannot be in force here");
        hold_all(r, ps.count == 0 ? "" : ps.items[0].sentence);
    }
    problems_fini(&ps);
    r->was_empty = e->now.revision == 0;
    take_base(r);
    begin_walk(r);
    r->phase = REPLACE_TABLES;
    if (!r->was_empty)
        publish(r);
}

static bool step_resources(struct embedded_replacing *r)
{
    struct item item;
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    bool has_more = next_item(r, &arena, &item);
    if (has_more && item.kind == ITEM_RESOURCE && item.resource.kind != RESOURCE_CONSUMER) {
        struct resource *parsed = parse(r, &item.resource);
        if (parsed != NULL)
            resources_draft_put(r->draft, parsed, NULL);
        resource_unref(&parsed);
    }
    arena_reset(&arena);
    if (!has_more)
        seal(r);
    return r->phase != REPLACE_PUBLISH;
}

/* ---- consumers and keys ---- */

static void mark(struct marks *m, uint32_t slot)
{
    if (slot / 8 >= m->size) {
        size_t size = m->size == 0 ? 1024 : m->size;
        while (size <= slot / 8)
            size *= 2;
        m->bits = mem_resize(m->bits, size);
        memset(m->bits + m->size, 0, size - m->size);
        m->size = size;
    }
    m->bits[slot / 8] |= (unsigned char)(1 << slot % 8);
}

static bool is_marked(const struct marks *m, uint32_t slot)
{
    return slot / 8 < m->size && (m->bits[slot / 8] & 1 << slot % 8) != 0;
}

static void take_consumer(struct embedded_replacing *r, const struct item_resource *item)
{
    struct credentials *c = r->store->settings.credentials;
    struct credentials_consumer consumer;
    struct resource *parsed = parse(r, item);
    if (parsed != NULL)
        credentials_put_consumer(c, parsed, item->tag);
    resource_unref(&parsed);
    if (credentials_get_consumer(c, item->name, &consumer))
        mark(&r->consumers, consumer.slot);
}

static void on_ended(void *arg)
{
}

static void end_key(struct store_embedded *e, struct key_handle handle)
{
    if (e->settings.end_key != NULL)
        e->settings.end_key(e->settings.arg, handle, on_ended, NULL);
}

static void take_key(struct embedded_replacing *r, const struct item_key *item)
{
    struct store_embedded *e = r->store;
    struct credentials *c = e->settings.credentials;
    struct credentials_key key;
    if (item->key.state == KEY_REVOKED &&
        credentials_get_key_by_digest(c, &item->key.digest, &key) && key.state == KEY_ACTIVE)
        end_key(e, key.handle);
    store_embedded_items_key(e, item, NULL);
    if (!credentials_get_key_by_digest(c, &item->key.digest, &key))
        return;
    if (key.state == KEY_REVOKED && item->key.state == KEY_ACTIVE)
        store_embedded_revoked_remember(e, &key.digest);
    mark(&r->keys, key.handle.slot);
}

static bool step_tables(struct embedded_replacing *r)
{
    struct item item;
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    bool has_more = next_item(r, &arena, &item);
    if (has_more && item.kind == ITEM_RESOURCE && item.resource.kind == RESOURCE_CONSUMER)
        take_consumer(r, &item.resource);
    else if (has_more && item.kind == ITEM_KEY)
        take_key(r, &item.key);
    arena_reset(&arena);
    r->phase += !has_more;
    return true;
}

/* ---- what is revoked here, and not in the new state ---- */

static bool step_revoked(struct embedded_replacing *r)
{
    struct item item;
    struct arena arena;
    struct credentials_key key;
    arena_init(&arena, SIZE_MAX);
    bool has_more = next_item(r, &arena, &item);
    if (has_more && item.kind == ITEM_KEY && item.key.key.state == KEY_REVOKED &&
        credentials_get_key_by_digest(r->store->settings.credentials, &item.key.key.digest, &key))
        mark(&r->keys, key.handle.slot);
    arena_reset(&arena);
    r->phase += !has_more;
    return true;
}

static void unmark(struct marks *m)
{
    MEM_FREE(&m->bits);
    m->size = 0;
}

static bool step_unshared(struct embedded_replacing *r)
{
    struct store_embedded *e = r->store;
    struct credentials_key key;
    if (credentials_next_key(e->settings.credentials, r->key, &key)) {
        r->key = key.id;
        if (key.state == KEY_REVOKED && !is_marked(&r->keys, key.handle.slot))
            store_embedded_revoked_remember(e, &key.digest);
        return true;
    }
    r->key = 0;
    begin_walk(r);
    unmark(&r->keys);
    store_embedded_revoked_add(e, &r->chunks);
    r->phase = REPLACE_JOURNAL;
    store_embedded_compact_give_up(e);
    if (e->compaction == NULL)
        store_embedded_replace_write(e);
    return false;
}

void store_embedded_replace_finish(struct store_embedded *e, store_embedded_replaced_fn *done,
                                   void *arg)
{
    struct embedded_replacing *r = e->replacing;
    if (r == NULL)
        return;
    /* The checkpoint's own words on the whole. */
    struct item config = { .kind = ITEM_CONFIG, .config_tag = r->base.config_tag };
    item_print(&config, store_embedded_encode_room(&r->chunks));
    r->done = done;
    r->arg = arg;
    r->phase = REPLACE_REVOKED;
    begin_walk(r);
    loop_slice_start(&e->replace_slice);
}

/* ---- what the new state does not know ---- */

static bool step_sweep_keys(struct embedded_replacing *r)
{
    struct store_embedded *e = r->store;
    struct credentials *c = e->settings.credentials;
    struct credentials_key key;
    struct key_handle handle;
    if (!credentials_next_key(c, r->key, &key)) {
        r->phase++;
        return true;
    }
    r->key = key.id;
    if (is_marked(&r->keys, key.handle.slot))
        return true;
    if (key.state == KEY_REVOKED) {
        store_embedded_revoked_remember(e, &key.digest);
        return true;
    }
    if (credentials_revoke(c, key.id, store_embedded_wall(e), 0, &handle))
        end_key(e, handle);
    credentials_remove_key(c, key.id);
    return true;
}

static bool step_sweep_consumers(struct embedded_replacing *r)
{
    struct credentials *c = r->store->settings.credentials;
    struct credentials_consumer consumer;
    if (!credentials_next_consumer(c, builder_text(&r->consumer), &consumer)) {
        r->phase++;
        return true;
    }
    builder_clear(&r->consumer);
    builder_add(&r->consumer, consumer.name);
    if (!is_marked(&r->consumers, consumer.slot))
        credentials_remove_consumer(c, builder_text(&r->consumer));
    return true;
}

static bool on_slice(void *arg)
{
    struct store_embedded *e = arg;
    struct embedded_replacing *r = e->replacing;
    switch (r->phase) {
    case REPLACE_REVOKED:
        return step_revoked(r);
    case REPLACE_UNSHARED:
        return step_unshared(r);
    case REPLACE_RESOURCES:
        return step_resources(r);
    case REPLACE_TABLES:
        return step_tables(r);
    case REPLACE_SWEEP_KEYS:
        return step_sweep_keys(r);
    case REPLACE_SWEEP_CONSUMERS:
        return step_sweep_consumers(r);
    case REPLACE_END:
        if (r->was_empty) {
            publish(r);
            break;
        }
        if (e->settings.pass != NULL)
            e->settings.pass(e->settings.arg, e->now.revision);
        end(r, TEXT_EMPTY);
        break;
    case REPLACE_COLLECT:
    case REPLACE_JOURNAL:
    case REPLACE_PUBLISH:
        break;
    }
    return false;
}

bool store_embedded_replace_waits(const struct store_embedded *e)
{
    return e->replacing != NULL && e->replacing->phase == REPLACE_JOURNAL;
}

void store_embedded_replace_stop(struct store_embedded *e)
{
    if (e->replacing != NULL && e->replacing->phase != REPLACE_JOURNAL)
        store_embedded_replace_cancel(e);
}

void store_embedded_replace_init(struct store_embedded *e)
{
    loop_slice_init(&e->replace_slice, e->settings.loop, on_slice, e);
}
