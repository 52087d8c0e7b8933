/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded_plan.c - what a commit does to resources and consumers, checked against what will
 * be in force before it.
 */
#include <stdio.h>

#include "cluster/store_embedded_private.h"
#include "conf/base/mem.h"
#include "conf/consumer.h"

/* How many consumers are looked at to name those that use a plan. */
#define LOOKED_AT_MOST 2000

/* No more and no less, as a value of a map, which is not NULL. */
#define PLAN_USERS_NONE ((uintptr_t)1 << 40)

static const struct place whole = { .pointer = "", .path = "" };

/* ---- conditions and results ---- */

/* `tag` is not used when nothing is there. */
static bool is_met(const struct store_condition *c, bool exists, uint64_t tag)
{
    switch (c->kind) {
    case STORE_ALWAYS:
        return true;
    case STORE_IF_ABSENT:
        return !exists;
    case STORE_IF_EXISTS:
        return exists;
    case STORE_IF_TAG:
        for (size_t i = 0; exists && i < c->tag_count; i++) {
            if (c->tags[i] == tag)
                return true;
        }
        return false;
    }
    return false;
}

/* What the change finds: its conditions are met, and what it needs to exist does. */
static bool can_change(struct embedded_work *w, const struct store_change *change, bool exists,
                       uint64_t tag, enum embedded_step *step_out)
{
    w->result.failed_at = w->at;
    if (!exists && change->change != STORE_PUT) {
        bool is_moved =
            change->condition.kind == STORE_IF_TAG || change->condition.kind == STORE_IF_EXISTS;
        *step_out = store_embedded_work_end(w, is_moved ? STORE_MOVED_ON : STORE_ABSENT);
        return false;
    }
    if (!is_met(&change->condition, exists, tag)) {
        *step_out = store_embedded_work_end(w, STORE_MOVED_ON);
        return false;
    }
    if (w->commit->change_count == 1) {
        w->result.was_created = !exists;
        w->result.tag = tag;
    }
    return true;
}

/* A count of what it will be; NULL when it goes, or with problems. */
static struct resource *make_resource(struct embedded_work *w, const struct store_change *change,
                                      const struct resource *current)
{
    struct resource *r = NULL;
    if (change->change == STORE_PUT)
        r = resource_ref(change->resource);
    else if (change->change == STORE_EDIT)
        r = change->edit(change->edit_arg, current, &w->problems);
    if (r != NULL && r->set.length > STORE_EMBEDDED_SET_MOST) {
        problems_add(&w->problems, change->place == NULL ? whole : *change->place,
                     "The %s %.*s is larger than %zu bytes.", resource_kind_singular(r->kind),
                     TEXT_ARGS(r->name), STORE_EMBEDDED_SET_MOST);
        resource_unref(&r);
    }
    if (r != NULL && w->commit->change_count == 1) {
        resource_unref(&w->result.resource);
        w->result.resource = resource_ref(r);
    }
    return r;
}

/* ---- upstreams, routes, plans ---- */

/* Names a few consumers that have the plan; there may be a million to look at. */
static void refer_consumers(struct embedded_work *w, struct text plan)
{
    const struct credentials *c = w->store->settings.credentials;
    struct credentials_consumer consumer = { .name = TEXT_EMPTY };
    for (unsigned i = 0; i < LOOKED_AT_MOST; i++) {
        if (!credentials_next_consumer(c, consumer.name, &consumer))
            break;
        if (text_equals(consumer.plan, plan))
            store_embedded_work_refer(w, consumer.name);
    }
}

/* Only for a commit that does nothing else: then the answer names who refers to it. */
static bool is_referred(struct embedded_work *w, const struct store_change *change)
{
    struct text names[STORE_EMBEDDED_NAMES_MOST];
    size_t total =
        resources_referrers(w->before, change->kind, change->name, names, ARRAY_LENGTH(names));
    for (size_t i = 0; i < total && i < ARRAY_LENGTH(names); i++)
        store_embedded_work_refer(w, names[i]);
    size_t users = 0;
    if (change->kind == RESOURCE_PLAN)
        users = credentials_plan_users(w->store->settings.credentials, change->name);
    if (users > 0)
        refer_consumers(w, change->name);
    w->result.name_total = total + users;
    return w->result.name_total > 0;
}

