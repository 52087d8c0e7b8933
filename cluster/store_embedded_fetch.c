/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded_fetch.c - entries of this node's journal, whole, for those who have to have them
 * elsewhere.
 */
#include "cluster/store_embedded_private.h"
#include "conf/base/mem.h"

struct fetching {
    struct store_embedded *store;
    struct scribe_job job;
    uint64_t from;
    uint64_t to;
    struct list entries;
    bool is_failed;
    store_embedded_fetched_fn *done;
    void *arg;
};

static void on_record(void *arg, const struct journal_record *record)
{
    struct fetching *f = arg;
    if (record->kind == JOURNAL_ENTRY) {
        struct store_embedded_incoming *in = store_embedded_incoming_new(&record->head);
        list_add_last(&f->entries, &in->node);
    }
    struct store_embedded_incoming *last =
        LIST_ITEM(f->entries.prev, struct store_embedded_incoming, node);
    store_embedded_incoming_add(last, record->body);
}

static void fetch(void *arg)
{
    struct fetching *f = arg;
    for (uint64_t r = f->from; r <= f->to && !f->is_failed; r++)
        f->is_failed = !journal_read_entry(f->store->journal, r, on_record, f);
}

static void drop_all(struct list *entries)
{
    LIST_EACH_SAFE (node, following, entries) {
        struct store_embedded_incoming *in = LIST_ITEM(node, struct store_embedded_incoming, node);
        list_remove(&in->node);
        store_embedded_incoming_free(&in);
    }
}

static void on_fetched(void *arg)
{
    struct fetching *f = arg;
    if (f->is_failed)
        drop_all(&f->entries);
    f->done(f->arg, &f->entries);
    drop_all(&f->entries);
    MEM_FREE(&f);
}

void store_embedded_fetch(struct store_embedded *e, uint64_t from, uint64_t to,
                          store_embedded_fetched_fn *done, void *arg)
{
    struct fetching *f = mem_new(sizeof(*f));
    *f = (struct fetching){ .store = e, .from = from, .to = to, .done = done, .arg = arg };
    list_init(&f->entries);
    scribe_job_init(&f->job, fetch, on_fetched, f);
    scribe_post(e->scribe, &f->job);
}
