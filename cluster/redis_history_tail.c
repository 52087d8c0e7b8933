/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_history_tail.c - see redis_history_tail.h. Upstreams, plans, routes and consumers that were
 * put come first, in this order, then keys, then what was removed, in the other order.
 */
#include "cluster/redis_history_tail.h"

#include "cluster/item.h"
#include "cluster/redis_history_private.h"
#include "conf/base/mem.h"
#include "gatewayd/core/log.h"

static const struct log_scope log_store = { .subject = LOG_SUBJECT_store };
static const struct checks stored_checks = { .lenient = true };

/* A resource of any kind, or a key. */
struct thing {
    struct list node;
    unsigned order;
    bool is_key;
    enum resource_kind kind;
    struct text name;
    struct text before; /* empty: it was not there */
    struct text after;  /* empty: it is gone */
    struct credentials_key key;
    struct text author;
    uint64_t revision;
    char id[REDIS_HISTORY_ID_HEX + 1]; /* of the last entry that changed it */
};

struct redis_history_tail {
    struct redis_history *history;
    bool has_common;
    struct list things;
    size_t put_back;
    struct arena arena;
    struct problems problems;
    /* The one that is being put back. */
    struct thing *thing;
    uint64_t tag; /* of what stood */
    struct store_change change;
    struct store_key_change key;
    struct store_commit commit;
};

/* ---- what was done ---- */

#define ORDERS 9

static unsigned order_of(const struct thing *t)
{
    static const unsigned char puts[] = {
        [RESOURCE_UPSTREAM] = 0, [RESOURCE_PLAN] = 1, [RESOURCE_ROUTE] = 2, [RESOURCE_CONSUMER] = 3
    };
    if (t->is_key)
        return 4;
    return text_is_empty(t->after) ? 8u - puts[t->kind] : puts[t->kind];
}

static struct thing *find(struct redis_history_tail *t, const struct item *item)
{
    LIST_EACH (node, &t->things) {
        struct thing *thing = LIST_ITEM(node, struct thing, node);
        if (item->kind == ITEM_KEY) {
            if (thing->is_key && thing->key.id == item->key.key.id)
                return thing;
        } else if (!thing->is_key && thing->kind == item->resource.kind &&
                   text_equals(thing->name, item->resource.name)) {
            return thing;
        }
    }
    return NULL;
}

static struct thing *add(struct redis_history_tail *t, bool is_key)
{
    struct thing *thing = arena_zalloc(&t->arena, sizeof(*thing));
    thing->is_key = is_key;
    list_init(&thing->node);
    list_add_last(&t->things, &thing->node);
    return thing;
}

static void note_resource(struct redis_history_tail *t, const struct item *item,
                          struct thing **thing_out)
{
    const struct item_resource *r = &item->resource;
    struct thing *thing = find(t, item);
    if (thing == NULL) {
        thing = add(t, false);
        thing->kind = r->kind;
        thing->name = arena_copy(&t->arena, r->name);
        thing->before = r->has_before ? arena_copy(&t->arena, r->before) : TEXT_EMPTY;
    }
    thing->after = r->has_after ? arena_copy(&t->arena, r->after) : TEXT_EMPTY;
    *thing_out = thing;
}

static struct texts copy_scopes(struct arena *arena, struct texts scopes)
{
    struct text *items = arena_alloc(arena, (scopes.count + 1) * sizeof(*items));
    for (size_t i = 0; i < scopes.count; i++)
        items[i] = arena_copy(arena, scopes.items[i]);
    return (struct texts){ items, scopes.count };
}

/* New keys, as they are now; changes of older ones are not repeated. */
static void note_key(struct redis_history_tail *t, const struct item *item,
                     struct thing **thing_out)
{
    const struct credentials_key *key = &item->key.key;
    struct thing *thing = find(t, item);
    if (thing == NULL && item->key.change != ITEM_KEY_ADD)
        return;
    if (item->key.change == ITEM_KEY_REVOKE) {
        list_remove(&thing->node);
        return;
    }
    if (thing == NULL)
        thing = add(t, true);
    thing->key = *key;
    thing->key.consumer = arena_copy(&t->arena, key->consumer);
    thing->key.prefix = arena_copy(&t->arena, key->prefix);
    thing->key.scopes = copy_scopes(&t->arena, key->scopes);
    *thing_out = thing;
}

