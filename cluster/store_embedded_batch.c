/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded_batch.c - the queue of commits, and those that are written together.
 *
 * One batch at a time is filled, written and applied; what only waits to be in force (published)
 * holds nobody up, but for batches with consumers and keys: these are applied when everything
 * before them is in force, so that no worker meets a consumer whose plan it does not know.
 *
 * Commits share a batch when none needs to see what another one does: those of upstreams, routes
 * and plans build on each other's sealed set anyway; those of consumers and keys must speak of
 * different ones.
 */
#include <stdio.h>

#include "cluster/store_embedded_private.h"
#include "conf/base/mem.h"
#include "gatewayd/core/log.h"

#define BATCH_MOST   256
#define LOOK_AT_MOST 64 /* changes of a commit that may share a batch */

static const struct log_scope log_store = { .subject = LOG_SUBJECT_store };

/* What a batch did to a consumer. */
static char consumer_changed;
static char consumer_got_key;

/* ---- what a commit speaks of ---- */

static bool is_alone(const struct embedded_work *w)
{
    if (w->kind != WORK_COMMIT)
        return true;
    const struct store_commit *c = w->commit;
    return c->replaces_all || c->restores != 0 || c->is_dry_run || c->change_count > LOOK_AT_MOST ||
           c->key_count > LOOK_AT_MOST;
}

static void look_at(const struct embedded_work *w, bool *has_resources_out, bool *has_people_out)
{
    *has_resources_out = false;
    *has_people_out = w->commit->key_count > 0;
    for (size_t i = 0; i < w->commit->change_count; i++) {
        if (w->commit->changes[i].kind == RESOURCE_CONSUMER)
            *has_people_out = true;
        else
            *has_resources_out = true;
    }
}

enum touch { TOUCH_CONSUMER, TOUCH_CONSUMER_OF_KEY, TOUCH_ID, TOUCH_DIGEST };

static struct text touch_name(struct arena *arena, enum touch touch, const void *at, size_t length)
{
    bool is_consumer = touch == TOUCH_CONSUMER || touch == TOUCH_CONSUMER_OF_KEY;
    char *bytes = arena_alloc(arena, length + 1);
    bytes[0] = is_consumer ? 'c' : touch == TOUCH_ID ? 'i' : 'd';
    memcpy(bytes + 1, at, length);
    return text_from(bytes, length + 1);
}

/* Notes it down, or (is_asking) says whether another commit of the batch is in the way. */
static bool touch(struct embedded_batch *batch, enum touch touch, const void *at, size_t length,
                  bool is_asking)
{
    struct text name = touch_name(&batch->arena, touch, at, length);
    void *found = map_find(&batch->touched, name);
    if (is_asking)
        return found != NULL && (touch != TOUCH_CONSUMER_OF_KEY || found == &consumer_changed);
    if (touch == TOUCH_CONSUMER)
        map_set(&batch->touched, name, &consumer_changed);
    else if (found == NULL)
        map_set(&batch->touched, name, &consumer_got_key);
    return false;
}

static bool touch_key(struct embedded_batch *batch, const struct store_key_change *change,
                      bool is_asking)
{
    const struct credentials *c = batch->store->settings.credentials;
    struct text consumer = change->consumer;
    struct credentials_key key;
    if (change->change == STORE_KEY_ADD) {
        if (touch(batch, TOUCH_DIGEST, change->digest.bytes, DIGEST_SIZE, is_asking))
            return true;
    } else if (credentials_get_key(c, change->id, &key)) {
        consumer = key.consumer;
    }
    return touch(batch, TOUCH_ID, &change->id, sizeof(change->id), is_asking) ||
           (!text_is_empty(consumer) &&
            touch(batch, TOUCH_CONSUMER_OF_KEY, consumer.at, consumer.length, is_asking));
}

