/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/config.h"

#include <stdio.h>
#include <stdlib.h>

#include "conf/base/map.h"
#include "conf/base/mem.h"
#include "conf/config_reader.h"
#include "conf/read_libconfig.h"

/* Where a consumer stands, for what can only be checked at the end. */
struct origin {
    const char *file;
    unsigned line;
    size_t index;
};

struct binding {
    const struct checks *checks;
    struct problems *ps;
    struct resources_draft *draft;
    struct map names; /* of consumers */
    struct config config;
    struct origin *origins; /* of its consumers */
    size_t room;
    size_t index; /* of the next consumer */
};

static struct place place_of(const struct config_reader_item *item, const struct resource *r,
                             char path[static 128])
{
    (void)snprintf(path, 128, "%s.%.*s", resource_kind_name(item->kind), TEXT_ARGS(r->name));
    return (struct place){
        .file = item->doc.file, .line = item->doc.line, .pointer = item->pointer, .path = path
    };
}

static void complain_twice(struct binding *b, const struct resource *r, struct place place)
{
    problems_add(b->ps, place, "The %s %.*s is there twice; each name may be there once.",
                 resource_kind_singular(r->kind), TEXT_ARGS(r->name));
}

static void add_consumer(struct binding *b, struct resource *r, size_t index, struct place place)
{
    struct config *c = &b->config;

    if (map_find(&b->names, r->name) != NULL) {
        complain_twice(b, r, place);
        return;
    }
    if (c->consumer_count == b->room) {
        b->room = b->room == 0 ? 16 : 2 * b->room;
        c->consumers = mem_resize(c->consumers, b->room * sizeof(struct resource *));
        b->origins = mem_resize(b->origins, b->room * sizeof(struct origin));
    }
    b->origins[c->consumer_count] = (struct origin){ place.file, place.line, index };
    c->consumers[c->consumer_count++] = resource_ref(r);
    (void)map_set(&b->names, r->name, r);
}

static void add_item(struct binding *b, const struct config_reader_item *item)
{
    const struct resource_source source = { .pointer = item->pointer };
    struct resource *r = resource_new(item->kind, &item->doc, &source, b->checks, b->ps);
    char path[128];
    struct place place;
    size_t consumer = b->index;

    b->index += item->kind == RESOURCE_CONSUMER;
    if (r == NULL)
        return;
    place = place_of(item, r, path);
    if (r->kind == RESOURCE_CONSUMER)
        add_consumer(b, r, consumer, place);
    else if (resources_draft_put(b->draft, r, &place) == RESOURCES_TWICE)
        complain_twice(b, r, place);
    resource_unref(&r);
}

static void add_all(struct binding *b, const struct doc *doc)
{
    struct config_reader reader;
    struct config_reader_item item;
    enum config_reader_step step;

    config_reader_init_doc(&reader, doc, b->checks);
    do {
        step = config_reader_next(&reader, NULL, b->ps, &item);
        if (step == CONFIG_READER_ITEM)
            add_item(b, &item);
    } while (step == CONFIG_READER_ITEM || step == CONFIG_READER_PROBLEM);
}

static int compare_names(const void *a, const void *b)
{
    const struct resource *const *left = a;
    const struct resource *const *right = b;

    return text_compare((*left)->name, (*right)->name);
}

/* Plans may come behind consumers, so they are looked for at the end. */
static void check_consumers(struct binding *b)
{
    for (size_t i = 0; i < b->config.consumer_count; i++) {
        struct resource *r = b->config.consumers[i];
        char pointer[48];
        char path[128];
        struct place place = {
            .file = b->origins[i].file, .line = b->origins[i].line, .pointer = pointer, .path = path
        };

        (void)snprintf(pointer, sizeof(pointer), "/consumers/%zu", b->origins[i].index);
        (void)snprintf(path, sizeof(path), "consumers.%s", r->name.at);
        resources_draft_check(b->draft, r, &place, b->ps);
    }
}

bool config_bind(const struct doc *doc, const struct checks *checks, struct problems *ps,
                 struct config *config_out)
{
    struct resources *none = resources_new();
    struct binding b = { .checks = checks, .ps = ps };
    size_t before = ps->count + ps->dropped;

    b.draft = resources_draft_new_replacing(none);
    map_init(&b.names);
    add_all(&b, doc);
    check_consumers(&b);
    if (resources_draft_seal(&b.draft, NULL, ps, &b.config.resources) &&
        ps->count + ps->dropped == before) {
        if (b.config.consumer_count > 0)
            qsort(b.config.consumers, b.config.consumer_count, sizeof(struct resource *),
                  compare_names);
        *config_out = b.config;
    } else
        config_fini(&b.config);
    resources_draft_free(&b.draft);
    map_fini(&b.names);
    MEM_FREE(&b.origins);
    resources_unref(&none);
    return ps->count + ps->dropped == before;
}

bool config_read(const char *file, const struct checks *checks, struct problems *ps,
                 struct config *config_out)
{
    struct arena arena;
    struct doc doc;
    bool is_good;

    arena_init(&arena, SIZE_MAX);
    is_good =
        read_libconfig_or_json(file, &arena, ps, &doc) && config_bind(&doc, checks, ps, config_out);
    arena_reset(&arena);
    return is_good;
}

void config_fini(struct config *c)
{
    resources_unref(&c->resources);
    for (size_t i = 0; i < c->consumer_count; i++)
        resource_unref(&c->consumers[i]);
    MEM_FREE(&c->consumers);
    c->consumer_count = 0;
}
