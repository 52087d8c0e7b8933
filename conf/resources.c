/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resources.c - sealed sets: an index by name of each kind, and one of who refers to whom.
 */
#include "conf/resources.h"

#include <stdio.h>

#include "conf/base/mem.h"
#include "conf/resources_private.h"

#define AT_ONCE 8 /* chunks: a thousand entries */

/* Large sets that nobody refers to any more. */
static _Atomic(struct resources *) gone_sets;

struct resources *resources_new(void)
{
    struct resources *rs = mem_new(sizeof(*rs));

    atomic_init(&rs->count, 1);
    for (size_t i = 0; i < RESOURCES_KINDS; i++)
        catalog_init(&rs->by_name[i]);
    catalog_init(&rs->references);
    return rs;
}

struct resources *resources_ref(struct resources *rs)
{
    unsigned before = atomic_fetch_add_explicit(&rs->count, 1, memory_order_relaxed);

    MUST(before > 0);
    return rs;
}

static bool is_large(const struct resources *rs)
{
    size_t sole = catalog_count_sole(&rs->references);

    for (size_t i = 0; i < RESOURCES_KINDS; i++)
        sole += catalog_count_sole(&rs->by_name[i]);
    return sole > AT_ONCE;
}

static void leave_for_later(struct resources *rs)
{
    rs->next = atomic_load_explicit(&gone_sets, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&gone_sets, &rs->next, rs, memory_order_release,
                                                  memory_order_relaxed)) {
    }
}

static bool free_some(struct resources *rs)
{
    for (size_t i = 0; i < RESOURCES_KINDS; i++) {
        if (catalog_fini_some(&rs->by_name[i]))
            return true;
    }
    return catalog_fini_some(&rs->references);
}

bool resources_tidy(void)
{
    static struct resources *rest;

    if (rest == NULL)
        rest = atomic_exchange_explicit(&gone_sets, NULL, memory_order_acquire);
    if (rest == NULL)
        return false;
    if (free_some(rest))
        return true;
    struct resources *done = rest;
    rest = done->next;
    MEM_FREE(&done);
    return rest != NULL || atomic_load_explicit(&gone_sets, memory_order_relaxed) != NULL;
}

void resources_unref(struct resources **rs)
{
    struct resources *gone = *rs;

    *rs = NULL;
    if (gone == NULL || atomic_fetch_sub_explicit(&gone->count, 1, memory_order_acq_rel) != 1)
        return;
    if (is_large(gone)) {
        leave_for_later(gone);
        return;
    }
    for (size_t i = 0; i < RESOURCES_KINDS; i++)
        catalog_fini(&gone->by_name[i]);
    catalog_fini(&gone->references);
    MEM_FREE(&gone);
}

const struct catalog *resources_catalog(const struct resources *rs, enum resource_kind kind)
{
    MUST((size_t)kind < RESOURCES_KINDS);
    return &rs->by_name[kind];
}

struct resource *resources_find(const struct resources *rs, enum resource_kind kind,
                                struct text name)
{
    const struct catalog *catalog = resources_catalog(rs, kind);
    struct catalog_place place = catalog_find(catalog, name, name);
    const struct catalog_entry *entry = catalog_next(catalog, &place);

    if (entry == NULL || !text_equals(entry->key, name))
        return NULL;
    return entry->resource;
}

size_t resources_count(const struct resources *rs, enum resource_kind kind)
{
    return resources_catalog(rs, kind)->count;
}

/* ---- cursors ---- */

void resources_cursor_init(struct resources_cursor *c, const struct resources *rs,
                           enum resource_kind kind)
{
    *c = (struct resources_cursor){ .catalog = resources_catalog(rs, kind) };
}

void resources_cursor_after(struct resources_cursor *c, const struct resources *rs,
                            enum resource_kind kind, struct text name)
{
    struct catalog_place place;

    resources_cursor_init(c, rs, kind);
    place = catalog_find(c->catalog, name, name);
    c->chunk = place.chunk;
    c->index = place.index;
    if (resources_find(rs, kind, name) != NULL)
        (void)resources_next(c);
}

struct resource *resources_next(struct resources_cursor *c)
{
    struct catalog_place place = { c->chunk, c->index };
    const struct catalog_entry *entry = catalog_next(c->catalog, &place);

    c->chunk = place.chunk;
    c->index = place.index;
    return entry == NULL ? NULL : entry->resource;
}

