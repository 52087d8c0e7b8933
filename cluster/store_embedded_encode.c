/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded_encode.c - a planned commit as the items of an entry, and the entry's head.
 */
#include <stdio.h>

#include "cluster/store_embedded_private.h"
#include "conf/base/digest.h"
#include "conf/base/mem.h"

#define AUTHOR_UNKNOWN "unknown"

/* ---- parts ---- */

/* Where the next item goes: no item is cut, and no part grows much past its size. */
struct builder *store_embedded_encode_room(struct embedded_parts *parts)
{
    if (parts->count > 0) {
        struct builder *last = &parts->builders[parts->count - 1];
        if (builder_text(last).length < STORE_EMBEDDED_PART_BYTES)
            return last;
    }
    parts->builders = mem_resize(parts->builders, (parts->count + 1) * sizeof(*parts->builders));
    struct builder *b = &parts->builders[parts->count++];
    builder_init(b, SIZE_MAX);
    return b;
}

void store_embedded_encode_finish(struct embedded_work *w)
{
    struct embedded_parts *parts = &w->parts;
    MUST(parts->texts == NULL);
    parts->texts = mem_new_array(parts->count, sizeof(*parts->texts));
    for (size_t i = 0; i < parts->count; i++)
        parts->texts[i] = builder_text(&parts->builders[i]);
    w->texts = parts->texts;
    w->text_count = parts->count;
}

bool store_embedded_encode_free_some(struct embedded_parts *parts)
{
    if (parts->count > 0) {
        builder_fini(&parts->builders[--parts->count]);
        return true;
    }
    MEM_FREE(&parts->builders);
    MEM_FREE(&parts->texts);
    return false;
}

void store_embedded_encode_free(struct embedded_parts *parts)
{
    while (store_embedded_encode_free_some(parts))
        continue;
}

static void add_item(struct embedded_work *w, const struct item *item)
{
    item_print(item, store_embedded_encode_room(&w->parts));
}

/* ---- items ---- */

static void add_resource(struct embedded_work *w, struct resource *before, struct resource *after)
{
    const struct resource *either = after == NULL ? before : after;
    if (after != NULL)
        resource_stamp(after, w->head.revision, w->tag);
    add_item(w, &(struct item){
                    .kind = ITEM_RESOURCE,
                    .resource = {
                        .kind = either->kind,
                        .name = either->name,
                        .has_before = before != NULL,
                        .has_after = after != NULL,
                        .before = before == NULL ? TEXT_EMPTY : before->set,
                        .after = after == NULL ? TEXT_EMPTY : after->set,
                    },
                });
}

static void begin(struct embedded_work *w)
{
    const struct store_embedded *e = w->store;
    w->head.revision = e->next.revision + 1;
    w->head.prev = e->next.id;
    w->head.time_ms = w->now;
    resources_difference_init(&w->difference, w->before, w->after);
    uint64_t origin = w->undoes != 0 ? w->undoes : w->commit->restores;
    if (origin != 0)
        add_item(w,
                 &(struct item){ .kind = ITEM_ORIGIN, .origin = { origin, w->kind == WORK_UNDO } });
    if (w->commit->confirm_ms > 0) {
        w->confirm_until = w->now + w->commit->confirm_ms;
        add_item(w, &(struct item){ .kind = ITEM_CONFIRM, .confirm_until = w->confirm_until });
    }
}

enum embedded_step store_embedded_encode_resources(struct embedded_work *w)
{
    struct resource *before;
    struct resource *after;
    if (w->at++ == 0)
        begin(w);
    if (!resources_difference_next(&w->difference, &before, &after))
        return STEP_NEXT;
    w->only = (struct store_difference){ before, after };
    w->resource_count++;
    add_resource(w, before, after);
    return STEP_AGAIN;
}

enum embedded_step store_embedded_encode_consumers(struct embedded_work *w)
{
    if (w->at == w->consumer_count)
        return STEP_NEXT;
    const struct store_difference *d = &w->consumers[w->at++];
    add_resource(w, d->before, d->after);
    return STEP_AGAIN;
}

enum embedded_step store_embedded_encode_keys(struct embedded_work *w)
{
    if (w->at == w->commit->key_count || w->is_again)
        return STEP_NEXT;
    struct item item = { .kind = ITEM_KEY };
    if (store_embedded_keys_record(w, w->at, &item.key))
        add_item(w, &item);
    w->at++;
    return STEP_AGAIN;
}

