/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded_work.c - the phases of planning one commit, one small step at a time.
 */
#include "cluster/store_embedded_private.h"
#include "conf/base/digest.h"
#include "conf/base/mem.h"
#include "gatewayd/memory.h"

typedef enum embedded_step embedded_phase_fn(struct embedded_work *w);

struct embedded_work *store_embedded_work_new(struct store_embedded *e,
                                              enum embedded_work_kind kind)
{
    struct embedded_work *w = mem_new(sizeof(*w));
    list_init(&w->node);
    w->store = e;
    w->kind = kind;
    w->commit = &w->own;
    arena_init(&w->arena, SIZE_MAX);
    map_init(&w->seen);
    map_init(&w->plan_users);
    problems_init(&w->problems);
    return w;
}

/* ---- freeing ---- */

#define AT_ONCE 64

/* Some of an array of differences, from its end. */
static bool free_consumers(struct embedded_work *w)
{
    for (int i = 0; i < AT_ONCE && w->consumer_count > 0; i++) {
        struct store_difference *d = &w->consumers[--w->consumer_count];
        memory_freed(2 * sizeof(*d->before));
        resource_unref(&d->before);
        resource_unref(&d->after);
    }
    size_t bytes = w->consumer_size * sizeof(*w->consumers);
    if (w->consumer_count > 0)
        return true;
    bool has_more = MEM_BLOCK_FREE_SOME(&w->consumers, &bytes);
    w->consumer_size = bytes / sizeof(*w->consumers);
    return has_more;
}

static bool free_own(struct embedded_work *w)
{
    for (int i = 0; i < AT_ONCE && w->own.change_count > 0; i++)
        resource_unref(&w->own.changes[--w->own.change_count].resource);
    return w->own.change_count > 0;
}

/* A step; false: nothing of it is left. */
static bool free_some(struct embedded_work *w)
{
    map_fini(&w->plan_users);
    if (free_consumers(w) || free_own(w) || map_fini_some(&w->seen) ||
        store_embedded_encode_free_some(&w->parts) || arena_reset_some(&w->arena))
        return true;
    resources_draft_free(&w->draft);
    resources_unref(&w->before);
    resources_unref(&w->after);
    resource_unref(&w->result.resource);
    problems_fini(&w->problems);
    store_embedded_undo_free(&w->gather);
    store_embedded_follow_free(&w->incoming);
    MEM_FREE(&w->own.changes);
    MEM_FREE(&w->own.keys);
    MEM_FREE(&w);
    return false;
}

static bool on_free_slice(void *arg)
{
    struct store_embedded *e = arg;
    struct embedded_work *w = LIST_ITEM(e->spent.next, struct embedded_work, node);
    list_remove(&w->node);
    if (free_some(w))
        list_add_first(&e->spent, &w->node);
    return !list_is_empty(&e->spent);
}

void store_embedded_work_init(struct store_embedded *e)
{
    list_init(&e->spent);
    loop_slice_init(&e->spent_slice, e->settings.loop, on_free_slice, e);
}

void store_embedded_work_fini(struct store_embedded *e)
{
    loop_slice_stop(&e->spent_slice);
    while (!list_is_empty(&e->spent))
        on_free_slice(e);
}

/* Most are gone in a step or two; what a million changes left is freed between other events. */
void store_embedded_work_free(struct embedded_work **at)
{
    struct embedded_work *w = *at;
    struct store_embedded *e = w->store;
    *at = NULL;
    for (int i = 0; i < 4; i++) {
        if (!free_some(w))
            return;
    }
    list_add_last(&e->spent, &w->node);
    loop_slice_start(&e->spent_slice);
}

/* What it encodes depends on nothing that others change: it is encoded, and sent, once. */
static bool is_import(const struct embedded_work *w)
{
    const struct store_commit *c = w->asked;
    return w->kind == WORK_COMMIT && w->is_planned && !w->changes_keys && c->change_count == 0 &&
           !c->replaces_all && c->restores == 0 && c->confirm_ms == 0;
}

static void take_items(struct embedded_work *w, struct embedded_work *old)
{
    w->is_again = true;
    w->now = old->now;
    w->tag = old->tag;
    w->head.id = old->head.id;
    w->parts = old->parts;
    MEM_FREE(&w->parts.texts);
    old->parts = (struct embedded_parts){ 0 };
}