/* ---- references ---- */

size_t resources_referrers(const struct resources *rs, enum resource_kind kind, struct text name,
                           struct text *names_out, size_t size)
{
    struct catalog_place place = catalog_find(&rs->references, name, TEXT_EMPTY);
    const struct catalog_entry *entry;
    size_t count = 0;

    if (kind != RESOURCE_UPSTREAM)
        return 0;
    for (; (entry = catalog_next(&rs->references, &place)) != NULL; count++) {
        if (!text_equals(entry->key, name))
            break;
        if (count < size)
            names_out[count] = entry->resource->name;
    }
    return count;
}

struct checking {
    const struct resources *rs;
    const struct resource *resource;
    const struct place *place;
    struct problems *ps;
};

/* Pointers into documents are short: "/consumers/1234567". */
#define POINTER_SIZE 256

static void check_reference(void *arg, enum resource_kind kind, struct text name, const char *at)
{
    struct checking *c = arg;
    struct place place = *c->place;
    char pointer[POINTER_SIZE];

    if (resources_find(c->rs, kind, name) != NULL)
        return;
    (void)snprintf(pointer, sizeof(pointer), "%s%s", place.pointer == NULL ? "" : place.pointer,
                   at);
    place.pointer = pointer;
    problems_add(c->ps, place, "The %s %.*s refers to the %s %.*s, which does not exist.",
                 resource_kind_singular(c->resource->kind), TEXT_ARGS(c->resource->name),
                 resource_kind_singular(kind), TEXT_ARGS(name));
}

bool resources_check_at(const struct resources *rs, const struct resource *r,
                        const struct place *place, struct problems *ps)
{
    struct checking c = { .rs = rs, .resource = r, .place = place, .ps = ps };
    size_t before = ps->count + ps->dropped;

    resource_references(r, check_reference, &c);
    return ps->count + ps->dropped == before;
}

bool resources_check(const struct resources *rs, const struct resource *r, struct problems *ps)
{
    char path[128];
    struct place place = { .pointer = "", .path = path };

    (void)snprintf(path, sizeof(path), "%s.%.*s", resource_kind_name(r->kind), TEXT_ARGS(r->name));
    return resources_check_at(rs, r, &place, ps);
}

/* ---- differences ---- */

static void start_kind(struct resources_difference *d)
{
    resources_cursor_init(&d->at_before, d->before, d->kind);
    resources_cursor_init(&d->at_after, d->after, d->kind);
}

void resources_difference_init(struct resources_difference *d, const struct resources *before,
                               const struct resources *after)
{
    *d = (struct resources_difference){ .before = before, .after = after };
    start_kind(d);
}

static struct resource *peek(const struct resources_cursor *c)
{
    struct resources_cursor copy = *c;

    return resources_next(&copy);
}

static void skip_shared(struct resources_difference *d)
{
    struct catalog_place a = { d->at_before.chunk, d->at_before.index };
    struct catalog_place b = { d->at_after.chunk, d->at_after.index };

    while (catalog_skip_shared(d->at_before.catalog, &a, d->at_after.catalog, &b))
        ;
    d->at_before.chunk = a.chunk;
    d->at_before.index = a.index;
    d->at_after.chunk = b.chunk;
    d->at_after.index = b.index;
}

/* The next pair of one kind, whether it differs or not; false at its end. */
static bool next_pair(struct resources_difference *d, struct resource **before_out,
                      struct resource **after_out)
{
    struct resource *a;
    struct resource *b;
    int order;

    skip_shared(d);
    a = peek(&d->at_before);
    b = peek(&d->at_after);
    if (a == NULL && b == NULL)
        return false;
    order = a == NULL ? 1 : b == NULL ? -1 : text_compare(a->name, b->name);
    *before_out = order <= 0 ? resources_next(&d->at_before) : NULL;
    *after_out = order >= 0 ? resources_next(&d->at_after) : NULL;
    return true;
}

bool resources_difference_next(struct resources_difference *d, struct resource **before_out,
                               struct resource **after_out)
{
    struct resource *before;
    struct resource *after;

    for (;;) {
        while (next_pair(d, &before, &after)) {
            if (before == after)
                continue;
            *before_out = before;
            *after_out = after;
            return true;
        }
        if ((size_t)d->kind + 1 >= RESOURCES_KINDS)
            return false;
        d->kind = (enum resource_kind)(d->kind + 1);
        start_kind(d);
    }
}
