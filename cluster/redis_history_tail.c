/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_history_tail.c - see redis_history_tail.h. What was done is in redis_history_tail_note.c.
 */
#include "cluster/redis_history_tail.h"

#include "cluster/conflicts.h"
#include "cluster/redis_history_tail_private.h"
#include "conf/base/mem.h"
#include "gatewayd/core/log.h"

#define LOG_MOST 200 /* conflicts that are logged one by one */
#define TRY_MOST 10  /* while others change the same things */

static const struct log_scope log_store = { .subject = LOG_SUBJECT_store };
static const struct checks stored_checks = { .lenient = true };

/* ---- on the disk ---- */

static const struct state_dir *dir_of(const struct redis_history_tail *t)
{
    return t->history->settings.dir;
}

static struct scribe *scribe_of(const struct redis_history_tail *t)
{
    return store_embedded_scribe(t->history->settings.store);
}

static void keep(void *arg)
{
    struct redis_history_tail *t = arg;
    t->is_good = parted_write(&t->parted, dir_of(t), &t->why);
}

static void on_kept(void *arg)
{
    struct redis_history_tail *t = arg;
    if (!t->is_good)
        log_warn(&log_store,
                 "what is to be put back cannot be kept on the disk (%s): a restart "
                 "would lose it",
                 t->why);
    t->phase = TAIL_NOTING;
    loop_slice_start(&t->slice);
}

void redis_history_tail_keep(struct redis_history_tail *t, struct list *entries, uint64_t common,
                             bool is_trimmed, redis_history_tail_kept_fn *done)
{
    struct store_embedded *store = t->history->settings.store;
    t->done = done;
    t->parted.common = common;
    t->parted.is_trimmed = is_trimmed;
    t->parted.newest = store_revision(store_embedded_port(store));
    t->parted.id = store_embedded_id(store);
    while (!list_is_empty(entries)) {
        struct list *node = entries->next;
        list_remove(node);
        list_add_last(&t->parted.entries, node);
    }
    t->phase = TAIL_KEEPING;
    scribe_job_init(&t->job, keep, on_kept, t);
    scribe_post(scribe_of(t), &t->job);
}

static void load(void *arg)
{
    struct redis_history_tail *t = arg;
    t->is_good = parted_read(&t->parted, dir_of(t), &t->why);
}

static void remove_file(void *arg)
{
    struct redis_history_tail *t = arg;
    t->is_good = parted_remove(dir_of(t), &t->why);
}

static void on_written(void *arg);

/* How much has been settled, or that all of it has. */
static void write_settled(void *arg)
{
    struct redis_history_tail *t = arg;
    t->is_good = parted_settle(dir_of(t), t->written, &t->why);
}

static bool is_settled(const struct redis_history_tail *t)
{
    for (size_t i = 0; i < TAIL_ORDERS; i++) {
        if (!list_is_empty(&t->things[i]))
            return false;
    }
    return true;
}

static void write_progress(struct redis_history_tail *t)
{
    if (t->is_writing || t->written == t->parted.settled)
        return;
    if (!conflicts_try_save(t->history->conflicts))
        return;
    t->is_writing = true;
    t->written = t->parted.settled;
    scribe_job_init(&t->job, is_settled(t) ? remove_file : write_settled, on_written, t);
    scribe_post(scribe_of(t), &t->job);
}

void redis_history_tail_on_saved(struct redis_history_tail *t)
{
    if (t->phase == TAIL_READY)
        write_progress(t);
}

static void on_written(void *arg)
{
    struct redis_history_tail *t = arg;
    t->is_writing = false;
    if (!t->history->is_stopping)
        write_progress(t);
}

/* ---- what becomes of it ---- */

static const char *kind_of(const struct tail_thing *thing)
{
    return thing->is_key ? "a key of" : resource_kind_singular(thing->kind);
}