static bool touch_all(struct embedded_batch *batch, const struct embedded_work *w, bool is_asking)
{
    const struct store_commit *c = w->commit;
    for (size_t i = 0; i < c->change_count; i++) {
        const struct store_change *change = &c->changes[i];
        if (change->kind == RESOURCE_CONSUMER &&
            touch(batch, TOUCH_CONSUMER, change->name.at, change->name.length, is_asking))
            return true;
    }
    for (size_t i = 0; i < c->key_count; i++) {
        if (touch_key(batch, &c->keys[i], is_asking))
            return true;
    }
    return false;
}

static bool can_join(struct embedded_batch *batch, const struct embedded_work *w)
{
    if (batch->count == 0)
        return true;
    bool has_resources;
    bool has_people;
    if (batch->is_alone || batch->count >= BATCH_MOST || is_alone(w))
        return false;
    look_at(w, &has_resources, &has_people);
    if (has_resources != batch->has_resources || has_people != batch->has_people)
        return false;
    return !has_people || !touch_all(batch, w, true);
}

/* ---- batches ---- */

static struct embedded_batch *batch_new(struct store_embedded *e)
{
    struct embedded_batch *batch = mem_new(sizeof(*batch));
    batch->store = e;
    list_init(&batch->node);
    list_init(&batch->works);
    arena_init(&batch->arena, SIZE_MAX);
    map_init(&batch->touched);
    return batch;
}

void store_embedded_batch_free(struct embedded_batch **batch)
{
    MEM_FREE(&(*batch)->claim);
    map_fini(&(*batch)->touched);
    arena_reset(&(*batch)->arena);
    MEM_FREE(&(*batch)->behind);
    MEM_FREE(batch);
}

static void join(struct embedded_batch *batch, struct embedded_work *w)
{
    bool has_resources = !w->is_note && w->after != w->before;
    bool has_people = !w->is_note && (w->consumer_count > 0 || w->keys_changed > 0);
    batch->is_alone |= is_alone(w) || (has_resources && has_people);
    batch->has_resources |= has_resources;
    batch->has_people |= has_people;
    batch->is_following |= w->kind == WORK_FOLLOW;
    if (has_people && !batch->is_alone)
        touch_all(batch, w, false);
    list_add_last(&batch->works, &w->node);
    batch->count++;
}

/* ---- answering ---- */

static void fill_result(struct embedded_work *w, struct text behind)
{
    struct store_result *result = &w->result;
    result->problems = &w->problems;
    result->names = w->names;
    if (result->name_total < result->name_count)
        result->name_total = result->name_count;
    if (result->outcome != STORE_GONE || result->revision == 0)
        result->revision = w->store->now.revision;
    if (result->outcome == STORE_DONE) {
        result->resources_before = w->before;
        result->resources_after = w->after;
        result->consumers = w->consumers;
        result->consumer_count = w->consumer_count;
        result->behind = behind;
        if (!w->is_note && !w->commit->is_dry_run)
            result->revision = w->head.revision;
    }
    result->id = w->head.id;
}

static void answer(struct embedded_work *w, struct text behind)
{
    struct store_embedded *e = w->store;
    fill_result(w, behind);
    if (w->wants_turn)
        store_embedded_turn_end(e);
    if (w->kind == WORK_FOLLOW) {
        store_embedded_work_free(&w);
        return;
    }
    if (w->kind == WORK_UNDO)
        store_embedded_undo_ended(e, w->result.outcome == STORE_DONE);
    else if (w->kind == WORK_CONFIRM)
        w->confirm->done(w->confirm->arg, &w->result);
    else if (w->kind == WORK_REVOKE)
        w->revoke->done(w->revoke->arg, &w->result);
    else
        w->commit->done(w->commit->arg, &w->result);
    store_embedded_work_free(&w);
}

static void refuse(struct embedded_work *w, struct text sentence)
{
    w->result.outcome = STORE_AWAY;
    w->result.reason = arena_copy(&w->arena, sentence);
    answer(w, TEXT_EMPTY);
}

