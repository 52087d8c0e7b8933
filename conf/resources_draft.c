/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resources_draft.c - a set that is being changed. It is a sealed set nobody else has yet, plus
 * the list of what was touched, so that sealing checks that and no more.
 */
#include <stdio.h>

#include "conf/base/arena.h"
#include "conf/base/map.h"
#include "conf/base/mem.h"
#include "conf/resources_private.h"

#define CHECKED_AT_ONCE 32

struct touched {
    struct touched *next;
    enum resource_kind kind;
    struct text name;
    struct place place; /* of the last put; pointer NULL: none was given */
};

struct resources_draft {
    struct resources *base;
    struct resources *made;
    bool is_replacing;
    bool is_changed;
    struct arena arena;
    struct touched *first; /* in the order of the first touch */
    struct touched **end;
    struct map by_name[RESOURCES_KINDS]; /* struct touched */

    /* How far checking is. */
    enum checking { CHECKING_NOT, CHECKING_TOUCHED, CHECKING_LEFT_OUT, CHECKING_DONE } checking;
    const struct touched *next_touched;
    struct resources_difference left_out;
    bool has_found; /* problems */
};

static struct resources_draft *new_draft(struct resources *base, bool is_replacing)
{
    struct resources_draft *d = mem_new(sizeof(*d));

    d->base = resources_ref(base);
    d->made = resources_new();
    d->is_replacing = is_replacing;
    d->end = &d->first;
    arena_init(&d->arena, SIZE_MAX);
    for (size_t i = 0; i < RESOURCES_KINDS; i++)
        map_init(&d->by_name[i]);
    return d;
}

struct resources_draft *resources_draft_new(struct resources *base)
{
    struct resources_draft *d = new_draft(base, false);

    for (size_t i = 0; i < RESOURCES_KINDS; i++)
        catalog_copy(&base->by_name[i], &d->made->by_name[i]);
    catalog_copy(&base->references, &d->made->references);
    return d;
}

struct resources_draft *resources_draft_new_replacing(struct resources *base)
{
    return new_draft(base, true);
}

void resources_draft_free(struct resources_draft **d)
{
    struct resources_draft *gone = *d;

    *d = NULL;
    if (gone == NULL)
        return;
    for (size_t i = 0; i < RESOURCES_KINDS; i++)
        map_fini(&gone->by_name[i]);
    resources_unref(&gone->made);
    resources_unref(&gone->base);
    arena_reset(&gone->arena);
    MEM_FREE(&gone);
}

/* ---- changing ---- */

static char *copy_text(struct resources_draft *d, const char *text)
{
    if (text == NULL)
        return NULL;
    return (char *)(uintptr_t)arena_copy(&d->arena, text_of(text)).at;
}

static void touch(struct resources_draft *d, enum resource_kind kind, struct text name,
                  const struct place *place)
{
    struct touched *t = map_find(&d->by_name[kind], name);

    d->checking = CHECKING_NOT;
    if (t == NULL) {
        t = arena_zalloc(&d->arena, sizeof(*t));
        t->kind = kind;
        t->name = arena_copy(&d->arena, name);
        *d->end = t;
        d->end = &t->next;
        (void)map_set(&d->by_name[kind], t->name, t);
    }
    if (place == NULL)
        return;
    t->place = (struct place){
        .file = copy_text(d, place->file),
        .line = place->line,
        .pointer = copy_text(d, place->pointer == NULL ? "" : place->pointer),
        .path = copy_text(d, place->path),
    };
}

struct referring {
    struct resources_draft *draft;
    struct resource *resource;
};

static void add_reference(void *arg, enum resource_kind kind, struct text name, const char *at)
{
    struct referring *r = arg;

    if (kind == RESOURCE_UPSTREAM)
        catalog_set(&r->draft->made->references, name, r->resource);
}

static void remove_reference(void *arg, enum resource_kind kind, struct text name, const char *at)
{
    struct referring *r = arg;

    /* Named twice by one resource: gone the second time. */
    if (kind == RESOURCE_UPSTREAM)
        (void)catalog_remove(&r->draft->made->references, name, r->resource->name);
}

enum resources_change resources_draft_put(struct resources_draft *d, struct resource *r,
                                          const struct place *place)
{
    struct resource *present = resources_find(d->made, r->kind, r->name);
    struct resource *known = d->is_replacing ? resources_find(d->base, r->kind, r->name) : present;
    bool is_same = known != NULL && resource_equals(known, r);
    struct referring referring = { .draft = d };

    if (d->is_replacing && present != NULL)
        return RESOURCES_TWICE;
    if (is_same)
        r = known;
    if (r == present)
        return RESOURCES_SAME;
    if (present != NULL) {
        referring.resource = present;
        resource_references(present, remove_reference, &referring);
    }
    referring.resource = r;
    resource_references(r, add_reference, &referring);
    touch(d, r->kind, r->name, place);
    catalog_set(&d->made->by_name[r->kind], r->name, r);
    if (is_same)
        return RESOURCES_SAME;
    d->is_changed = true;
    return known != NULL ? RESOURCES_CHANGED : RESOURCES_ADDED;
}

bool resources_draft_remove(struct resources_draft *d, enum resource_kind kind, struct text name)
{
    struct resource *present = resources_find(d->made, kind, name);
    struct referring referring = { .draft = d, .resource = present };

    if (present == NULL)
        return false;
    resource_references(present, remove_reference, &referring);
    touch(d, kind, name, NULL);
    MUST(catalog_remove(&d->made->by_name[kind], present->name, present->name));
    d->is_changed = true;
    return true;
}

struct resource *resources_draft_find(const struct resources_draft *d, enum resource_kind kind,
                                      struct text name)
{
    return resources_find(d->made, kind, name);
}

