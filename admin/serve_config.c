/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve_config.c - all resources as one document: printed in pieces, and replaced by one that is
 * read one resource at a time, in slices of 2 ms.
 */
#include <stdio.h>

#include "admin/admin_server.h"
#include "admin/change.h"
#include "admin/difference.h"
#include "admin/references.h"
#include "admin/reply.h"
#include "admin/serve.h"
#include "conf/base/map.h"
#include "conf/base/mem.h"
#include "conf/config_reader.h"
#include "gatewayd/memory.h"
#include "gatewayd/route/pattern.h"

#define PIECE        16384
#define POINTER_SIZE 48

static const struct checks strict = { .lenient = false, .pattern = pattern_check };

/* ---- printing ----------------------------------------------------------------------------- */

struct printing {
    struct resources *resources; /* counted */
    struct resources_cursor cursor;
    char consumer[64]; /* the last one printed */
    int kind;
    bool has_begun; /* the kind's list */
    bool is_first;
    bool only_set;
};

static void free_printing(struct call *call)
{
    struct printing *p = call->state;

    resources_unref(&p->resources);
}

/* A count of the next consumer: read from the live table, so that a change while the document is
 * being printed may show in it (its ETag tells). */
static struct resource *next_consumer(struct call *call, struct printing *p)
{
    struct credentials *c = control_credentials(admin_server_control(call->server));
    struct credentials_consumer consumer;

    if (!credentials_next_consumer(c, text_of(p->consumer), &consumer)) {
        return NULL;
    }
    (void)snprintf(p->consumer, sizeof(p->consumer), "%.*s", TEXT_ARGS(consumer.name));
    return credentials_consumer_resource(c, consumer.name);
}

static struct resource *next_resource(struct call *call, struct printing *p)
{
    if (p->kind == RESOURCE_CONSUMER) {
        return next_consumer(call, p);
    }
    struct resource *r = resources_next(&p->cursor);
    return r == NULL ? NULL : resource_ref(r);
}

static void begin_kind(struct printing *p, struct builder *b)
{
    enum resource_kind kind = (enum resource_kind)p->kind;

    builder_addf(b, "%s\"%s\":[", kind == RESOURCE_UPSTREAM ? "{" : ",\n",
                 resource_kind_name(kind));
    if (kind != RESOURCE_CONSUMER) {
        resources_cursor_init(&p->cursor, p->resources, kind);
    }
    p->has_begun = true;
    p->is_first = true;
}

/* False: all was printed. */
static bool print_next(struct call *call, struct printing *p, struct builder *b)
{
    if (p->kind == RESOURCE_KINDS) {
        builder_add(b, TEXT_OF("}\n"));
        return false;
    }
    if (!p->has_begun) {
        begin_kind(p, b);
        return true;
    }
    struct resource *r = next_resource(call, p);
    if (r == NULL) {
        builder_add_byte(b, ']');
        p->kind++;
        p->has_begun = false;
        return true;
    }
    builder_add(b, p->is_first ? TEXT_OF("\n ") : TEXT_OF(",\n "));
    p->is_first = false;
    if (p->only_set) {
        builder_add(b, r->set);
    } else {
        resource_print(r, b);
    }
    resource_unref(&r);
    return true;
}

static bool produce(struct call *call, struct builder *b)
{
    size_t end = b->length + PIECE;

    while (b->length < end) {
        if (!print_next(call, call->state, b)) {
            return false;
        }
    }
    return true;
}

void serve_get_config(struct call *call)
{
    struct printing *p = arena_zalloc(&call->arena, sizeof(*p));
    char tag[STORE_TAG_SIZE];

    if (!call_query_fields(call, &p->only_set)) {
        return;
    }
    p->resources = resources_ref(store_resources(store_get()));
    call->state = p;
    call->on_free = free_printing;
    call->revision = store_revision(store_get());
    reply_header(call, "ETag", store_tag_print(store_config_tag(store_get()), tag));
    reply_stream(call, 200, produce);
}

/* ---- replacing ---------------------------------------------------------------------------- */

/* A resource with errors that also refers to others: those are looked for when all is read. */
struct suspect {
    enum resource_kind kind;
    char pointer[POINTER_SIZE];
    struct doc doc;
};

#define SUSPECTS_MAX 100

