/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_sets.c - the limits of every plan of one configuration.
 */
#include "gatewayd/exchange/plan_sets.h"

#include <stdlib.h>

#include "conf/base/mem.h"
#include "conf/plan.h"

struct plan_set {
    uint32_t id;
    struct resource *resource; /* counted */
    struct limiter_set *set;   /* counted, may be NULL */
};

struct plan_sets {
    atomic_uint count;
    size_t length;
    struct plan_set items[]; /* by id */
};

static struct plan_set *find(const struct plan_sets *p, uint32_t id)
{
    size_t low = 0;
    size_t high = p == NULL ? 0 : p->length;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (p->items[middle].id == id)
            return (struct plan_set *)&p->items[middle];
        if (p->items[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static struct plan_set compile(struct resource *r, uint32_t id, struct limiter *limiter,
                               const struct plan_sets *before)
{
    const struct plan_set *old = find(before, id);
    struct plan_set made = { .id = id, .resource = resource_ref(r) };

    if (old != NULL && old->resource == r)
        made.set = limiter_set_ref(old->set);
    else
        made.set = limiter_set_new(limiter, LIMITER_PLAN, r->name, &r->plan->limits);
    return made;
}

static int compare(const void *a, const void *b)
{
    const struct plan_set *x = a;
    const struct plan_set *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

struct plan_sets *plan_sets_new(const struct resources *resources, struct credentials *credentials,
                                struct limiter *limiter, const struct plan_sets *before)
{
    size_t count = resources_count(resources, RESOURCE_PLAN);
    struct plan_sets *p = mem_new(sizeof(*p) + count * sizeof(p->items[0]));
    struct resources_cursor cursor;
    struct resource *r;

    atomic_init(&p->count, 1);
    resources_cursor_init(&cursor, resources, RESOURCE_PLAN);
    while ((r = resources_next(&cursor)) != NULL) {
        MUST(p->length < count);
        p->items[p->length++] =
            compile(r, credentials_plan_id(credentials, r->name), limiter, before);
    }
    qsort(p->items, p->length, sizeof(p->items[0]), compare);
    return p;
}

static struct plan_set copy(const struct plan_set *set)
{
    return (struct plan_set){ set->id, resource_ref(set->resource), limiter_set_ref(set->set) };
}

struct plan_sets *plan_sets_join(const struct plan_sets *now, const struct plan_sets *before)
{
    size_t most = now->length + (before == NULL ? 0 : before->length);
    struct plan_sets *p = mem_new(sizeof(*p) + most * sizeof(p->items[0]));

    atomic_init(&p->count, 1);
    for (size_t i = 0; i < now->length; i++)
        p->items[p->length++] = copy(&now->items[i]);
    for (size_t i = 0; before != NULL && i < before->length; i++) {
        if (find(now, before->items[i].id) == NULL)
            p->items[p->length++] = copy(&before->items[i]);
    }
    qsort(p->items, p->length, sizeof(p->items[0]), compare);
    return p;
}

struct plan_sets *plan_sets_ref(struct plan_sets *p)
{
    atomic_fetch_add_explicit(&p->count, 1, memory_order_relaxed);
    return p;
}

void plan_sets_unref(struct plan_sets **at)
{
    struct plan_sets *p = *at;

    *at = NULL;
    if (p == NULL || atomic_fetch_sub_explicit(&p->count, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < p->length; i++) {
        resource_unref(&p->items[i].resource);
        limiter_set_unref(&p->items[i].set);
    }
    MEM_FREE(&p);
}

bool plan_sets_find(const struct plan_sets *p, uint32_t plan_id, const struct limiter_set **set_out)
{
    const struct plan_set *found = find(p, plan_id);

    if (found == NULL)
        return false;
    *set_out = found->set;
    return true;
}
