/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_history_tail_note.c - the entries of a tail as changes: one for each resource and key,
 * however often it was changed. An import may have brought a million: an item at a time.
 */
#include "cluster/redis_history_tail_private.h"
#include "conf/base/digest.h"

/* Upstreams, plans, routes and consumers that were put come first, in this order, then keys, then
 * what was removed, in the other order. */
static unsigned order_of(const struct tail_thing *t)
{
    static const unsigned char puts[] = {
        [RESOURCE_UPSTREAM] = 0, [RESOURCE_PLAN] = 1, [RESOURCE_ROUTE] = 2, [RESOURCE_CONSUMER] = 3
    };
    if (t->is_key)
        return 4;
    return text_is_empty(t->after) ? 8u - puts[t->kind] : puts[t->kind];
}

static struct text name_of(struct arena *arena, char kind, struct text name)
{
    return arena_print(arena, "%c%.*s", kind, TEXT_ARGS(name));
}

static struct text name_of_key(struct arena *arena, const uint64_t *id)
{
    char *bytes = arena_alloc(arena, 1 + sizeof(*id));
    bytes[0] = 'k';
    memcpy(bytes + 1, id, sizeof(*id));
    return text_from(bytes, 1 + sizeof(*id));
}

static char letter_of(enum resource_kind kind)
{
    return (char)('0' + (int)kind);
}

struct tail_thing *redis_history_tail_find(const struct redis_history_tail *t,
                                           enum resource_kind kind, struct text name)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    struct tail_thing *thing = map_find(&t->by_name, name_of(&arena, letter_of(kind), name));
    arena_reset(&arena);
    return thing;
}

static struct tail_thing *find_key(const struct redis_history_tail *t, uint64_t id)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    struct tail_thing *thing = map_find(&t->by_name, name_of_key(&arena, &id));
    arena_reset(&arena);
    return thing;
}

static struct tail_thing *add(struct redis_history_tail *t, bool is_key, struct text name)
{
    struct tail_thing *thing = arena_zalloc(&t->arena, sizeof(*thing));
    thing->is_key = is_key;
    list_init(&thing->node);
    map_set(&t->by_name, name, thing);
    return thing;
}

static struct tail_thing *note_resource(struct redis_history_tail *t, const struct item *item)
{
    const struct item_resource *r = &item->resource;
    struct tail_thing *thing = redis_history_tail_find(t, r->kind, r->name);
    if (thing == NULL) {
        thing = add(t, false, name_of(&t->arena, letter_of(r->kind), r->name));
        thing->kind = r->kind;
        thing->name = arena_copy(&t->arena, r->name);
        thing->before = r->has_before ? arena_copy(&t->arena, r->before) : TEXT_EMPTY;
    }
    thing->after = r->has_after ? arena_copy(&t->arena, r->after) : TEXT_EMPTY;
    return thing;
}

static struct texts copy_scopes(struct arena *arena, struct texts scopes)
{
    struct text *items = arena_alloc(arena, (scopes.count + 1) * sizeof(*items));
    for (size_t i = 0; i < scopes.count; i++)
        items[i] = arena_copy(arena, scopes.items[i]);
    return (struct texts){ items, scopes.count };
}

static uint64_t consumer_tag(const struct redis_history_tail *t, struct text name)
{
    struct resource *r = store_embedded_find(t->history->settings.store, RESOURCE_CONSUMER, name);
    uint64_t tag = r == NULL || t->phase != TAIL_NOTING || t->done == NULL ? 0 : r->tag;
    resource_unref(&r);
    return tag;
}

/* New keys, as they are now; changes of older ones are not repeated. */
static struct tail_thing *note_key(struct redis_history_tail *t, const struct item *item)
{
    const struct credentials_key *key = &item->key.key;
    struct tail_thing *thing = find_key(t, key->id);
    if (thing == NULL && item->key.change != ITEM_KEY_ADD)
        return NULL;
    if (item->key.change == ITEM_KEY_REVOKE) {
        list_remove(&thing->node);
        list_init(&thing->node);
        return NULL;
    }
    if (thing == NULL) {
        thing = add(t, true, name_of_key(&t->arena, &key->id));
        thing->consumer_tag = consumer_tag(t, key->consumer);
    }
    thing->key = *key;
    thing->key.consumer = arena_copy(&t->arena, key->consumer);
    thing->key.prefix = arena_copy(&t->arena, key->prefix);
    thing->key.scopes = copy_scopes(&t->arena, key->scopes);
    return thing;
}

static void note_item(struct redis_history_tail *t, const struct entry_head *head,
                      const struct item *item)
{
    struct tail_thing *thing = NULL;
    if (item->kind == ITEM_RESOURCE)
        thing = note_resource(t, item);
    else if (item->kind == ITEM_KEY)
        thing = note_key(t, item);
    if (thing == NULL)
        return;
    thing->revision = head->revision;
    thing->author = arena_copy(&t->arena, head->author);
    digest_print_hex(head->id.bytes, ENTRY_ID_SIZE, thing->id);
    list_remove(&thing->node);
    list_add_last(&t->things[order_of(thing)], &thing->node);
}

bool redis_history_tail_note(struct redis_history_tail *t)
{
    struct item item;
    struct arena arena;
    bool is_bad;
    if (list_is_empty(&t->parted.entries))
        return false;
    struct store_embedded_incoming *in =
        LIST_ITEM(t->parted.entries.next, struct store_embedded_incoming, node);
    arena_init(&arena, SIZE_MAX);
    if (item_next(&t->rest, &arena, &item, &is_bad)) {
        note_item(t, &in->head, &item);
    } else if (t->part < in->part_count) {
        t->rest = in->parts[t->part++];
    } else {
        list_remove(&in->node);
        store_embedded_incoming_free(&in);
        t->part = 0;
        t->rest = TEXT_EMPTY;
    }
    arena_reset(&arena);
    return true;
}