/* On the heap, because it goes in slices, too, after the call. */
struct replacing {
    struct change *change;
    struct config_reader reader;
    struct loop_slice slice;
    struct store_change *changes;
    size_t count;
    size_t room;
    size_t bytes;         /* of the changes, while they are freed */
    struct arena scratch; /* of one resource */
    struct arena keep;    /* pointers, suspects */
    struct problems problems;
    struct map names[RESOURCE_CONSUMER]; /* those written, good or not; to no consumer is referred
                                            and there may be a million */
    struct suspect *suspects;
    size_t suspect_count;
    size_t looked_at; /* of the changes, for what they refer to */
};

/* One step of freeing; false: all is gone. */
static bool free_some(void *arg)
{
    struct replacing *r = arg;

    if (r->count > 0) {
        struct resource *resource = r->changes[--r->count].resource;
        memory_freed(sizeof(*resource) + 4 * resource->set.length);
        resource_unref(&resource);
        return true;
    }
    if (MEM_BLOCK_FREE_SOME(&r->changes, &r->bytes)) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(r->names); i++) {
        if (map_fini_some(&r->names[i])) {
            return true;
        }
    }
    if (arena_reset_some(&r->keep)) {
        return true;
    }
    arena_reset(&r->scratch);
    problems_fini(&r->problems);
    MEM_FREE(&r);
    return false;
}

static void free_replacing(struct call *call)
{
    struct replacing *r = call->state;

    call->on_free = NULL;
    loop_slice_stop(&r->slice);
    r->bytes = r->room * sizeof(*r->changes);
    admin_server_dispose(call->server, free_some, r);
}

/* The client is gone while the document is being read: nothing was changed. */
static void on_gone(struct call *call)
{
    struct replacing *r = call->state;

    loop_slice_stop(&r->slice);
}

static void add_change(struct replacing *r, struct resource *resource, const char *pointer)
{
    struct text copy = arena_copy(&r->keep, text_of(pointer));
    struct place *place = arena_alloc(&r->keep, sizeof(*place));

    if (r->count == r->room) {
        size_t room = r->room == 0 ? 256 : 2 * r->room;
        r->changes =
            mem_block_resize(r->changes, r->room * sizeof(*r->changes), room * sizeof(*r->changes));
        r->room = room;
    }
    *place = (struct place){ .pointer = copy.at, .path = copy.at };
    r->changes[r->count++] = (struct store_change){
        .change = STORE_PUT,
        .kind = resource->kind,
        .name = resource->name,
        .resource = resource,
        .place = place,
    };
}

static void add_suspect(struct replacing *r, const struct config_reader_item *item)
{
    if (r->suspect_count == SUSPECTS_MAX) {
        return;
    }
    if (r->suspects == NULL) {
        r->suspects = arena_zalloc(&r->keep, SUSPECTS_MAX * sizeof(*r->suspects));
    }
    struct suspect *s = &r->suspects[r->suspect_count++];
    s->kind = item->kind;
    s->doc = doc_copy(&item->doc, &r->keep);
    (void)snprintf(s->pointer, sizeof(s->pointer), "%s", item->pointer);
}

/* Each name may be there once (of consumers the store says so). */
static void note_name(struct replacing *r, const struct config_reader_item *item, struct text name)
{
    if (item->kind == RESOURCE_CONSUMER) {
        return;
    }
    if (map_find(&r->names[item->kind], name) != NULL) {
        problems_add(&r->problems, (struct place){ .pointer = item->pointer, .path = "" },
                     "The %s %.*s is there twice; each name may be there once.",
                     resource_kind_singular(item->kind), TEXT_ARGS(name));
        return;
    }
    (void)map_set(&r->names[item->kind], name, r);
}

static void take_item(struct replacing *r, const struct config_reader_item *item)
{
    struct resource_source source = { .pointer = item->pointer };
    struct resource *resource =
        resource_new(item->kind, &item->doc, &source, &strict, &r->problems);

    if (resource == NULL) {
        struct text name = doc_find_text(&item->doc, TEXT_OF("name"));
        if (!text_is_empty(name)) {
            note_name(r, item, arena_copy(&r->keep, name));
        }
        add_suspect(r, item);
        return;
    }
    note_name(r, item, resource->name);
    add_change(r, resource, item->pointer);
}