/* ---- the head ---- */

static void summarise_resources(const struct embedded_work *w, struct builder *b)
{
    size_t count = w->resource_count + w->consumer_count;
    if (count == 1) {
        struct store_difference only = w->resource_count == 1 ? w->only : w->consumers[0];
        const struct resource *r = only.after == NULL ? only.before : only.after;
        const char *how = only.after == NULL    ? "removed"
                          : only.before == NULL ? "added"
                                                : "changed";
        builder_addf(b, "%s %.*s %s", resource_kind_singular(r->kind), TEXT_ARGS(r->name), how);
        return;
    }
    if (count > 0)
        builder_addf(b, "%zu resources changed", count);
}

static void summarise_keys(struct embedded_work *w, struct builder *b)
{
    static const char *const how[] = { "", "added", "changed", "revoked" };
    if (w->keys_changed == 0)
        return;
    if (builder_text(b).length > 0)
        builder_add(b, TEXT_OF(", "));
    struct item_key item;
    if (w->commit->key_count > 1 || !store_embedded_keys_record(w, 0, &item)) {
        builder_addf(b, "%zu key%s changed", w->keys_changed, w->keys_changed == 1 ? "" : "s");
        return;
    }
    char id[KEY_ID_SIZE];
    builder_addf(b, "key %.*s of %.*s %s", TEXT_ARGS(key_id_print(item.key.id, id)),
                 TEXT_ARGS(item.key.consumer), how[item.change]);
}

static struct text summarise(struct embedded_work *w)
{
    struct builder b;
    builder_init(&b, ENTRY_SUMMARY_MAX);
    if (w->undoes != 0)
        builder_addf(
            &b, "undid revision %llu, which was not confirmed: ", (unsigned long long)w->undoes);
    else if (w->commit->restores != 0)
        builder_addf(&b, "restored revision %llu: ", (unsigned long long)w->commit->restores);
    if (!text_is_empty(w->commit->because))
        builder_addf(&b,
                     "%.*s: ", TEXT_ARGS(text_first(w->commit->because, ENTRY_SUMMARY_MAX / 4)));
    struct builder what;
    builder_init(&what, ENTRY_SUMMARY_MAX / 2);
    summarise_resources(w, &what);
    summarise_keys(w, &what);
    builder_add(&b, builder_text(&what));
    struct text summary = arena_copy(&w->arena, builder_text(&b));
    builder_fini(&what);
    builder_fini(&b);
    return summary;
}

/* From here on the commits behind this one build on it. */
enum embedded_step store_embedded_encode_head(struct embedded_work *w)
{
    struct embedded_head *next = &w->store->next;
    struct text author = text_first(w->commit->author, ENTRY_AUTHOR_MAX);
    w->head.author = text_is_empty(author) ? TEXT_OF(AUTHOR_UNKNOWN) : author;
    w->head.summary = summarise(w);
    store_embedded_encode_finish(w);
    if (w->after != w->before || w->consumer_count > 0)
        next->config_tag = w->tag;
    store_embedded_advance(next, w->after);
    next->revision = w->head.revision;
    next->id = w->head.id;
    w->result.tag = w->tag;
    return STEP_NEXT;
}

void store_embedded_encode_settled(struct embedded_work *w, struct text author)
{
    struct store_embedded *e = w->store;
    w->now = store_embedded_wall(e);
    digest_random(w->head.id.bytes, ENTRY_ID_SIZE);
    w->tag = store_tag_of(&w->head.id);
    w->head.revision = e->next.revision + 1;
    w->head.prev = e->next.id;
    w->head.time_ms = w->now;
    author = text_first(author, ENTRY_AUTHOR_MAX);
    w->head.author = text_is_empty(author) ? TEXT_OF(AUTHOR_UNKNOWN) : author;
    w->head.summary =
        arena_print(&w->arena, "revision %llu %s", (unsigned long long)w->settles,
                    w->settles_undone ? "was not confirmed; nothing to undo" : "confirmed");
    resources_unref(&w->before);
    w->before = resources_ref(e->next.resources);
    resources_unref(&w->after);
    w->after = resources_ref(e->next.resources);
    e->next.revision = w->head.revision;
    e->next.id = w->head.id;
}
