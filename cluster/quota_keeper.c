/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quota_keeper.c - gathers in slices, saves by the scribe, one save at a time.
 */
#include "cluster/quota_keeper.h"

#include "cluster/counters.h"
#include "conf/base/mem.h"
#include "gatewayd/core/log.h"
#include "gatewayd/policy/limiter.h"

#define EACH_MS    1000
#define LOOK_AT    500
#define RETRIES_MS 10000

static const struct log_scope log_store = { .subject = LOG_SUBJECT_store };

struct quota_keeper {
    struct limiter *limiter;
    struct counters *counters; /* the scribe's, once started */
    struct scribe *scribe;
    struct loop_timer timer;
    struct loop_slice slice;
    struct limiter_saving saving;
    struct builder gathering;
    struct builder batch; /* with the scribe */
    struct scribe_job job;
    bool is_busy;  /* the scribe has a batch */
    bool is_whole; /* the batch holds all counters */
    bool is_stopping;
    bool is_held; /* nothing more is saved, but for once more: */
    bool wants_last;
    bool has_failed; /* and it was said */

    /* What the scribe says of a batch. The pointer keeps these from the word of the flags above,
     * which may be read at once. */
    const char *why;
    bool is_good;
    bool wants_whole;

    /* while it is loaded */
    store_loaded_fn *loaded;
    void *loaded_arg;
    struct loop_slice load_slice;
};

static void on_counter(void *arg, struct text identity, struct text value)
{
    struct limiter *limiter = arg;
    /* False: of a window that is over. */
    if (!limiter_load(limiter, identity, value, clock_read_wall_ms()))
        return;
}

/* A piece of the file. */
static bool load(void *arg)
{
    struct quota_keeper *k = arg;
    struct problems ps;
    problems_init(&ps);
    enum counters_step step = counters_read(k->counters, on_counter, k->limiter, &ps);
    if (step != COUNTERS_MORE)
        k->loaded(k->loaded_arg, &ps);
    problems_fini(&ps);
    return step == COUNTERS_MORE;
}

/* ---- saving ---- */

static void save(void *arg)
{
    struct quota_keeper *k = arg;
    struct text batch = builder_text(&k->batch);
    k->is_good = k->is_whole ? counters_replace(k->counters, batch, &k->why)
                             : counters_save(k->counters, batch, &k->why);
    k->wants_whole = !k->is_good || counters_is_long(k->counters);
}

static void rest(struct quota_keeper *k)
{
    if (!k->is_stopping && !k->is_held)
        loop_timer_start(&k->timer, k->is_good ? EACH_MS : RETRIES_MS);
}

static void on_saved(void *arg)
{
    struct quota_keeper *k = arg;
    k->is_busy = false;
    builder_clear(&k->batch);
    if (!k->is_good && !k->has_failed)
        log_warn(&log_store, "what quotas have counted cannot be saved: %s", k->why);
    k->has_failed = !k->is_good;
    rest(k);
}

static void hand_over(struct quota_keeper *k)
{
    struct builder batch = k->batch;
    k->batch = k->gathering;
    k->gathering = batch;
    k->is_busy = true;
    k->is_whole = k->saving.all;
    scribe_job_init(&k->job, save, on_saved, k);
    scribe_post(k->scribe, &k->job);
}

/* ---- gathering ---- */

static void on_changed(void *arg, struct text identity, struct text value)
{
    counters_add(arg, identity, value);
}

static bool gather(void *arg)
{
    struct quota_keeper *k = arg;
    if (limiter_save(k->limiter, &k->saving, LOOK_AT, on_changed, &k->gathering))
        return true;
    if (builder_text(&k->gathering).length > 0 || k->saving.all)
        hand_over(k);
    else
        rest(k);
    return false;
}

static void begin(struct quota_keeper *k)
{
    builder_clear(&k->gathering);
    k->saving = (struct limiter_saving){ .all = k->wants_whole };
}

static void on_timer(void *arg)
{
    struct quota_keeper *k = arg;
    begin(k);
    loop_slice_start(&k->slice);
}

/* ---- lifetime ---- */

struct quota_keeper *quota_keeper_new(struct state_dir *dir, struct limiter *limiter,
                                      struct loop *loop, struct problems *ps)
{
    struct quota_keeper *k = mem_new(sizeof(*k));
    k->limiter = limiter;
    builder_init(&k->gathering, SIZE_MAX);
    builder_init(&k->batch, SIZE_MAX);
    loop_timer_init(&k->timer, loop, on_timer, k);
    loop_slice_init(&k->slice, loop, gather, k);
    loop_slice_init(&k->load_slice, loop, load, k);
    k->counters = counters_open(dir, ps);
    if (k->counters == NULL)
        quota_keeper_free(&k);
    return k;
}

void quota_keeper_load(struct quota_keeper *k, store_loaded_fn *done, void *arg)
{
    k->loaded = done;
    k->loaded_arg = arg;
    loop_slice_start(&k->load_slice);
}

void quota_keeper_start(struct quota_keeper *k, struct scribe *scribe)
{
    k->scribe = scribe;
    k->is_good = true;
    loop_timer_start(&k->timer, EACH_MS);
}

bool quota_keeper_try_release(struct quota_keeper *k)
{
    k->wants_last = k->wants_last || !k->is_held;
    k->is_held = true;
    loop_timer_stop(&k->timer);
    if (k->is_busy || loop_slice_is_started(&k->slice))
        return false;
    if (!k->wants_last)
        return true;
    k->wants_last = false;
    on_timer(k);
    return false;
}

void quota_keeper_resume(struct quota_keeper *k)
{
    k->is_held = false;
    k->wants_last = false;
    /* A save that is under way rests when it has ended. */
    if (!k->is_busy && !loop_slice_is_started(&k->slice))
        loop_timer_start(&k->timer, EACH_MS);
}

/* A save that is on its way already is waited for by the caller; what it has not seen is lost only
 * if it fails. */
void quota_keeper_stop(struct quota_keeper *k)
{
    loop_slice_stop(&k->load_slice);
    if (k->scribe == NULL || k->is_stopping || k->is_held)
        return;
    k->is_stopping = true;
    loop_timer_stop(&k->timer);
    while (k->is_busy)
        loop_run_once(k->timer.loop, true);
    if (!loop_slice_is_started(&k->slice))
        begin(k);
    loop_slice_stop(&k->slice);
    while (gather(k))
        continue;
}

void quota_keeper_free(struct quota_keeper **k)
{
    if (*k == NULL)
        return;
    MUST(!(*k)->is_busy);
    counters_close(&(*k)->counters);
    builder_fini(&(*k)->gathering);
    builder_fini(&(*k)->batch);
    MEM_FREE(k);
}