struct noting {
    struct redis_history_tail *tail;
    const struct entry_head *head;
};

static void note_item(void *arg, const struct item *item)
{
    const struct noting *n = arg;
    struct thing *thing = NULL;
    if (item->kind == ITEM_RESOURCE)
        note_resource(n->tail, item, &thing);
    else if (item->kind == ITEM_KEY)
        note_key(n->tail, item, &thing);
    if (thing == NULL)
        return;
    thing->revision = n->head->revision;
    thing->author = arena_copy(&n->tail->arena, n->head->author);
    digest_print_hex(n->head->id.bytes, ENTRY_ID_SIZE, thing->id);
}

static void note_entry(struct redis_history_tail *t, const struct store_embedded_incoming *in)
{
    struct noting noting = { t, &in->head };
    (void)item_each(in->parts, in->part_count, note_item, &noting);
}

/* By order_of; those of one order as they came. */
static void sort(struct redis_history_tail *t)
{
    struct list sorted[ORDERS];
    for (unsigned order = 0; order < ORDERS; order++)
        list_init(&sorted[order]);
    while (!list_is_empty(&t->things)) {
        struct list *node = t->things.next;
        list_remove(node);
        list_add_last(&sorted[order_of(LIST_ITEM(node, struct thing, node))], node);
    }
    for (unsigned order = 0; order < ORDERS; order++) {
        while (!list_is_empty(&sorted[order])) {
            struct list *node = sorted[order].next;
            list_remove(node);
            list_add_last(&t->things, node);
        }
    }
}

struct redis_history_tail *redis_history_tail_new(struct redis_history *h,
                                                  const struct list *entries, bool has_common)
{
    struct redis_history_tail *t = mem_new(sizeof(*t));
    t->history = h;
    t->has_common = has_common;
    list_init(&t->things);
    arena_init(&t->arena, SIZE_MAX);
    problems_init(&t->problems);
    LIST_EACH (node, entries)
        note_entry(t, LIST_ITEM(node, struct store_embedded_incoming, node));
    sort(t);
    return t;
}

/* ---- what becomes of it ---- */

static const char *name_of(const struct thing *thing)
{
    return thing->is_key ? "a key of" : resource_kind_singular(thing->kind);
}

static void conflict(struct redis_history_tail *t, const struct thing *thing, struct text why)
{
    struct redis_history *h = t->history;
    struct text name = thing->is_key ? thing->key.consumer : thing->name;
    log_warn(&log_store,
             "conflict: what revision %llu (%s) of this node did to %s %.*s is not in the shared "
             "history: %.*s",
             (unsigned long long)thing->revision, thing->id, name_of(thing), TEXT_ARGS(name),
             TEXT_ARGS(why));
    redis_history_add_conflict(h, thing->revision);
}

void redis_history_tail_free(struct redis_history_tail **at)
{
    struct redis_history_tail *t = *at;
    if (t == NULL)
        return;
    MUST(t->thing == NULL);
    LIST_EACH (node, &t->things)
        conflict(t, LIST_ITEM(node, struct thing, node),
                 TEXT_OF("it could not be put back in time"));
    problems_fini(&t->problems);
    arena_reset(&t->arena);
    MEM_FREE(at);
}

static void settle(struct redis_history_tail *t)
{
    struct thing *thing = t->thing;
    t->thing = NULL;
    list_remove(&thing->node);
    resource_unref(&t->change.resource);
}

static struct text why_not(const struct store_result *result)
{
    if (result->outcome == STORE_MOVED_ON)
        return TEXT_OF("somebody changed it since");
    if (result->outcome == STORE_PROBLEMS && result->problems->count > 0)
        return text_of(result->problems->items[0].sentence);
    if (result->outcome == STORE_REFERRED)
        return TEXT_OF("others refer to it by now");
    return TEXT_OF("it does not fit any more");
}

