/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded_undo.c - back to how things were: restoring a revision, and undoing one that was
 * not confirmed in time. What was before is read from the journal by the scribe.
 */
#include <stdio.h>

#include "cluster/store_embedded_private.h"
#include "conf/base/mem.h"
#include "gatewayd/core/log.h"

#define RETRY_MS ((uint64_t)5000)
#define LATER_MS ((int64_t)3600 * 1000)

static const struct log_scope log_store = { .subject = LOG_SUBJECT_store };

/* ---- gathering, on the scribe's thread ---- */

struct reading {
    struct embedded_work *work;
    struct embedded_gather *gather;
};

static void remember_key(struct embedded_gather *g, uint64_t id)
{
    if (g->key_count == g->key_size) {
        g->key_size = g->key_size == 0 ? 16 : g->key_size * 2;
        g->added_keys = mem_resize(g->added_keys, g->key_size * sizeof(*g->added_keys));
    }
    g->added_keys[g->key_count++] = id;
}

/* The oldest entry that names a thing tells how it was before all of them. */
static void remember_thing(struct embedded_work *w, struct embedded_gather *g,
                           const struct item_resource *item)
{
    struct text key = arena_print(&w->arena, "%d %.*s", (int)item->kind, TEXT_ARGS(item->name));
    if (map_set(&g->seen, key, g) != NULL)
        return;
    if (g->count == g->size) {
        g->size = g->size == 0 ? 16 : g->size * 2;
        g->things = mem_resize(g->things, g->size * sizeof(*g->things));
    }
    g->things[g->count++] = (struct embedded_was){
        .kind = item->kind,
        .name = arena_copy(&w->arena, item->name),
        .set = item->has_before ? arena_copy(&w->arena, item->before) : TEXT_EMPTY,
    };
}

static void remember(void *arg, const struct item *item)
{
    struct embedded_work *w = arg;
    if (item->kind == ITEM_RESOURCE)
        remember_thing(w, w->gather, &item->resource);
    else if (item->kind == ITEM_KEY && item->key.change == ITEM_KEY_ADD && w->undoes != 0)
        remember_key(w->gather, item->key.key.id);
}

static void on_record(void *arg, const struct journal_record *record)
{
    struct embedded_work *w = arg;
    if (!item_each(&record->body, 1, remember, w))
        w->gather->failure = "an item cannot be read";
}

static void gather(void *arg)
{
    struct embedded_work *w = arg;
    struct embedded_gather *g = w->gather;
    struct journal *j = w->store->journal;
    for (uint64_t r = g->from; r <= g->to && g->failure == NULL; r++) {
        if (!journal_read_entry(j, r, on_record, w))
            g->failure = journal_why(j) == NULL ? "an entry is missing" : journal_why(j);
    }
}

static void on_gathered(void *arg)
{
    store_embedded_batch_resume(arg);
}

void store_embedded_undo_free(struct embedded_gather **g)
{
    if (*g == NULL)
        return;
    map_fini(&(*g)->seen);
    MEM_FREE(&(*g)->things);
    MEM_FREE(&(*g)->added_keys);
    MEM_FREE(g);
}

/* ---- before planning ---- */

static enum embedded_step start_gathering(struct embedded_work *w, uint64_t from, uint64_t to)
{
    struct embedded_gather *g = mem_new(sizeof(*g));
    g->from = from;
    g->to = to;
    map_init(&g->seen);
    w->gather = g;
    scribe_job_init(&g->job, gather, on_gathered, w);
    scribe_post(w->store->scribe, &g->job);
    return STEP_WAIT;
}

static enum embedded_step gather_restore(struct embedded_work *w)
{
    const struct store_embedded *e = w->store;
    uint64_t revision = w->commit->restores;
    uint64_t oldest = history_oldest(&e->history);
    if (revision > e->now.revision)
        return store_embedded_work_end(w, STORE_ABSENT);
    if (revision < oldest) {
        w->result.revision = oldest;
        return store_embedded_work_end(w, STORE_GONE);
    }
    return start_gathering(w, revision + 1, e->now.revision);
}

enum embedded_step store_embedded_undo_gather(struct embedded_work *w)
{
    if (w->gather != NULL) {
        if (w->gather->failure == NULL)
            return STEP_NEXT;
        w->result.reason =
            arena_print(&w->arena, "The journal cannot be read: %s.", w->gather->failure);
        return store_embedded_work_end(w, STORE_AWAY);
    }
    if (w->kind == WORK_UNDO)
        return start_gathering(w, w->undoes, w->undoes);
    return w->commit->restores != 0 ? gather_restore(w) : STEP_NEXT;
}