static void conflict(struct redis_history_tail *t, const struct tail_thing *thing, struct text why)
{
    struct text name = thing->is_key ? thing->key.consumer : thing->name;
    if (t->conflicts++ < LOG_MOST)
        log_warn(&log_store,
                 "conflict: what revision %llu (%s) of this node did to %s %.*s is not in the "
                 "shared history: %.*s",
                 (unsigned long long)thing->revision, thing->id, kind_of(thing), TEXT_ARGS(name),
                 TEXT_ARGS(why));
    redis_history_add_conflict(t->history, thing->revision);
}

/* It needs no more looking at. */
static void settle(struct redis_history_tail *t, struct tail_thing *thing)
{
    list_remove(&thing->node);
    list_init(&thing->node);
    t->parted.settled++;
}

static struct tail_thing *first_of(const struct redis_history_tail *t)
{
    for (size_t i = 0; i < TAIL_ORDERS; i++) {
        if (!list_is_empty(&t->things[i]))
            return LIST_ITEM(t->things[i].next, struct tail_thing, node);
    }
    return NULL;
}

/* It is still in this node's journal: what took the tail has not replaced it. */
static bool is_here(const struct redis_history_tail *t)
{
    return store_embedded_knows(t->history->settings.store, t->parted.newest, &t->parted.id) ==
           STORE_EMBEDDED_KNOWN;
}

/* ---- putting back ---- */

static struct text why_not(const struct store_result *result)
{
    if (result->outcome == STORE_MOVED_ON)
        return TEXT_OF("somebody changed it since");
    if (result->outcome == STORE_PROBLEMS && result->problems->count > 0)
        return text_of(result->problems->items[0].sentence);
    if (result->outcome == STORE_REFERRED)
        return TEXT_OF("others refer to it by now");
    return TEXT_OF("it does not fit any more");
}

static void on_done(void *arg, const struct store_result *result)
{
    struct redis_history_tail *t = arg;
    struct tail_thing *thing = t->thing;
    t->thing = NULL;
    resource_unref(&t->change.resource);
    if (result->outcome == STORE_AWAY || result->outcome == STORE_UNKNOWN ||
        result->outcome == STORE_FULL)
        return; /* goes on when the history is followed again */
    bool is_there = result->outcome == STORE_DONE || result->outcome == STORE_UNCHANGED ||
                    result->outcome == STORE_EXISTS || result->outcome == STORE_REVOKED;
    /* Its consumer has changed: is it the same one still? */
    bool is_again = thing->is_key && result->outcome == STORE_MOVED_ON && thing->tries++ < TRY_MOST;
    if (!is_there && !is_again)
        conflict(t, thing, why_not(result));
    if (result->outcome == STORE_DONE) {
        t->put_back++;
        thing->put_tag = result->tag;
    }
    if (!is_again)
        settle(t, thing);
    redis_history_tail_go_on(t);
}

/* What stands now. */
static struct text find_now(struct redis_history_tail *t, const struct tail_thing *thing,
                            struct arena *arena)
{
    struct store_embedded *store = t->history->settings.store;
    struct resource *r = store_embedded_find(store, thing->kind, thing->name);
    struct text set = TEXT_EMPTY;
    t->tag = 0;
    if (r != NULL) {
        t->tag = r->tag;
        set = arena_copy(arena, r->set);
    }
    resource_unref(&r);
    return set;
}

static void begin_commit(struct redis_history_tail *t, struct tail_thing *thing)
{
    t->thing = thing;
    t->commit = (struct store_commit){
        .author = thing->author,
        .because = arena_print(&t->arena, "put back revision %llu (%s) of a history that parted",
                               (unsigned long long)thing->revision, thing->id),
        .done = on_done,
        .arg = t,
    };
}

static void put_key(struct redis_history_tail *t, struct tail_thing *thing, uint64_t consumer_tag)
{
    const struct credentials_key *key = &thing->key;
    begin_commit(t, thing);
    t->key = (struct store_key_change){ .change = STORE_KEY_ADD,
                                        .id = key->id,
                                        .consumer = key->consumer,
                                        .if_consumer = consumer_tag,
                                        .digest = key->digest,
                                        .prefix = key->prefix,
                                        .scopes = key->scopes,
                                        .expires_at = key->expires_at };
    t->commit.keys = &t->key;
    t->commit.key_count = 1;
    store_commit(store_embedded_port(t->history->settings.store), &t->commit);
}