static enum embedded_step plan_resource(struct embedded_work *w, const struct store_change *change)
{
    enum embedded_step step;
    struct resource *current = resources_draft_find(w->draft, change->kind, change->name);
    if (!can_change(w, change, current != NULL, current == NULL ? 0 : current->tag, &step))
        return step;
    if (change->change == STORE_DELETE) {
        if (w->commit->change_count == 1 && is_referred(w, change))
            return store_embedded_work_end(w, STORE_REFERRED);
        resources_draft_remove(w->draft, change->kind, change->name);
        return STEP_AGAIN;
    }
    struct resource *r = make_resource(w, change, current);
    if (r == NULL)
        return STEP_AGAIN;
    if (resources_draft_put(w->draft, r, change->place) == RESOURCES_TWICE)
        problems_add(&w->problems, change->place == NULL ? whole : *change->place,
                     "The %s %.*s is there twice.", resource_kind_singular(change->kind),
                     TEXT_ARGS(change->name));
    resource_unref(&r);
    return STEP_AGAIN;
}

/* ---- consumers ---- */

/* How many more (or less) consumers will have the plan: kept as they come, because there may be a
 * million of them when it is asked for. */
static void count_plan(struct embedded_work *w, const struct resource *r, int users)
{
    if (r == NULL || text_is_empty(r->consumer->plan))
        return;
    uintptr_t count = (uintptr_t)map_find(&w->plan_users, r->consumer->plan);
    if (count == 0)
        count = PLAN_USERS_NONE;
    map_set(&w->plan_users, r->consumer->plan, (void *)(count + (uintptr_t)(intptr_t)users));
}

void store_embedded_plan_difference(struct embedded_work *w, struct resource *before,
                                    struct resource *after)
{
    count_plan(w, before, -1);
    count_plan(w, after, 1);
    if (w->consumer_count == w->consumer_size) {
        size_t size = w->consumer_size == 0 ? 8 : w->consumer_size * 2;
        w->consumers = mem_block_resize(w->consumers, w->consumer_size * sizeof(*w->consumers),
                                        size * sizeof(*w->consumers));
        w->consumer_size = size;
    }
    w->consumers[w->consumer_count++] = (struct store_difference){ before, after };
}

/* Removed, unless keys of it would go on living without anybody. */
static enum embedded_step remove_consumer(struct embedded_work *w, struct text name)
{
    const struct store_embedded *e = w->store;
    if (credentials_has_active_keys(e->settings.credentials, name, w->now)) {
        w->result.name_total++;
        if (w->commit->change_count != 1 || w->commit->replaces_all || w->commit->restores != 0)
            return store_embedded_work_refer(w, name);
        struct credentials_key key = { .id = 0 };
        w->result.name_total = 0;
        while (credentials_next_key_of(e->settings.credentials, name, key.id, &key)) {
            char id[KEY_ID_SIZE];
            if (key.state != KEY_ACTIVE || (key.expires_at != 0 && key.expires_at <= w->now))
                continue;
            w->result.name_total++;
            store_embedded_work_refer(w, key_id_print(key.id, id));
            if (w->result.name_count == ARRAY_LENGTH(w->names))
                break;
        }
        return STEP_AGAIN;
    }
    store_embedded_plan_difference(w, store_embedded_consumer(e, name), NULL);
    return STEP_AGAIN;
}

static bool is_same_set(struct embedded_work *w, const struct credentials_consumer *consumer,
                        const struct resource *r)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    bool is_same = text_equals(
        credentials_consumer_set(w->store->settings.credentials, consumer, &arena), r->set);
    arena_reset(&arena);
    return is_same;
}

static enum embedded_step put_consumer(struct embedded_work *w, const struct store_change *change,
                                       const struct credentials_consumer *consumer)
{
    struct resource *before = NULL;
    if (consumer != NULL && change->change == STORE_EDIT)
        before = store_embedded_consumer(w->store, change->name);
    struct resource *r = make_resource(w, change, before);
    if (r != NULL && (consumer == NULL || !is_same_set(w, consumer, r))) {
        if (consumer != NULL && before == NULL)
            before = store_embedded_consumer(w->store, change->name);
        store_embedded_plan_difference(w, before, r);
        return STEP_AGAIN;
    }
    if (r != NULL && consumer != NULL)
        resource_stamp(r, w->before == NULL ? 0 : w->store->next.revision, consumer->stamp);
    resource_unref(&before);
    resource_unref(&r);
    return STEP_AGAIN;
}