bool resources_draft_check(const struct resources_draft *d, const struct resource *r,
                           const struct place *place, struct problems *ps)
{
    if (place == NULL)
        return resources_check(d->made, r, ps);
    return resources_check_at(d->made, r, place, ps);
}

/* A replacing draft changes something too by what was not put again. */
static bool lacks_some(const struct resources_draft *d)
{
    for (size_t i = 0; i < RESOURCES_KINDS; i++) {
        if (d->made->by_name[i].count != d->base->by_name[i].count)
            return true;
    }
    return false;
}

bool resources_draft_is_changed(const struct resources_draft *d)
{
    return d->is_changed || (d->is_replacing && lacks_some(d));
}

/* ---- sealing ---- */

static void print_path(char path[static 128], enum resource_kind kind, struct text name)
{
    (void)snprintf(path, 128, "%s.%.*s", resource_kind_name(kind), TEXT_ARGS(name));
}

static void check_present(const struct resources_draft *d, const struct touched *t,
                          const struct resource *r, struct problems *ps)
{
    char path[128];
    struct place place = t->place;

    print_path(path, t->kind, t->name);
    if (place.pointer == NULL)
        place.pointer = "";
    if (place.path == NULL)
        place.path = path;
    bool is_right = resources_check_at(d->made, r, &place, ps);
    MUST(is_right || ps->count + ps->dropped > 0);
}

/* Routes that were touched say themselves what they miss. */
static void check_gone_upstream(const struct resources_draft *d, struct text name,
                                struct problems *ps)
{
    const struct catalog *references = &d->made->references;
    struct catalog_place at = catalog_find(references, name, TEXT_EMPTY);
    const struct catalog_entry *entry;
    char path[128];

    print_path(path, RESOURCE_UPSTREAM, name);
    while ((entry = catalog_next(references, &at)) != NULL && text_equals(entry->key, name)) {
        const struct place place = { .pointer = "", .path = path };

        if (map_find(&d->by_name[RESOURCE_ROUTE], entry->resource->name) == NULL)
            problems_add(ps, place, "The upstream %.*s is still used by the route %.*s.",
                         TEXT_ARGS(name), TEXT_ARGS(entry->resource->name));
    }
}

static void check_gone_plan(struct text name, const struct resources_outside *outside,
                            struct problems *ps)
{
    char path[128];
    struct place place = { .pointer = "", .path = path };
    size_t users = 0;

    if (outside != NULL && outside->plan_users != NULL)
        users = outside->plan_users(outside->arg, name);
    if (users == 0)
        return;
    print_path(path, RESOURCE_PLAN, name);
    problems_add(ps, place, "The plan %.*s is still used by %zu consumer%s.", TEXT_ARGS(name),
                 users, users == 1 ? "" : "s");
}

static void check_gone(const struct resources_draft *d, enum resource_kind kind, struct text name,
                       const struct resources_outside *outside, struct problems *ps)
{
    if (kind == RESOURCE_UPSTREAM)
        check_gone_upstream(d, name, ps);
    else if (kind == RESOURCE_PLAN)
        check_gone_plan(name, outside, ps);
}

static void check_one_touched(struct resources_draft *d, const struct resources_outside *outside,
                              struct problems *ps)
{
    const struct touched *t = d->next_touched;
    const struct resource *r = resources_find(d->made, t->kind, t->name);

    d->next_touched = t->next;
    if (r != NULL)
        check_present(d, t, r, ps);
    else
        check_gone(d, t->kind, t->name, outside, ps);
}

/* What base has and nobody put again. */
static void check_one_left_out(struct resources_draft *d, const struct resources_outside *outside,
                               struct problems *ps)
{
    struct resource *before;
    struct resource *after;

    if (!resources_difference_next(&d->left_out, &before, &after))
        d->checking = CHECKING_DONE;
    else if (after == NULL)
        check_gone(d, before->kind, before->name, outside, ps);
}

static void begin_checking(struct resources_draft *d)
{
    d->checking = CHECKING_TOUCHED;
    d->next_touched = d->first;
    d->has_found = false;
}

static void check_next(struct resources_draft *d, const struct resources_outside *outside,
                       struct problems *ps)
{
    switch (d->checking) {
    case CHECKING_NOT:
        begin_checking(d);
        break;
    case CHECKING_TOUCHED:
        if (d->next_touched != NULL) {
            check_one_touched(d, outside, ps);
            break;
        }
        d->checking = d->is_replacing ? CHECKING_LEFT_OUT : CHECKING_DONE;
        resources_difference_init(&d->left_out, d->base, d->made);
        break;
    case CHECKING_LEFT_OUT:
        check_one_left_out(d, outside, ps);
        break;
    case CHECKING_DONE:
        break;
    }
}

bool resources_draft_check_some(struct resources_draft *d, const struct resources_outside *outside,
                                struct problems *ps)
{
    size_t before = ps->count + ps->dropped;

    for (unsigned i = 0; i < CHECKED_AT_ONCE && d->checking != CHECKING_DONE; i++)
        check_next(d, outside, ps);
    d->has_found = d->has_found || ps->count + ps->dropped != before;
    return d->checking != CHECKING_DONE;
}

bool resources_draft_seal(struct resources_draft **d, const struct resources_outside *outside,
                          struct problems *ps, struct resources **sealed_out)
{
    struct resources_draft *draft = *d;

    while (resources_draft_check_some(draft, outside, ps))
        continue;
    if (draft->has_found) {
        draft->checking = CHECKING_NOT;
        return false;
    }
    *sealed_out = resources_ref(resources_draft_is_changed(draft) ? draft->made : draft->base);
    resources_draft_free(d);
    return true;
}