static void on_done(void *arg, const struct store_result *result)
{
    struct redis_history_tail *t = arg;
    if (result->outcome == STORE_AWAY || result->outcome == STORE_UNKNOWN ||
        result->outcome == STORE_FULL) {
        resource_unref(&t->change.resource);
        t->thing = NULL;
        return; /* goes on when the history is followed again */
    }
    bool is_there = result->outcome == STORE_DONE || result->outcome == STORE_UNCHANGED ||
                    result->outcome == STORE_EXISTS || result->outcome == STORE_REVOKED;
    if (!is_there)
        conflict(t, t->thing, why_not(result));
    t->put_back += result->outcome == STORE_DONE;
    settle(t);
    redis_history_tail_go_on(t);
}

/* What stands now. */
static struct text find_now(struct redis_history_tail *t, const struct thing *thing,
                            struct arena *arena)
{
    struct store_embedded *store = t->history->settings.store;
    struct resource *r = store_embedded_find(store, thing->kind, thing->name);
    struct text set = TEXT_EMPTY;
    t->tag = 0;
    if (r != NULL) {
        t->tag = r->tag;
        set = arena_copy(arena, r->set);
    }
    resource_unref(&r);
    return set;
}

static void begin_commit(struct redis_history_tail *t, struct thing *thing)
{
    t->thing = thing;
    t->commit = (struct store_commit){
        .author = thing->author,
        .because = arena_print(&t->arena, "put back revision %llu (%s) of a history that parted",
                               (unsigned long long)thing->revision, thing->id),
        .done = on_done,
        .arg = t,
    };
}

static void put_key(struct redis_history_tail *t, struct thing *thing)
{
    const struct credentials_key *key = &thing->key;
    begin_commit(t, thing);
    t->key = (struct store_key_change){ .change = STORE_KEY_ADD,
                                        .id = key->id,
                                        .consumer = key->consumer,
                                        .digest = key->digest,
                                        .prefix = key->prefix,
                                        .scopes = key->scopes,
                                        .expires_at = key->expires_at };
    t->commit.keys = &t->key;
    t->commit.key_count = 1;
    store_commit(store_embedded_port(t->history->settings.store), &t->commit);
}

/* False: there is nothing to be done, or it cannot be. */
static bool put_resource(struct redis_history_tail *t, struct thing *thing)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    struct text now = find_now(t, thing, &arena);
    bool is_done = text_equals(now, thing->after);
    bool is_untouched = text_equals(now, thing->before);
    bool is_there = !text_is_empty(now);
    arena_reset(&arena);
    if (is_done)
        return false;
    if (!is_untouched) {
        conflict(t, thing, TEXT_OF("somebody changed it since"));
        return false;
    }
    t->change =
        (struct store_change){ .change = STORE_DELETE, .kind = thing->kind, .name = thing->name };
    if (!text_is_empty(thing->after)) {
        t->change.change = STORE_PUT;
        t->change.resource =
            resource_parse(thing->kind, thing->after, &stored_checks, &t->problems);
        if (t->change.resource == NULL) {
            conflict(t, thing, TEXT_OF("this version does not take it"));
            return false;
        }
    }
    begin_commit(t, thing);
    t->change.condition.kind = is_there ? STORE_IF_TAG : STORE_IF_ABSENT;
    t->change.condition.tags = &t->tag;
    t->change.condition.tag_count = 1;
    t->commit.changes = &t->change;
    t->commit.change_count = 1;
    store_commit(store_embedded_port(t->history->settings.store), &t->commit);
    return true;
}

bool redis_history_tail_is_busy(const struct redis_history_tail *t)
{
    return t != NULL && t->thing != NULL;
}

void redis_history_tail_go_on(struct redis_history_tail *t)
{
    while (t->thing == NULL && !list_is_empty(&t->things)) {
        struct thing *thing = LIST_ITEM(t->things.next, struct thing, node);
        if (!t->has_common) {
            conflict(t, thing, TEXT_OF("how it was before is not known any more"));
        } else if (thing->is_key) {
            put_key(t, thing);
            return;
        } else if (put_resource(t, thing)) {
            return;
        }
        list_remove(&thing->node);
    }
    if (list_is_empty(&t->things) && t->put_back > 0) {
        log_info(&log_store, "%zu changes that only this node had were put back", t->put_back);
        t->put_back = 0;
    }
}
