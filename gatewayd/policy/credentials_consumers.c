/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credentials_consumers.c - consumers, written by control.
 *
 * What was set begins with the name for nearly every consumer, and for nearly every one of a
 * million the rest is the same as for many others: it is kept once, without the name, together
 * with the plan and the groups that were bound from it.
 */
#include "conf/base/mem.h"
#include "conf/consumer.h"
#include "gatewayd/policy/credentials_private.h"

#define NAME_FIRST "{\"name\":\""

int credentials_compare_names(const void *arg, const void *key, uint32_t slot)
{
    const struct text *name = key;
    return text_compare(*name, text_of(credentials_consumer(arg, slot)->name));
}

static struct words *get_profile(const struct consumer_record *consumer)
{
    return atomic_load_explicit(&consumer->profile, memory_order_relaxed);
}

bool credentials_consumer_find(const struct credentials *c, struct text name, uint32_t *slot_out)
{
    return ordered_find(&c->by_name, &name, slot_out) &&
           get_profile(credentials_consumer(c, *slot_out)) != NULL;
}

/* ---- plans ---- */

uint32_t credentials_plan_id(struct credentials *c, struct text plan)
{
    uintptr_t id = (uintptr_t)map_find(&c->plan_ids, plan);
    if (id != 0)
        return (uint32_t)id;
    c->plans = mem_resize(c->plans, (c->plans_count + 1) * sizeof(*c->plans));
    char *name = mem_copy_text(plan.at, plan.length);
    c->plans[c->plans_count++] = (struct plan_use){ text_from(name, plan.length), 0 };
    map_set(&c->plan_ids, text_from(name, plan.length), (void *)c->plans_count);
    return (uint32_t)c->plans_count;
}

size_t credentials_plan_users(void *arg, struct text plan)
{
    const struct credentials *c = arg;
    uintptr_t id = (uintptr_t)map_find(&c->plan_ids, plan);
    return id == 0 ? 0 : c->plans[id - 1].users;
}

static void count_plan(struct credentials *c, const struct words *profile, int users)
{
    if (profile != NULL && profile->mark != 0)
        c->plans[profile->mark - 1].users += (size_t)users;
}

/* ---- profiles ---- */

/* Behind the name, or all of it (which then begins with a brace) when the name is not first. */
static struct text set_behind_name(const struct resource *r)
{
    const size_t first = sizeof(NAME_FIRST) - 1;
    struct text rest = text_skip(r->set, first);
    if (!text_starts_with(r->set, TEXT_OF(NAME_FIRST)) || !text_starts_with(rest, r->name))
        return r->set;
    rest = text_skip(rest, r->name.length);
    return text_starts_with(rest, TEXT_OF("\"")) ? text_skip(rest, 1) : r->set;
}

static struct words *take_profile(struct credentials *c, const struct resource *r)
{
    const struct consumer *consumer = r->consumer;
    size_t count = PROFILE_GROUPS + consumer->groups.count;
    struct text *items = mem_new_array(count, sizeof(*items));
    items[PROFILE_SET] = set_behind_name(r);
    items[PROFILE_PLAN] = consumer->plan;
    for (size_t i = 0; i < consumer->groups.count; i++)
        items[PROFILE_GROUPS + i] = consumer->groups.items[i];
    struct words *profile = words_take(&c->words, (struct texts){ items, count });
    if (profile->mark == 0 && !text_is_empty(consumer->plan))
        profile->mark = credentials_plan_id(c, consumer->plan);
    MEM_FREE(&items);
    return profile;
}

/* ---- records ---- */

static uint32_t take_record(struct credentials *c, struct text name)
{
    uint32_t slot = slab_take(&c->consumers);
    struct consumer_record *consumer = credentials_consumer(c, slot);
    consumer->name = mem_copy_text(name.at, name.length);
    consumer->keys = 0;
    atomic_store_explicit(&consumer->profile, NULL, memory_order_relaxed);
    ordered_add(&c->by_name, &name, slot);
    return slot;
}

static void free_record(void *owner, uint64_t slot)
{
    struct credentials *c = owner;
    MEM_FREE(&credentials_consumer(c, (uint32_t)slot)->name);
    slab_give(&c->consumers, (uint32_t)slot);
}

/* Gone, and no key refers to it: nobody finds it from now on. */
static void drop_if_unused(struct credentials *c, uint32_t slot)
{
    struct consumer_record *consumer = credentials_consumer(c, slot);
    if (get_profile(consumer) != NULL || consumer->keys > 0)
        return;
    struct text name = text_of(consumer->name);
    ordered_remove(&c->by_name, &name);
    turns_retire(&c->queue, free_record, c, slot);
}