struct embedded_work *store_embedded_work_again(struct embedded_work **at)
{
    struct embedded_work *old = *at;
    struct embedded_work *w = store_embedded_work_new(old->store, old->kind);
    w->asked = old->asked;
    w->confirm = old->confirm;
    w->tries = old->tries;
    w->began_ms = old->began_ms;
    w->wants_turn = old->wants_turn;
    if (is_import(old))
        take_items(w, old);
    w->undoes = old->undoes;
    if (w->asked != NULL)
        w->commit = w->asked;
    if (w->kind == WORK_UNDO)
        w->own.author = old->own.author;
    store_embedded_work_free(at);
    return w;
}

enum embedded_step store_embedded_work_end(struct embedded_work *w, enum store_outcome outcome)
{
    w->result.outcome = outcome;
    return STEP_END;
}

/* Names (copied) that an answer of STORE_REFERRED will list. */
enum embedded_step store_embedded_work_refer(struct embedded_work *w, struct text name)
{
    if (w->result.name_count < ARRAY_LENGTH(w->names))
        w->names[w->result.name_count++] = arena_copy(&w->arena, name);
    return STEP_AGAIN;
}

/* ---- phases ---- */

static bool changes_resources(const struct store_commit *commit)
{
    if (commit->replaces_all || commit->restores != 0)
        return true;
    for (size_t i = 0; i < commit->change_count; i++) {
        if (commit->changes[i].kind != RESOURCE_CONSUMER)
            return true;
    }
    return false;
}

static enum embedded_step begin(struct embedded_work *w)
{
    struct store_embedded *e = w->store;
    if (!w->is_again) {
        w->now = store_embedded_wall(e);
        digest_random(w->head.id.bytes, ENTRY_ID_SIZE);
        w->tag = store_tag_of(&w->head.id);
    }
    w->before = resources_ref(e->next.resources);
    if (w->commit->only_if_empty && e->next.revision != 0)
        return store_embedded_work_end(w, STORE_UNCHANGED);
    if (e->held != NULL && changes_resources(w->commit)) {
        w->result.reason =
            TEXT_OF("This node cannot put in force what others set (see its status): "
                    "change resources on another node.");
        return store_embedded_work_end(w, STORE_AWAY);
    }
    return STEP_NEXT;
}

/* What stands is what the answer shows, with the revision in which it was set. */
static void show_what_stands(struct embedded_work *w)
{
    const struct store_commit *commit = w->commit;
    if (commit->change_count != 1 || commit->changes[0].kind == RESOURCE_CONSUMER)
        return;
    struct resource *stands =
        resources_find(w->before, commit->changes[0].kind, commit->changes[0].name);
    resource_unref(&w->result.resource);
    if (stands != NULL)
        w->result.resource = resource_ref(stands);
}

static enum embedded_step decide(struct embedded_work *w)
{
    bool is_changed = w->after != w->before || w->consumer_count > 0 || w->keys_changed > 0;
    if (is_changed && !w->commit->is_dry_run)
        return STEP_NEXT;
    if (is_changed)
        return store_embedded_work_end(w, STORE_DONE);
    if (w->kind == WORK_UNDO)
        return store_embedded_undo_confirm(w);
    show_what_stands(w);
    return store_embedded_work_end(w, STORE_UNCHANGED);
}

static embedded_phase_fn *const commit_phases[] = {
    begin,
    store_embedded_undo_gather,
    store_embedded_undo_choose,
    store_embedded_plan_changes,
    store_embedded_plan_removals,
    store_embedded_plan_seal,
    store_embedded_plan_consumers,
    store_embedded_keys_check,
    decide,
    store_embedded_encode_resources,
    store_embedded_encode_consumers,
    store_embedded_encode_keys,
    store_embedded_encode_head,
};

enum embedded_step store_embedded_work_step(struct embedded_work *w)
{
    if (w->kind == WORK_CONFIRM)
        return store_embedded_undo_confirm(w);
    if (w->kind == WORK_REVOKE)
        return store_embedded_revoked_plan(w);
    if (w->kind == WORK_FOLLOW)
        return store_embedded_follow_step(w);
    enum embedded_step step = commit_phases[w->phase](w);
    if (step != STEP_NEXT)
        return step;
    w->at = 0;
    w->phase++;
    w->is_planned = w->phase == ARRAY_LENGTH(commit_phases);
    return STEP_AGAIN;
}