/* Why it cannot be done now; empty: it can. */
static struct text refusal_of(const struct store_embedded *e, const struct embedded_work *w)
{
    if (e->hold == HOLD_LEFT)
        return TEXT_OF("Another process of this node has taken over: ask again.");
    if (e->is_stopping)
        return TEXT_OF("This node is stopping.");
    if (e->refusal != NULL)
        return text_of(e->refusal);
    if (e->authority == NULL || w->kind == WORK_REVOKE)
        return TEXT_EMPTY;
    return e->authority->type->refusal(e->authority);
}

void store_embedded_batch_refuse(struct store_embedded *e)
{
    while (!list_is_empty(&e->queue)) {
        struct embedded_work *w = LIST_ITEM(e->queue.next, struct embedded_work, node);
        struct text why = refusal_of(e, w);
        if (text_is_empty(why))
            return;
        list_remove(&w->node);
        refuse(w, why);
    }
}

void store_embedded_batch_rewind(struct store_embedded *e)
{
    store_embedded_advance(&e->next, e->now.resources);
    e->next.revision = e->now.revision;
    e->next.id = e->now.id;
    e->next.config_tag = e->now.config_tag;
}

void store_embedded_batch_fail(struct store_embedded *e, enum store_outcome outcome,
                               struct text reason)
{
    struct embedded_batch *batch = e->batch;
    e->batch = NULL;
    store_embedded_batch_rewind(e);
    while (!list_is_empty(&batch->works)) {
        struct embedded_work *w = LIST_ITEM(batch->works.next, struct embedded_work, node);
        list_remove(&w->node);
        w->result.outcome = outcome;
        w->result.reason = arena_copy(&w->arena, reason);
        answer(w, TEXT_EMPTY);
    }
    store_embedded_batch_free(&batch);
}

/* ---- after the journal ---- */

static void settle(struct embedded_work *w)
{
    w->result.outcome = STORE_DONE;
    if (w->settles != 0)
        history_settle(&w->store->history, w->settles,
                       w->settles_undone ? STORE_UNDONE : STORE_CONFIRMED);
}

/* Durable: it is in the history, and reads show it. */
static void take_in(struct embedded_batch *batch, struct embedded_work *w)
{
    struct store_embedded *e = batch->store;
    if (w->kind == WORK_REVOKE) {
        store_embedded_revoked_settle(batch, w);
        return;
    }
    if (w->is_note) {
        settle(w);
        return;
    }
    store_embedded_advance(&e->now, w->after);
    e->now.revision = w->head.revision;
    e->now.id = w->head.id;
    if (w->after != w->before || w->consumer_count > 0)
        e->now.config_tag = w->tag;
    batch->revision = w->head.revision;
    history_add(&e->history, &w->head, w->confirm_until);
    settle(w);
    if (w->undoes != 0)
        history_settle(&e->history, w->undoes, STORE_UNDONE);
    if (w->kind == WORK_FOLLOW)
        store_embedded_held_settle(w);
}