static bool exists(void *arg, enum resource_kind kind, struct text name)
{
    const struct replacing *r = arg;

    return kind == RESOURCE_CONSUMER || map_find(&r->names[kind], name) != NULL;
}

struct looking {
    struct replacing *r;
    const struct place *place;
};

static void look_at(void *arg, enum resource_kind kind, struct text name, const char *at)
{
    const struct looking *looking = arg;
    struct replacing *r = looking->r;

    if (exists(r, kind, name)) {
        return;
    }
    const char *pointer =
        arena_print(&r->change->call->arena, "%s%s", looking->place->pointer, at).at;
    problems_add(&r->problems, (struct place){ .pointer = pointer, .path = pointer },
                 "The %s %.*s does not exist.", resource_kind_singular(kind), TEXT_ARGS(name));
}

static void reply_errors(struct replacing *r)
{
    for (size_t i = 0; i < r->suspect_count; i++) {
        const struct suspect *s = &r->suspects[i];

        references_check(resource_kind_schema(s->kind), &s->doc, s->pointer, exists, r,
                         &r->problems);
    }
    reply_problems(r->change->call, 422, "invalid", "The document has errors; nothing was changed.",
                   &r->problems);
}

/* There are errors, so the store is not asked: what the well-formed ones refer to is looked at
 * here, one at each step, so that all errors are told at once. */
static bool look_at_next(void *arg)
{
    struct replacing *r = arg;

    if (r->looked_at < r->count && r->problems.dropped == 0) {
        const struct store_change *change = &r->changes[r->looked_at++];
        struct looking looking = { r, change->place };
        resource_references(change->resource, look_at, &looking);
        return true;
    }
    loop_slice_stop(&r->slice);
    reply_errors(r);
    return false;
}

static void on_replaced(struct change *change, const struct store_result *result)
{
    free_replacing(change->call);
    if (!change->commit.is_dry_run) {
        change_tag(change, store_config_tag(store_get()));
    }
    difference_reply(change, result);
}

static void commit(struct replacing *r)
{
    struct change *change = r->change;

    change->commit.changes = r->changes;
    change->commit.change_count = r->count;
    change->commit.replaces_all = true;
    change->commit.condition = change->condition;
    change_commit(change, on_replaced);
}

/* All was read, or it is no use to read on. False: the slice has ended. */
static bool end_reading(struct replacing *r, bool is_document)
{
    loop_slice_stop(&r->slice);
    if (!is_document) {
        reply_problems(r->change->call, 400, "not-json", "The body is not a document of resources.",
                       &r->problems);
    } else if (!problems_is_empty(&r->problems)) {
        loop_slice_init(&r->slice, admin_server_loop(r->change->call->server), look_at_next, r);
        loop_slice_start(&r->slice);
        return true;
    } else {
        commit(r);
    }
    return false;
}

static bool read_next(void *arg)
{
    struct replacing *r = arg;
    struct config_reader_item item;

    arena_reset(&r->scratch);
    switch (config_reader_next(&r->reader, &r->scratch, &r->problems, &item)) {
    case CONFIG_READER_ITEM:
        take_item(r, &item);
        return r->problems.dropped == 0 ? true : end_reading(r, true);
    case CONFIG_READER_PROBLEM:
        return r->problems.dropped == 0 ? true : end_reading(r, true);
    case CONFIG_READER_END:
        return end_reading(r, true);
    case CONFIG_READER_BROKEN:
        return end_reading(r, false);
    }
    return false;
}

void serve_put_config(struct call *call)
{
    struct change *change = change_new(call);

    if (change == NULL) {
        return;
    }
    struct replacing *r = mem_new(sizeof(*r));
    r->change = change;
    change->state = r;
    change->what = TEXT_OF("configuration");
    arena_init(&r->scratch, SIZE_MAX);
    arena_init(&r->keep, SIZE_MAX);
    problems_init(&r->problems);
    for (size_t i = 0; i < ARRAY_LENGTH(r->names); i++) {
        map_init(&r->names[i]);
    }
    config_reader_init_json(&r->reader, builder_text(&call->body), &strict);
    loop_slice_init(&r->slice, admin_server_loop(call->server), read_next, r);
    call->state = r;
    call->on_free = free_replacing;
    call_hold(call, on_gone);
    loop_slice_start(&r->slice);
}