static void set_profile(struct credentials *c, struct consumer_record *consumer,
                        struct words *profile)
{
    struct words *before = get_profile(consumer);
    count_plan(c, profile, 1);
    count_plan(c, before, -1);
    atomic_store(&consumer->profile, profile);
    if (before != NULL)
        words_give(&c->words, before);
}

enum credentials_change credentials_put_consumer(struct credentials *c, const struct resource *r,
                                                 uint64_t stamp)
{
    MUST(r->kind == RESOURCE_CONSUMER);
    uint32_t slot;
    struct text name = r->name;
    if (!ordered_find(&c->by_name, &name, &slot))
        slot = take_record(c, name);
    struct consumer_record *consumer = credentials_consumer(c, slot);
    struct words *before = get_profile(consumer);
    struct words *profile = take_profile(c, r);
    consumer->stamp = stamp; /* the same again may be another change: made anew elsewhere */
    if (profile == before) {
        words_give(&c->words, profile);
        return CREDENTIALS_SAME;
    }
    set_profile(c, consumer, profile);
    if (before != NULL)
        return CREDENTIALS_CHANGED;
    c->consumers_count++;
    return CREDENTIALS_ADDED;
}

bool credentials_remove_consumer(struct credentials *c, struct text name)
{
    uint32_t slot;
    if (!credentials_consumer_find(c, name, &slot))
        return false;
    set_profile(c, credentials_consumer(c, slot), NULL);
    c->consumers_count--;
    drop_if_unused(c, slot);
    return true;
}

void credentials_consumer_hold(struct credentials *c, uint32_t slot)
{
    credentials_consumer(c, slot)->keys++;
}

void credentials_consumer_release(struct credentials *c, uint32_t slot)
{
    struct consumer_record *consumer = credentials_consumer(c, slot);
    MUST(consumer->keys > 0);
    consumer->keys--;
    drop_if_unused(c, slot);
}

/* ---- answers ---- */

static void describe(const struct credentials *c, uint32_t slot, struct credentials_consumer *out)
{
    const struct consumer_record *consumer = credentials_consumer(c, slot);
    const struct words *profile = get_profile(consumer);
    *out = (struct credentials_consumer){
        .name = text_of(consumer->name),
        .plan = profile->items[PROFILE_PLAN],
        .groups = { profile->items + PROFILE_GROUPS, profile->count - PROFILE_GROUPS },
        .stamp = consumer->stamp,
        .slot = slot,
        .keys = consumer->keys,
    };
}

bool credentials_get_consumer(const struct credentials *c, struct text name,
                              struct credentials_consumer *out)
{
    uint32_t slot;
    if (!credentials_consumer_find(c, name, &slot))
        return false;
    describe(c, slot, out);
    return true;
}

bool credentials_next_consumer(const struct credentials *c, struct text after,
                               struct credentials_consumer *out)
{
    uint32_t slot;
    while (ordered_after(&c->by_name, &after, &slot)) {
        const struct consumer_record *consumer = credentials_consumer(c, slot);
        if (get_profile(consumer) != NULL) {
            describe(c, slot, out);
            return true;
        }
        after = text_of(consumer->name);
    }
    return false;
}

struct text credentials_consumer_set(const struct credentials *c,
                                     const struct credentials_consumer *consumer,
                                     struct arena *arena)
{
    const struct words *profile = get_profile(credentials_consumer(c, consumer->slot));
    MUST(profile != NULL);
    struct text set = profile->items[PROFILE_SET];
    if (text_starts_with(set, TEXT_OF("{")))
        return arena_copy(arena, set);
    return arena_print(arena, NAME_FIRST "%.*s\"%.*s", TEXT_ARGS(consumer->name), TEXT_ARGS(set));
}

struct resource *credentials_consumer_resource(const struct credentials *c, struct text name)
{
    /* A newer version may have set fields that are unknown here: they are kept. */
    static const struct checks stored = { .lenient = true };
    struct credentials_consumer consumer;
    if (!credentials_get_consumer(c, name, &consumer))
        return NULL;
    struct arena arena;
    struct problems problems;
    arena_init(&arena, SIZE_MAX);
    problems_init(&problems);
    struct resource *r = resource_parse(
        RESOURCE_CONSUMER, credentials_consumer_set(c, &consumer, &arena), &stored, &problems);
    MUST(r != NULL);
    problems_fini(&problems);
    arena_reset(&arena);
    return r;
}