/* ---- what is to be done ---- */

static void become_own(struct embedded_work *w)
{
    struct embedded_gather *g = w->gather;
    w->own = *w->commit;
    w->own.changes = mem_new_array(g->count + 1, sizeof(*w->own.changes));
    w->own.keys = mem_new_array(g->key_count + 1, sizeof(*w->own.keys));
    w->own.change_count = w->own.key_count = 0;
    w->commit = &w->own;
}

/* The tag of what stands; false if nothing does. */
static bool find_tag(const struct embedded_work *w, const struct embedded_was *was,
                     uint64_t *tag_out)
{
    if (was->kind == RESOURCE_CONSUMER) {
        struct credentials_consumer c;
        if (!credentials_get_consumer(w->store->settings.credentials, was->name, &c))
            return false;
        *tag_out = c.stamp;
        return true;
    }
    const struct resource *r = resources_find(w->before, was->kind, was->name);
    if (r != NULL)
        *tag_out = r->tag;
    return r != NULL;
}

/* The change that puts the thing back; false when there is nothing to do, or with a problem. */
static bool change_back(struct embedded_work *w, const struct embedded_was *was, bool exists,
                        struct store_change *change_out)
{
    *change_out = (struct store_change){ .kind = was->kind, .name = was->name };
    if (text_is_empty(was->set)) {
        change_out->change = STORE_DELETE;
        return exists;
    }
    change_out->change = STORE_PUT;
    change_out->resource =
        resource_parse(was->kind, was->set, store_embedded_checks(w->store), &w->problems);
    return change_out->resource != NULL;
}

/* Can this one change be made, on top of *base? Then *base is what it makes of it. */
static bool try_change(struct embedded_work *w, const struct store_change *change,
                       struct resources **base)
{
    struct credentials *c = w->store->settings.credentials;
    struct resources_outside outside = { credentials_plan_users, c };
    struct problems ps;
    problems_init(&ps);
    bool is_good;
    if (change->kind == RESOURCE_CONSUMER) {
        is_good = change->change == STORE_DELETE
                      ? !credentials_has_active_keys(c, change->name, w->now)
                      : resources_check(*base, change->resource, &ps);
        problems_fini(&ps);
        return is_good;
    }
    struct resources_draft *draft = resources_draft_new(*base);
    struct resources *sealed = NULL;
    if (change->change == STORE_DELETE)
        resources_draft_remove(draft, change->kind, change->name);
    else
        resources_draft_put(draft, change->resource, NULL);
    is_good = resources_draft_seal(&draft, &outside, &ps, &sealed);
    resources_draft_free(&draft);
    if (is_good) {
        resources_unref(base);
        *base = sealed;
    }
    problems_fini(&ps);
    return is_good;
}

/* Others may have come to depend on what is to go: as much as can be is undone, the rest stays. */
static void keep_possible(struct embedded_work *w)
{
    struct store_commit *own = &w->own;
    struct resources *base = resources_ref(w->before);
    size_t good = 0;
    for (bool progress = true; progress && good < own->change_count;) {
        progress = false;
        for (size_t i = good; i < own->change_count; i++) {
            if (!try_change(w, &own->changes[i], &base))
                continue;
            struct store_change change = own->changes[i];
            own->changes[i] = own->changes[good];
            own->changes[good++] = change;
            progress = true;
        }
    }
    resources_unref(&base);
    for (size_t i = good; i < own->change_count; i++) {
        log_warn(&log_store, "revision %llu was not confirmed, but %s %.*s stays: others need it",
                 (unsigned long long)w->undoes, resource_kind_singular(own->changes[i].kind),
                 TEXT_ARGS(own->changes[i].name));
        resource_unref(&own->changes[i].resource);
    }
    own->change_count = good;
}

static void revoke_added(struct embedded_work *w)
{
    const struct embedded_gather *g = w->gather;
    struct credentials_key key;
    for (size_t i = 0; i < g->key_count; i++) {
        if (credentials_get_key(w->store->settings.credentials, g->added_keys[i], &key))
            w->own.keys[w->own.key_count++] =
                (struct store_key_change){ .change = STORE_KEY_REVOKE, .id = key.id };
    }
}

static enum embedded_step chosen(struct embedded_work *w)
{
    if (!problems_is_empty(&w->problems) && w->kind == WORK_COMMIT)
        return store_embedded_work_end(w, STORE_PROBLEMS);
    if (w->kind == WORK_UNDO) {
        problems_fini(&w->problems);
        problems_init(&w->problems);
        keep_possible(w);
        revoke_added(w);
    }
    return STEP_NEXT;
}

