/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_history_tail_owner.c - a key of a tail belongs to a consumer, not to a name: where others
 * removed the consumer meanwhile, and made one of that name anew, it is not put back. What they did
 * since the histories parted is looked for in this node's journal, which has it by now.
 */
#include "cluster/redis_history_tail_private.h"

#define LOOK_MOST 200 /* entries at once */

static void note_removed(void *arg, const struct item *item)
{
    struct redis_history_tail *t = arg;
    const struct item_resource *r = &item->resource;
    if (item->kind != ITEM_RESOURCE || r->kind != RESOURCE_CONSUMER || r->has_after)
        return;
    if (map_find(&t->removed, r->name) == NULL)
        map_set(&t->removed, arena_copy(&t->arena, r->name), t);
}

static void on_fetched(void *arg, struct list *entries)
{
    struct redis_history_tail *t = arg;
    t->is_looking = false;
    t->cannot_look = list_is_empty(entries);
    LIST_EACH (node, entries) {
        const struct store_embedded_incoming *in =
            LIST_ITEM(node, struct store_embedded_incoming, node);
        (void)item_each(in->parts, in->part_count, note_removed, t);
        t->looked_at = in->head.revision;
    }
    if (t->history->phase == HISTORY_READY && !t->history->is_stopping)
        redis_history_tail_go_on(t);
}

/* True: what came since is being looked at. */
static bool look_further(struct redis_history_tail *t)
{
    struct store_embedded *e = t->history->settings.store;
    const struct store *store = store_embedded_port(e);
    uint64_t to = store_revision(store);
    uint64_t oldest = store_oldest_revision(store);
    if (t->looked_at < t->parted.common)
        t->looked_at = t->parted.common;
    t->cannot_look |= oldest == 0 || oldest > t->looked_at + 1;
    if (t->looked_at >= to || t->cannot_look)
        return false;
    if (to > t->looked_at + LOOK_MOST)
        to = t->looked_at + LOOK_MOST;
    t->is_looking = true;
    store_embedded_fetch(e, t->looked_at + 1, to, on_fetched, t);
    return true;
}

enum tail_owner redis_history_tail_owner(struct redis_history_tail *t,
                                         const struct tail_thing *thing, uint64_t *tag_out)
{
    const struct tail_thing *owner =
        redis_history_tail_find(t, RESOURCE_CONSUMER, thing->key.consumer);
    struct resource *r =
        store_embedded_find(t->history->settings.store, RESOURCE_CONSUMER, thing->key.consumer);
    bool is_as_put = owner == NULL || r == NULL || text_equals(r->set, owner->after);
    *tag_out = r == NULL ? 0 : r->tag;
    resource_unref(&r);
    if (*tag_out == 0)
        return TAIL_OWNER_GONE;
    if (owner != NULL && owner->put_tag == *tag_out)
        return TAIL_OWNER_SAME;
    /* This node had made it, and so has somebody else. */
    if (owner != NULL && !is_as_put && text_is_empty(owner->before))
        return TAIL_OWNER_GONE;
    if (thing->consumer_tag == *tag_out)
        return TAIL_OWNER_SAME;
    if (look_further(t))
        return TAIL_OWNER_LOOKING;
    bool is_same = !t->cannot_look && map_find(&t->removed, thing->key.consumer) == NULL;
    return is_same ? TAIL_OWNER_SAME : TAIL_OWNER_GONE;
}
