/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded_held.c - resources that others set and that cannot be in force here: a newer
 * version wrote them, or they do not fit together on this node. The node goes on with the last good
 * ones, says that it is behind, and tries again with each entry that comes; nothing is lost
 * meanwhile: what is held back is in the journal as it came.
 */
#include <stdio.h>

#include "cluster/store_embedded_private.h"
#include "conf/base/mem.h"

struct held_thing {
    struct list node;
    enum resource_kind kind;
    struct text name;
    bool has_after;
    struct text after;
    uint64_t revision;
    uint64_t tag;
    char *memory; /* of the texts */
    bool is_bad;  /* for the work that tries: this version does not take it */
};

struct embedded_held {
    struct list things;
};

static void thing_free(struct held_thing **at)
{
    list_remove(&(*at)->node);
    MEM_FREE(&(*at)->memory);
    MEM_FREE(at);
}

static struct held_thing *find(struct embedded_held *h, const struct item_resource *item)
{
    LIST_EACH (node, &h->things) {
        struct held_thing *t = LIST_ITEM(node, struct held_thing, node);
        if (t->kind == item->kind && text_equals(t->name, item->name))
            return t;
    }
    return NULL;
}

static void add(struct embedded_held *h, const struct item_resource *item, uint64_t revision,
                uint64_t tag)
{
    struct held_thing *t = find(h, item);
    if (t != NULL)
        thing_free(&t);
    t = mem_new(sizeof(*t));
    t->memory = mem_new(item->name.length + item->after.length);
    memcpy(t->memory, item->name.at, item->name.length);
    if (item->after.length > 0)
        memcpy(t->memory + item->name.length, item->after.at, item->after.length);
    t->kind = item->kind;
    t->name = text_from(t->memory, item->name.length);
    t->has_after = item->has_after;
    t->after = text_from(t->memory + item->name.length, item->after.length);
    t->revision = revision;
    t->tag = tag;
    list_add_last(&h->things, &t->node);
}

void store_embedded_held_free(struct embedded_held **at)
{
    if (*at == NULL)
        return;
    LIST_EACH_SAFE (node, following, &(*at)->things) {
        struct held_thing *t = LIST_ITEM(node, struct held_thing, node);
        thing_free(&t);
    }
    MEM_FREE(at);
}

void store_embedded_held_try(struct embedded_work *w)
{
    LIST_EACH (node, &w->store->held->things) {
        struct held_thing *t = LIST_ITEM(node, struct held_thing, node);
        t->is_bad = false;
        if (!t->has_after) {
            resources_draft_remove(w->draft, t->kind, t->name);
            continue;
        }
        struct problems ps;
        problems_init(&ps);
        struct resource *r =
            resource_parse(t->kind, t->after, store_embedded_checks(w->store), &ps);
        t->is_bad = r == NULL;
        if (r != NULL) {
            resource_stamp(r, t->revision, t->tag);
            resources_draft_put(w->draft, r, NULL);
        }
        resource_unref(&r);
        problems_fini(&ps);
    }
}

void store_embedded_held_pass(struct embedded_work *w, const struct item_resource *item)
{
    struct held_thing *t = w->store->held == NULL ? NULL : find(w->store->held, item);
    if (t != NULL)
        t->is_bad = false;
}

bool store_embedded_held_is_stuck(const struct store_embedded *e)
{
    if (e->held == NULL)
        return false;
    LIST_EACH (node, &e->held->things) {
        if (LIST_ITEM(node, struct held_thing, node)->is_bad)
            return true;
    }
    return false;
}

static void hold_item(void *arg, const struct item *item)
{
    struct embedded_work *w = arg;
    if (item->kind == ITEM_RESOURCE && item->resource.kind != RESOURCE_CONSUMER)
        add(w->store->held, &item->resource, w->head.revision, w->tag);
}

static void hold_items(struct embedded_work *w)
{
    (void)item_each(w->texts, w->text_count, hold_item, w);
}

static void say(struct store_embedded *e, struct text reason)
{
    if (e->settings.behind != NULL)
        e->settings.behind(e->settings.arg, reason);
}

static void begin(struct store_embedded *e)
{
    if (e->held != NULL)
        return;
    e->held = mem_new(sizeof(*e->held));
    list_init(&e->held->things);
}

void store_embedded_held_add(struct store_embedded *e, const struct item_resource *item,
                             const char *why)
{
    char sentence[512];
    if (e->held == NULL) {
        snprintf(sentence, sizeof(sentence), "The %s %.*s cannot be in force here: %s",
                 resource_kind_singular(item->kind), TEXT_ARGS(item->name), why);
        say(e, text_of(sentence));
    }
    begin(e);
    add(e->held, item, item->revision, item->tag);
}

void store_embedded_held_print(const struct store_embedded *e, struct builder *b)
{
    if (e->held == NULL)
        return;
    LIST_EACH (node, &e->held->things) {
        const struct held_thing *t = LIST_ITEM(node, struct held_thing, node);
        item_print(&(struct item){ .kind = ITEM_RESOURCE,
                                   .resource = { .kind = t->kind,
                                                 .name = t->name,
                                                 .has_after = t->has_after,
                                                 .after = t->after,
                                                 .revision = t->revision,
                                                 .tag = t->tag } },
                   b);
    }
}

void store_embedded_held_settle(struct embedded_work *w)
{
    struct store_embedded *e = w->store;
    if (text_is_empty(w->held)) {
        if (e->held == NULL)
            return;
        store_embedded_held_free(&e->held);
        say(e, TEXT_EMPTY);
        return;
    }
    if (e->held == NULL) {
        begin(e);
        say(e, arena_print(&w->arena, "Revision %llu cannot be in force here: %.*s",
                           (unsigned long long)w->head.revision, TEXT_ARGS(w->held)));
    }
    hold_items(w);
}