static void refuse_written(struct embedded_batch *batch, struct embedded_work *w)
{
    struct store_embedded *e = batch->store;
    const char *what = "The journal cannot be written: %s.";
    w->result.outcome = STORE_AWAY;
    if (w->is_unknown) {
        w->result.outcome = STORE_UNKNOWN;
        what = "The disk failed to make the change durable (%s): it may or may not be there after "
               "a restart.";
    } else if (w->written == JOURNAL_FULL) {
        w->result.outcome = STORE_FULL;
        what = "The disk that holds state.dir is full: %s.";
    }
    e->trouble = w->result.outcome == STORE_FULL ? "the disk that holds state.dir is full" : NULL;
    /* The sentences above are the only formats. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    w->result.reason = arena_print(&w->arena, what, batch->why == NULL ? "unknown" : batch->why);
#pragma GCC diagnostic pop
}

static void stop_writing(struct embedded_batch *batch)
{
    struct store_embedded *e = batch->store;
    if (!batch->is_broken || e->refusal != NULL)
        return;
    e->refusal = "The disk that holds state.dir failed: no changes are taken until gatewayd has "
                 "been started again.";
    e->since = store_embedded_wall(e);
    log_error(&log_store,
              "the journal cannot be written any more: %s; restart after a look at "
              "the disk",
              batch->why == NULL ? "unknown" : batch->why);
}

static void on_published(void *arg, struct text reason)
{
    struct embedded_batch *batch = arg;
    batch->is_published = true;
    if (!text_is_empty(reason))
        batch->behind = mem_copy_text(reason.at, reason.length);
    store_embedded_batch_on_hook(batch);
}

static void publish(struct embedded_batch *batch)
{
    struct store_embedded *e = batch->store;
    bool is_needed = batch->has_resources && batch->revision != 0;
    batch->is_published = !is_needed || e->settings.publish == NULL || e->is_stopping;
    if (!batch->is_published)
        e->settings.publish(e->settings.arg, e->now.resources, e->now.revision, on_published,
                            batch);
}

/* Accepted elsewhere: it holds, whatever this node's disk says; the journal ends before it. */
static void accept_unwritten(struct embedded_batch *batch)
{
    struct store_embedded *e = batch->store;
    LIST_EACH (node, &batch->works) {
        LIST_ITEM(node, struct embedded_work, node)->written = JOURNAL_DONE;
    }
    e->is_unwritten = true;
    if (!store_embedded_can_write(e))
        return;
    if (e->trouble == NULL)
        log_error(&log_store,
                  "the journal cannot be written: %s; what others accept is followed "
                  "without it",
                  batch->why == NULL ? "unknown" : batch->why);
    e->trouble = "the journal cannot be written: this node's own copy of the state is old";
}

static bool is_all_written(const struct embedded_batch *batch)
{
    LIST_EACH (node, &batch->works) {
        if (LIST_ITEM(node, struct embedded_work, node)->written != JOURNAL_DONE)
            return false;
    }
    return true;
}

static void on_written(void *arg)
{
    struct embedded_batch *batch = arg;
    struct store_embedded *e = batch->store;
    bool has_failed = false;
    bool is_accepted = batch->claim != NULL || batch->is_following;
    e->is_writing = false;
    e->journal_size = batch->journal_size;
    if (is_accepted && !is_all_written(batch))
        accept_unwritten(batch);
    else if (!e->is_unwritten)
        e->trouble = NULL;
    LIST_EACH (node, &batch->works) {
        struct embedded_work *w = LIST_ITEM(node, struct embedded_work, node);
        if (w->written == JOURNAL_DONE) {
            take_in(batch, w);
        } else {
            refuse_written(batch, w);
            has_failed = true;
        }
    }
    if (has_failed) {
        store_embedded_batch_rewind(e);
        stop_writing(batch);
    }
    if (is_accepted)
        store_embedded_claim_sync(e);
    publish(batch);
    store_embedded_undo_watch(e);
    store_embedded_batch_run(e);
}

/* What was written may be on the disk or not. */
static void doubt(struct embedded_batch *batch)
{
    LIST_EACH (node, &batch->works) {
        struct embedded_work *w = LIST_ITEM(node, struct embedded_work, node);
        w->is_unknown = w->written == JOURNAL_DONE;
        w->written = JOURNAL_BROKEN;
    }
}

/* On the scribe's thread. */
static void write_batch(void *arg)
{
    struct embedded_batch *batch = arg;
    struct journal *j = batch->store->journal;
    LIST_EACH (node, &batch->works) {
        struct embedded_work *w = LIST_ITEM(node, struct embedded_work, node);
        w->written = w->is_note ? journal_append_note(j, w->texts[0])
                                : journal_append(j, &w->head, w->texts, w->text_count);
        if (w->written != JOURNAL_DONE)
            batch->why = journal_why(j);
    }
    /* What is accepted elsewhere is not lost with this disk: it is made durable soon. */
    bool is_accepted = batch->claim != NULL || batch->is_following;
    if (!is_accepted && journal_sync(j) != JOURNAL_DONE) {
        batch->why = journal_why(j);
        doubt(batch);
    } else if (!is_accepted) {
        journal_mark(j);
    }
    batch->is_broken = journal_is_broken(j);
    batch->journal_size = journal_size(j);
}

/* The journal is another process's, which writes it. */
static void pass_batch(void *arg)
{
    struct embedded_batch *batch = arg;
    LIST_EACH (node, &batch->works)
        LIST_ITEM(node, struct embedded_work, node)->written = JOURNAL_FULL;
}

void store_embedded_batch_write(struct store_embedded *e)
{
    e->is_writing = true;
    e->batch->journal_size = e->journal_size;
    scribe_job_init(&e->batch->job, store_embedded_can_write(e) ? write_batch : pass_batch,
                    on_written, e->batch);
    scribe_post(e->scribe, &e->batch->job);
}

/* ---- the end of a batch ---- */

static bool is_all_published(const struct store_embedded *e)
{
    LIST_EACH (node, &e->publishing) {
        if (!LIST_ITEM(node, struct embedded_batch, node)->is_published)
            return false;
    }
    return e->batch->is_published;
}

/* Takes the answers of batches that are in force; whoever is told may commit again. */
static bool finish_one(struct store_embedded *e)
{
    LIST_EACH (node, &e->publishing) {
        struct embedded_batch *batch = LIST_ITEM(node, struct embedded_batch, node);
        if (batch->ends_waiting > 0 && !e->is_stopping)
            continue;
        if (!batch->is_published && !e->is_stopping)
            continue;
        if (!list_is_empty(&batch->works)) {
            struct embedded_work *w = LIST_ITEM(batch->works.next, struct embedded_work, node);
            list_remove(&w->node);
            answer(w, text_of(batch->behind));
            return true;
        }
        if (!batch->is_published || batch->ends_waiting > 0)
            continue; /* stopping: its hooks are still to come */
        list_remove(&batch->node);
        store_embedded_batch_free(&batch);
        return true;
    }
    return false;
}

/* ---- the slice ---- */

/* A work has been planned, or its outcome is known. */
static bool step_planning(struct store_embedded *e)
{
    struct embedded_work *w = e->planning;
    enum embedded_step step = store_embedded_work_step(w);
    if (step == STEP_WAIT) {
        e->is_gathering = true;
        return false;
    }
    if (step == STEP_END) {
        e->planning = NULL;
        answer(w, TEXT_EMPTY);
    } else if (w->is_planned) {
        e->planning = NULL;
        w->planned_ms = loop_now_ms(e->settings.loop) - w->planned_ms;
        join(e->batch, w);
    }
    return true;
}

void store_embedded_batch_resume(struct embedded_work *w)
{
    w->store->is_gathering = false;
    store_embedded_batch_run(w->store);
}

static void start_writing(struct store_embedded *e)
{
    const struct embedded_work *first = LIST_ITEM(e->batch->works.next, struct embedded_work, node);
    if (e->authority != NULL && !e->batch->is_following && !first->is_note)
        store_embedded_claim_start(e);
    else
        store_embedded_batch_write(e);
}

/* What came from elsewhere goes first: what was planned here does not build on it. */
static bool step_following(struct store_embedded *e)
{
    if (e->is_stopping || e->hold == HOLD_RESTING || (e->batch != NULL && e->batch->is_following) ||
        !store_embedded_follow_has_next(e))
        return false;
    if (e->batch != NULL)
        store_embedded_claim_moved(e);
    e->planning = store_embedded_follow_next(e);
    if (e->planning == NULL)
        return false;
    e->batch = batch_new(e);
    return true;
}

static bool must_wait(const struct store_embedded *e)
{
    const struct embedded_work *w = LIST_ITEM(e->queue.next, struct embedded_work, node);
    return e->authority != NULL && w->kind != WORK_REVOKE &&
           (e->authority->type->is_looking(e->authority) || store_embedded_turn_must_wait(e));
}

static bool can_take_more(const struct store_embedded *e)
{
    return e->hold == HOLD_NOT && !list_is_empty(&e->queue) && !e->must_follow && !must_wait(e) &&
           (e->batch == NULL || !e->batch->is_following);
}

/* The next of the queue is planned, or what has been planned is written. */
static bool step_filling(struct store_embedded *e)
{
    if (e->authority != NULL && step_following(e))
        return true;
    if (e->batch == NULL || !e->batch->is_following)
        store_embedded_batch_refuse(e);
    if (e->batch == NULL) {
        if (!can_take_more(e))
            return false;
        e->batch = batch_new(e);
    }
    if (can_take_more(e)) {
        struct embedded_work *w = LIST_ITEM(e->queue.next, struct embedded_work, node);
        if (can_join(e->batch, w)) {
            list_remove(&w->node);
            w->planned_ms = loop_now_ms(e->settings.loop);
            e->planning = w;
            return true;
        }
    }
    if (e->batch->count > 0)
        start_writing(e);
    else
        store_embedded_batch_free(&e->batch);
    return false;
}

static bool step_applying(struct store_embedded *e)
{
    struct embedded_batch *batch = e->batch;
    if (batch->has_people && !is_all_published(e) && !e->is_stopping)
        return false;
    if (batch->has_people && store_embedded_apply_step(batch))
        return true;
    if (!batch->has_resources && batch->revision != 0 && e->settings.pass != NULL)
        e->settings.pass(e->settings.arg, batch->revision);
    list_add_last(&e->publishing, &batch->node);
    e->batch = NULL;
    store_embedded_compact_consider(e);
    return true;
}

static bool on_slice(void *arg)
{
    struct store_embedded *e = arg;
    if (finish_one(e))
        return true;
    if (e->is_writing || e->is_gathering || e->is_claiming)
        return false;
    if (e->replacing != NULL) {
        store_embedded_batch_refuse(e);
        return false;
    }
    if (e->planning != NULL)
        return step_planning(e);
    if (e->batch != NULL && e->batch->job.run != NULL)
        return step_applying(e);
    return step_filling(e);
}

void store_embedded_batch_init(struct store_embedded *e)
{
    list_init(&e->queue);
    list_init(&e->publishing);
    loop_slice_init(&e->slice, e->settings.loop, on_slice, e);
}

void store_embedded_batch_run(struct store_embedded *e)
{
    if (e->is_started)
        loop_slice_start(&e->slice);
}

bool store_embedded_batch_is_idle(const struct store_embedded *e)
{
    return e->batch == NULL && e->planning == NULL && list_is_empty(&e->queue) &&
           list_is_empty(&e->publishing);
}

void store_embedded_batch_on_hook(struct embedded_batch *batch)
{
    if (batch->store != NULL)
        store_embedded_batch_run(batch->store);
    else if (batch->is_published && batch->ends_waiting == 0)
        store_embedded_batch_free(&batch);
}

/* Those whose hooks are still to be called go with the last of them. */
void store_embedded_batch_fini(struct store_embedded *e)
{
    loop_slice_stop(&e->slice);
    LIST_EACH_SAFE (node, following, &e->publishing) {
        struct embedded_batch *batch = LIST_ITEM(node, struct embedded_batch, node);
        MUST(list_is_empty(&batch->works));
        list_remove(&batch->node);
        batch->store = NULL;
        store_embedded_batch_on_hook(batch);
    }
}
