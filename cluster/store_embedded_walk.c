/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded_walk.c - the whole state as items, one at a time, while changes may go on: for a
 * new journal, and for a Redis that has lost it.
 */
#include "cluster/store_embedded_private.h"

void store_embedded_walk_init(struct store_embedded_walk *w, struct store_embedded *e)
{
    *w = (struct store_embedded_walk){ .store = e, .base = e->now.revision };
    w->resources = resources_ref(e->now.resources);
    resources_cursor_init(&w->cursor, w->resources, RESOURCE_UPSTREAM);
    builder_init(&w->name, SIZE_MAX);
    arena_init(&w->arena, SIZE_MAX);
}

void store_embedded_walk_fini(struct store_embedded_walk *w)
{
    resources_unref(&w->resources);
    builder_fini(&w->name);
    arena_reset(&w->arena);
}

static bool walk_resources(struct store_embedded_walk *w, struct builder *into)
{
    const struct resource *r = resources_next(&w->cursor);
    if (r == NULL) {
        if (++w->kind == RESOURCE_CONSUMER)
            return false;
        resources_cursor_init(&w->cursor, w->resources, (enum resource_kind)w->kind);
        return true;
    }
    item_print(&(struct item){ .kind = ITEM_RESOURCE,
                               .resource = { .kind = r->kind,
                                             .name = r->name,
                                             .has_after = true,
                                             .after = r->set,
                                             .revision = r->revision,
                                             .tag = r->tag } },
               into);
    return true;
}

static bool walk_consumers(struct store_embedded_walk *w, struct builder *into)
{
    const struct credentials *table = w->store->settings.credentials;
    struct credentials_consumer consumer;
    if (!credentials_next_consumer(table, builder_text(&w->name), &consumer))
        return false;
    builder_clear(&w->name);
    builder_add(&w->name, consumer.name);
    /* Not 0, which would make it an entry's; which revision it was is not kept for consumers. */
    item_print(&(struct item){ .kind = ITEM_RESOURCE,
                               .resource = { .kind = RESOURCE_CONSUMER,
                                             .name = consumer.name,
                                             .has_after = true,
                                             .after = credentials_consumer_set(table, &consumer,
                                                                               &w->arena),
                                             .revision = w->base,
                                             .tag = consumer.stamp } },
               into);
    arena_reset(&w->arena);
    return true;
}

static bool walk_keys(struct store_embedded_walk *w, struct builder *into)
{
    struct item item = { .kind = ITEM_KEY, .key = { .change = ITEM_KEY_STATE } };
    if (!credentials_next_key(w->store->settings.credentials, w->key, &item.key.key))
        return false;
    w->key = item.key.key.id;
    item_print(&item, into);
    return true;
}

bool store_embedded_walk_next(struct store_embedded_walk *w, struct builder *into)
{
    bool has_more = false;
    switch (w->stage) {
    case STORE_EMBEDDED_WALK_RESOURCES:
        has_more = walk_resources(w, into);
        break;
    case STORE_EMBEDDED_WALK_HELD:
        store_embedded_held_print(w->store, into);
        break;
    case STORE_EMBEDDED_WALK_CONSUMERS:
        has_more = walk_consumers(w, into);
        break;
    case STORE_EMBEDDED_WALK_KEYS:
        has_more = walk_keys(w, into);
        break;
    case STORE_EMBEDDED_WALK_END:
        return false;
    }
    if (!has_more)
        w->stage++;
    return w->stage != STORE_EMBEDDED_WALK_END;
}
