/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded_entry.c - what one entry did, read from the journal by the scribe.
 */
#include "cluster/store_embedded_private.h"
#include "conf/base/mem.h"

struct entry_reading {
    struct store_embedded *store;
    struct scribe_job job;
    uint64_t revision;
    struct arena arena;
    struct store_entry_read read;
    store_entry_fn *done;
    void *arg;
};

static void add_change(struct entry_reading *r, const struct item_resource *item)
{
    struct store_entry_read *read = &r->read;
    read->change_total++;
    if (read->change_count == STORE_ENTRY_MOST)
        return;
    if (read->changes == NULL)
        read->changes = mem_new_array(STORE_ENTRY_MOST, sizeof(*read->changes));
    read->changes[read->change_count++] = (struct store_entry_change){
        .kind = item->kind,
        .name = arena_copy(&r->arena, item->name),
        .before = arena_copy(&r->arena, item->before),
        .after = arena_copy(&r->arena, item->after),
    };
}

static enum store_key_change_kind change_of(enum item_key_change change)
{
    if (change == ITEM_KEY_REVOKE)
        return STORE_KEY_REVOKE;
    return change == ITEM_KEY_CHANGE ? STORE_KEY_CHANGE : STORE_KEY_ADD;
}

static void add_key(struct entry_reading *r, const struct item_key *item)
{
    struct store_entry_read *read = &r->read;
    read->key_total++;
    if (read->key_count == STORE_ENTRY_MOST)
        return;
    if (read->keys == NULL)
        read->keys = mem_new_array(STORE_ENTRY_MOST, sizeof(*read->keys));
    read->keys[read->key_count++] = (struct store_entry_key){
        .change = change_of(item->change),
        .id = item->key.id,
        .consumer = arena_copy(&r->arena, item->key.consumer),
    };
}

static void add_item(void *arg, const struct item *item)
{
    struct entry_reading *r = arg;
    switch (item->kind) {
    case ITEM_RESOURCE:
        add_change(r, &item->resource);
        break;
    case ITEM_KEY:
        add_key(r, &item->key);
        break;
    case ITEM_ORIGIN:
        r->read.restores = item->origin.revision;
        r->read.is_undo = item->origin.is_undo;
        break;
    case ITEM_CONFIRM:
    case ITEM_CONFIRMED:
    case ITEM_CONFIG:
    case ITEM_REVOKED:
    case ITEM_UNKNOWN:
        break;
    }
}

static void on_record(void *arg, const struct journal_record *record)
{
    struct entry_reading *r = arg;
    if (!item_each(&record->body, 1, add_item, r))
        r->read.reason = TEXT_OF("An item of this entry cannot be read.");
}

static void read_it(void *arg)
{
    struct entry_reading *r = arg;
    struct journal *j = r->store->journal;
    r->read.outcome = STORE_DONE;
    if (!journal_read_entry(j, r->revision, on_record, r) || !text_is_empty(r->read.reason)) {
        const char *why = journal_why(j) == NULL ? "an entry is missing" : journal_why(j);
        r->read.outcome = STORE_AWAY;
        r->read.reason = arena_print(&r->arena, "The journal cannot be read: %s.", why);
    }
}

static void on_read(void *arg)
{
    struct entry_reading *r = arg;
    struct store_embedded *e = r->store;
    /* It may have left the kept history meanwhile. */
    if (r->read.outcome == STORE_DONE && !history_find(&e->history, r->revision, &r->read.entry))
        r->read.outcome = r->revision > e->now.revision ? STORE_ABSENT : STORE_GONE;
    r->done(r->arg, &r->read);
    MEM_FREE(&r->read.changes);
    MEM_FREE(&r->read.keys);
    arena_reset(&r->arena);
    MEM_FREE(&r);
}

static void do_nothing(void *arg)
{
}

void store_embedded_entry_read(struct store *s, uint64_t revision, store_entry_fn *done, void *arg)
{
    struct store_embedded *e = store_embedded_of(s);
    struct entry_reading *r = mem_new(sizeof(*r));
    r->store = e;
    r->revision = revision;
    r->done = done;
    r->arg = arg;
    arena_init(&r->arena, SIZE_MAX);
    scribe_fn *run = read_it;
    struct store_entry entry;
    if (!history_find(&e->history, revision, &entry)) {
        bool is_gone = revision != 0 && revision < history_oldest(&e->history);
        r->read.outcome = is_gone ? STORE_GONE : STORE_ABSENT;
        run = do_nothing;
    }
    scribe_job_init(&r->job, run, on_read, r);
    scribe_post(e->scribe, &r->job);
}