static enum embedded_step plan_consumer(struct embedded_work *w, const struct store_change *change)
{
    struct credentials_consumer consumer;
    enum embedded_step step;
    bool exists = credentials_get_consumer(w->store->settings.credentials, change->name, &consumer);
    if (!can_change(w, change, exists, exists ? consumer.stamp : 0, &step))
        return step;
    if (w->commit->change_count > 1 && map_set(&w->seen, change->name, w) != NULL) {
        problems_add(&w->problems, change->place == NULL ? whole : *change->place,
                     "The consumer %.*s is there twice.", TEXT_ARGS(change->name));
        return STEP_AGAIN;
    }
    if (change->change == STORE_DELETE)
        return remove_consumer(w, change->name);
    return put_consumer(w, change, exists ? &consumer : NULL);
}

/* ---- phases ---- */

enum embedded_step store_embedded_plan_changes(struct embedded_work *w)
{
    const struct store_commit *commit = w->commit;
    if (w->draft == NULL) {
        if (!is_met(&commit->condition, true, w->store->next.config_tag))
            return store_embedded_work_end(w, STORE_MOVED_ON);
        w->draft = commit->replaces_all ? resources_draft_new_replacing(w->before)
                                        : resources_draft_new(w->before);
    }
    if (w->at == commit->change_count)
        return STEP_NEXT;
    const struct store_change *change = &commit->changes[w->at];
    enum embedded_step step =
        change->kind == RESOURCE_CONSUMER ? plan_consumer(w, change) : plan_resource(w, change);
    w->at++;
    return step;
}

/* Consumers that a replacing commit does not speak of. */
enum embedded_step store_embedded_plan_removals(struct embedded_work *w)
{
    struct credentials_consumer consumer;
    if (!w->commit->replaces_all ||
        !credentials_next_consumer(w->store->settings.credentials, w->after_name, &consumer))
        return STEP_NEXT;
    w->after_name = consumer.name; /* of the table, which does not change meanwhile */
    bool is_kept = w->commit->change_count == 1
                       ? w->commit->changes[0].kind == RESOURCE_CONSUMER &&
                             text_equals(w->commit->changes[0].name, consumer.name)
                       : map_find(&w->seen, consumer.name) != NULL;
    return is_kept ? STEP_AGAIN : remove_consumer(w, consumer.name);
}

/* As many as there will be after this commit. */
size_t store_embedded_plan_users(void *arg, struct text plan)
{
    const struct embedded_work *w = arg;
    uintptr_t count = (uintptr_t)map_find(&w->plan_users, plan);
    size_t users = credentials_plan_users(w->store->settings.credentials, plan);
    return count == 0 ? users : users + (count - PLAN_USERS_NONE);
}

enum embedded_step store_embedded_plan_seal(struct embedded_work *w)
{
    if (w->result.name_count > 0)
        return store_embedded_work_end(w, STORE_REFERRED);
    struct resources_outside outside = { store_embedded_plan_users, w };
    struct resources *sealed;
    if (resources_draft_check_some(w->draft, &outside, &w->problems))
        return STEP_AGAIN;
    if (!resources_draft_seal(&w->draft, &outside, &w->problems, &sealed))
        return store_embedded_work_end(w, STORE_PROBLEMS);
    w->after = sealed;
    return STEP_NEXT;
}

/* Where the consumer stands that is looked at: they come in the order of the changes that put them,
 * so one walk along these finds all. NULL: nobody said. */
static const struct place *find_place(struct embedded_work *w, const struct resource *r)
{
    const struct store_commit *commit = w->commit;
    for (; w->looked_at < commit->change_count; w->looked_at++) {
        const struct store_change *change = &commit->changes[w->looked_at];
        if (change->kind == RESOURCE_CONSUMER && text_equals(change->name, r->name))
            return change->place;
    }
    return NULL;
}

static bool check_consumer(struct embedded_work *w, const struct resource *r)
{
    const struct place *place = find_place(w, r);
    return place == NULL ? resources_check(w->after, r, &w->problems)
                         : resources_check_at(w->after, r, place, &w->problems);
}

/* What consumers refer to, in what will be. */
enum embedded_step store_embedded_plan_consumers(struct embedded_work *w)
{
    if (w->at == 0)
        w->looked_at = 0;
    if (w->at < w->consumer_count) {
        const struct resource *r = w->consumers[w->at++].after;
        /* False says that w->problems has one more, which is looked at in the end. */
        if (r != NULL && !check_consumer(w, r))
            return STEP_AGAIN;
        return STEP_AGAIN;
    }
    return problems_is_empty(&w->problems) ? STEP_NEXT : store_embedded_work_end(w, STORE_PROBLEMS);
}