/* False: there is nothing to be done, or it cannot be, or (is_looking) not yet. */
static bool try_put_key(struct redis_history_tail *t, struct tail_thing *thing)
{
    uint64_t tag;
    switch (redis_history_tail_owner(t, thing, &tag)) {
    case TAIL_OWNER_SAME:
        put_key(t, thing, tag);
        return true;
    case TAIL_OWNER_GONE:
        conflict(t, thing, TEXT_OF("its consumer is gone, or may be another one of that name"));
        return false;
    case TAIL_OWNER_LOOKING:
        break;
    }
    return false;
}

static bool try_put_resource(struct redis_history_tail *t, struct tail_thing *thing)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    struct text now = find_now(t, thing, &arena);
    bool is_done = text_equals(now, thing->after);
    bool is_untouched = text_equals(now, thing->before);
    bool is_there = !text_is_empty(now);
    arena_reset(&arena);
    if (is_done)
        return false;
    if (!is_untouched) {
        conflict(t, thing, TEXT_OF("somebody changed it since"));
        return false;
    }
    t->change =
        (struct store_change){ .change = STORE_DELETE, .kind = thing->kind, .name = thing->name };
    if (!text_is_empty(thing->after)) {
        t->change.change = STORE_PUT;
        t->change.resource =
            resource_parse(thing->kind, thing->after, &stored_checks, &t->problems);
        if (t->change.resource == NULL) {
            conflict(t, thing, TEXT_OF("this version does not take it"));
            return false;
        }
    }
    begin_commit(t, thing);
    t->change.condition.kind = is_there ? STORE_IF_TAG : STORE_IF_ABSENT;
    t->change.condition.tags = &t->tag;
    t->change.condition.tag_count = 1;
    t->commit.changes = &t->change;
    t->commit.change_count = 1;
    store_commit(store_embedded_port(t->history->settings.store), &t->commit);
    return true;
}

/* Where others' part of the history is not known: what is there all the same is no loss. */
static void look_at_trimmed(struct redis_history_tail *t, struct tail_thing *thing)
{
    struct store_embedded *store = t->history->settings.store;
    struct credentials_key key;
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    bool is_there = thing->is_key ? store_embedded_find_key(store, &thing->key.digest, &key)
                                  : text_equals(find_now(t, thing, &arena), thing->after);
    arena_reset(&arena);
    if (!is_there)
        conflict(t, thing, TEXT_OF("what others did since is not known any more"));
}

/* False: its commit is on its way, or what others did is being looked at. */
static bool step(struct redis_history_tail *t, struct tail_thing *thing)
{
    if (t->parted.is_trimmed)
        look_at_trimmed(t, thing);
    else if (thing->is_key ? try_put_key(t, thing) : try_put_resource(t, thing))
        return false;
    if (t->is_looking)
        return false;
    settle(t, thing);
    return true;
}

static void say_end(struct redis_history_tail *t)
{
    if (t->put_back > 0)
        log_info(&log_store, "%zu changes that only this node had were put back", t->put_back);
    if (t->conflicts > 0)
        log_warn(&log_store, "%zu changes that only this node had are not in the shared history",
                 t->conflicts);
    t->put_back = t->conflicts = 0;
}

/* ---- slices ---- */

/* What the process before has settled. */
static void skip_settled(struct redis_history_tail *t)
{
    uint64_t settled = t->parted.settled;
    for (t->parted.settled = 0; t->parted.settled < settled && first_of(t) != NULL;)
        settle(t, first_of(t));
    t->written = t->parted.settled;
}

static void drop_file(struct redis_history_tail *t)
{
    t->is_writing = true;
    scribe_job_init(&t->job, remove_file, on_written, t);
    scribe_post(scribe_of(t), &t->job);
}

static void on_noted(struct redis_history_tail *t)
{
    redis_history_tail_kept_fn *done = t->done;
    t->phase = TAIL_READY;
    skip_settled(t);
    t->done = NULL;
    if (is_settled(t))
        drop_file(t);
    if (done != NULL)
        done(t->history);
    else if (t->history->phase == HISTORY_READY)
        redis_history_tail_go_on(t);
}

