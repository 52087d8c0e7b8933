/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded_apply.c - what has become durable goes into the table of consumers and keys, a
 * small step at a time.
 *
 * Order within a commit: consumers are put, keys changed, then consumers removed; so no key is
 * ever without its consumer.
 */
#include "cluster/store_embedded_private.h"

static void put_consumers(struct embedded_work *w, size_t i)
{
    struct credentials *c = w->store->settings.credentials;
    if (w->consumers[i].after != NULL)
        credentials_put_consumer(c, w->consumers[i].after, w->tag);
}

static void remove_consumers(struct embedded_work *w, size_t i)
{
    if (w->consumers[i].after == NULL)
        credentials_remove_consumer(w->store->settings.credentials, w->consumers[i].before->name);
}

/* False: nothing is left to do. */
static bool apply_one(struct embedded_work *w)
{
    size_t i = w->applied++;
    if (i < w->consumer_count) {
        put_consumers(w, i);
        return true;
    }
    i -= w->consumer_count;
    if (w->kind == WORK_FOLLOW && store_embedded_follow_apply(w)) {
        w->applied--;
        return true;
    }
    if (i < w->commit->key_count) {
        store_embedded_keys_apply(w, i);
        return true;
    }
    i -= w->commit->key_count;
    if (i < w->consumer_count) {
        remove_consumers(w, i);
        return true;
    }
    return false;
}

bool store_embedded_apply_step(struct embedded_batch *batch)
{
    const struct store_embedded *e = batch->store;
    LIST_EACH (node, &batch->works) {
        struct embedded_work *w = LIST_ITEM(node, struct embedded_work, node);
        if (!w->is_note && w->written == JOURNAL_DONE && !w->is_applied) {
            w->is_applied = !apply_one(w);
            return true;
        }
    }
    batch->is_applied = true;
    if (!batch->has_resources && batch->revision != 0 && e->settings.advance != NULL)
        e->settings.advance(e->settings.arg, batch->revision);
    return false;
}