/* One thing per step. */
enum embedded_step store_embedded_undo_choose(struct embedded_work *w)
{
    const struct embedded_gather *g = w->gather;
    if (g == NULL)
        return STEP_NEXT;
    if (w->at == 0)
        become_own(w);
    if (w->at == g->count)
        return chosen(w);
    const struct embedded_was *was = &g->things[w->at++];
    struct store_entry entry;
    uint64_t tag = 0;
    bool exists = find_tag(w, was, &tag);
    /* What somebody changed since is theirs. */
    if (w->kind == WORK_UNDO && exists &&
        !(history_find(&w->store->history, w->undoes, &entry) &&
          tag == store_tag_of(&entry.head.id)))
        return STEP_AGAIN;
    struct store_change change;
    if (change_back(w, was, exists, &change))
        w->own.changes[w->own.change_count++] = change;
    return STEP_AGAIN;
}

/* ---- confirming ---- */

void store_embedded_undo_settled(struct store_embedded *e, const struct item_confirmed *c)
{
    if (!c->is_open)
        history_settle(&e->history, c->revision, c->was_undone ? STORE_UNDONE : STORE_CONFIRMED);
}

/* The note that settles it; also of an undo that found nothing to undo. */
enum embedded_step store_embedded_undo_confirm(struct embedded_work *w)
{
    uint64_t revision = w->kind == WORK_UNDO ? w->undoes : w->confirm->revision;
    struct store_entry entry;
    if (!history_find(&w->store->history, revision, &entry) ||
        entry.confirmation == STORE_NOT_ASKED)
        return store_embedded_work_end(w, STORE_ABSENT);
    if (entry.confirmation == STORE_UNDONE)
        return store_embedded_work_end(w, STORE_GONE);
    if (entry.confirmation == STORE_CONFIRMED)
        return store_embedded_work_end(w, STORE_UNCHANGED);
    struct item note = { .kind = ITEM_CONFIRMED,
                         .confirmed = { .revision = revision,
                                        .was_undone = w->kind == WORK_UNDO } };
    item_print(&note, store_embedded_encode_room(&w->parts));
    store_embedded_encode_finish(w);
    w->settles = revision;
    w->settles_undone = w->kind == WORK_UNDO;
    w->is_planned = true;
    /* Others have to know: it is an entry then. */
    w->is_note = w->store->authority == NULL;
    if (!w->is_note)
        store_embedded_encode_settled(w, w->kind == WORK_UNDO ? w->own.author : w->confirm->author);
    return STEP_AGAIN;
}

static void start_undo(struct store_embedded *e, uint64_t revision)
{
    struct embedded_work *w = store_embedded_work_new(e, WORK_UNDO);
    w->undoes = revision;
    w->own.author = TEXT_OF("gatewayd");
    w->commit = &w->own;
    e->undoing = revision;
    list_add_last(&e->queue, &w->node);
    store_embedded_batch_run(e);
}

static void on_timer(void *arg)
{
    struct store_embedded *e = arg;
    struct store_entry entry;
    if (e->is_stopping || e->refusal != NULL || e->undoing != 0 ||
        !history_find_pending(&e->history, &entry))
        return;
    if (entry.confirm_until > store_embedded_wall(e)) {
        store_embedded_undo_watch(e);
        return;
    }
    log_info(&log_store, "revision %llu was not confirmed in time: undoing it",
             (unsigned long long)entry.head.revision);
    start_undo(e, entry.head.revision);
}

void store_embedded_undo_init(struct store_embedded *e)
{
    loop_timer_init(&e->confirm_timer, e->settings.loop, on_timer, e);
}

void store_embedded_undo_watch(struct store_embedded *e)
{
    struct store_entry entry;
    loop_timer_stop(&e->confirm_timer);
    if (e->is_stopping || e->undoing != 0 || !history_find_pending(&e->history, &entry))
        return;
    int64_t left = entry.confirm_until - store_embedded_wall(e);
    if (left < 0)
        left = 0;
    /* The clock may be set meanwhile: look again now and then. */
    if (left > LATER_MS)
        left = LATER_MS;
    loop_timer_start(&e->confirm_timer, (uint64_t)left);
}

/* An undo has ended, one way or another. */
void store_embedded_undo_ended(struct store_embedded *e, bool is_done)
{
    e->undoing = 0;
    if (is_done)
        store_embedded_undo_watch(e);
    else if (!e->is_stopping)
        loop_timer_start(&e->confirm_timer, RETRY_MS);
}