/* True: there is more to be done at once. */
static bool on_slice(void *arg)
{
    struct redis_history_tail *t = arg;
    if (t->phase == TAIL_NOTING) {
        if (!redis_history_tail_note(t))
            on_noted(t);
        return t->phase == TAIL_NOTING || loop_slice_is_started(&t->slice);
    }
    struct tail_thing *thing = first_of(t);
    if (t->history->phase != HISTORY_READY || t->thing != NULL || t->is_looking)
        return false;
    if (thing != NULL && step(t, thing))
        return true;
    write_progress(t);
    if (is_settled(t))
        say_end(t);
    return false;
}

void redis_history_tail_go_on(struct redis_history_tail *t)
{
    if (t->phase == TAIL_READY && !t->history->is_stopping && !is_settled(t))
        loop_slice_start(&t->slice);
    else if (t->phase == TAIL_READY && is_settled(t))
        on_slice(t);
}

static void on_loaded(void *arg)
{
    struct redis_history_tail *t = arg;
    if (t->why != NULL)
        log_warn(&log_store, "what was to be put back into the shared history cannot be read: %s",
                 t->why);
    if (!t->is_good || is_here(t)) {
        parted_fini(&t->parted);
        parted_init(&t->parted);
        t->phase = TAIL_READY;
        if (t->is_good || t->why != NULL)
            drop_file(t);
        return;
    }
    log_info(&log_store, "changes that only this node had are still to be put back");
    t->looked_at = t->parted.common;
    t->phase = TAIL_NOTING;
    loop_slice_start(&t->slice);
}

void redis_history_tail_load(struct redis_history_tail *t)
{
    t->phase = TAIL_LOADING;
    scribe_job_init(&t->job, load, on_loaded, t);
    scribe_post(scribe_of(t), &t->job);
}

/* ---- lifetime ---- */

struct redis_history_tail *redis_history_tail_new(struct redis_history *h)
{
    struct redis_history_tail *t = mem_new(sizeof(*t));
    t->history = h;
    t->phase = TAIL_READY;
    parted_init(&t->parted);
    for (size_t i = 0; i < TAIL_ORDERS; i++)
        list_init(&t->things[i]);
    map_init(&t->by_name);
    map_init(&t->removed);
    arena_init(&t->arena, SIZE_MAX);
    problems_init(&t->problems);
    loop_slice_init(&t->slice, h->settings.loop, on_slice, t);
    return t;
}

bool redis_history_tail_is_busy(const struct redis_history_tail *t)
{
    return t != NULL &&
           (t->thing != NULL || t->is_looking || t->is_writing || t->phase != TAIL_READY);
}

void redis_history_tail_stop(struct redis_history_tail *t)
{
    if (t == NULL)
        return;
    loop_slice_stop(&t->slice);
    while (t->is_writing || t->is_looking || t->phase == TAIL_LOADING || t->phase == TAIL_KEEPING)
        loop_run_once(t->history->settings.loop, true);
    loop_slice_stop(&t->slice);
}

void redis_history_tail_give_up(struct redis_history_tail **at)
{
    struct redis_history_tail *t = *at;
    struct tail_thing *thing;
    if (t == NULL)
        return;
    MUST(!redis_history_tail_is_busy(t));
    while (!is_here(t) && (thing = first_of(t)) != NULL) {
        conflict(t, thing, TEXT_OF("it could not be put back in time"));
        settle(t, thing);
    }
    redis_history_tail_free(at);
}

void redis_history_tail_free(struct redis_history_tail **at)
{
    struct redis_history_tail *t = *at;
    if (t == NULL)
        return;
    MUST(t->thing == NULL && !t->is_looking && !t->is_writing);
    loop_slice_stop(&t->slice);
    parted_fini(&t->parted);
    map_fini(&t->by_name);
    map_fini(&t->removed);
    problems_fini(&t->problems);
    arena_reset(&t->arena);
    MEM_FREE(at);
}
