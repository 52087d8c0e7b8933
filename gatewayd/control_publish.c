/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_publish.c - from resources to a configuration that every worker runs on.
 *
 * One at a time: while one is compiled, settles or is swapped in, what is asked for is remembered,
 * the newest only, and begun after it. So revisions that come together are compiled once, and a
 * stream of them cannot keep one from being put in force.
 */
#include "conf/base/mem.h"
#include "gatewayd/control_private.h"

#define COMPILE_US 2000

/* How long new targets are given for their first check before requests may be sent there. */
#define SETTLE_MS 1000

static void begin_next(struct control *c);

static struct control_publishing *publishing(struct control *c)
{
    return &c->publishing;
}

/* ---- answering ------------------------------------------------------------------------------ */

static void answer(struct control_wait **waits_at, bool is_in_force, struct text reason)
{
    struct control_wait *w = *waits_at;

    *waits_at = NULL;
    while (w != NULL) {
        struct control_wait *next = w->next;
        if (w->done != NULL)
            w->done(w->arg, is_in_force, reason);
        MEM_FREE(&w);
        w = next;
    }
}

static void add_wait(struct control_wait **waits_at, control_published_fn *done, void *arg)
{
    struct control_wait *w = mem_new(sizeof(*w));

    w->done = done;
    w->arg = arg;
    while (*waits_at != NULL)
        waits_at = &(*waits_at)->next;
    *waits_at = w;
}

/* ---- swapping ------------------------------------------------------------------------------- */

static void become_idle(struct control *c)
{
    struct control_publishing *p = publishing(c);

    p->phase = CONTROL_PHASE_IDLE;
    resources_unref(&p->resources);
    begin_next(c);
}

static void on_all_swapped(struct control *c)
{
    struct control_publishing *p = publishing(c);
    bool is_first = c->snapshot == NULL;

    departures_fini(&p->departures);
    snapshot_unref(&c->snapshot);
    plan_sets_unref(&c->plans);
    c->snapshot = p->next;
    c->plans = p->next_plans;
    p->next = NULL;
    p->next_plans = NULL;
    c->revision = p->revision;
    metrics_set(metrics_node(), METRIC_REVISION, c->revision);
    metrics_add(metrics_node(), METRIC_SNAPSHOTS, 1);
    control_set_reason(&c->behind, TEXT_EMPTY);
    control_note_change(c);
    if (is_first)
        control_on_first(c);
    log_info(&c->log, "revision %llu is in force: %zu routes", (unsigned long long)c->revision,
             c->snapshot->route_count);
    answer(&p->waits, true, TEXT_EMPTY);
    become_idle(c);
}

static void on_swapped(void *arg)
{
    struct control *c = arg;

    MUST(publishing(c)->swaps_left > 0);
    if (--publishing(c)->swaps_left == 0)
        on_all_swapped(c);
}

static void swap(struct control *c)
{
    struct control_publishing *p = publishing(c);

    loop_timer_stop(&p->settling);
    p->phase = CONTROL_PHASE_SWAPPING;
    if (p->next_plans == NULL) /* names changed: the resources are those in force */
        p->next_plans = plan_sets_ref(c->plans);
    departures_init(&p->departures, c->snapshot, p->next);
    p->swaps_left = c->worker_count;
    for (unsigned i = 0; i < c->worker_count; i++)
        worker_publish(c->workers[i], generation_new(p->next, p->next_plans, &p->departures),
                       on_swapped, c);
}

/* ---- settling ------------------------------------------------------------------------------- */

static void on_settled(void *arg)
{
    struct control *c = arg;

    /* While the process ends, workers end one by one: not all of them would ever swap. */
    if (publishing(c)->phase == CONTROL_PHASE_SETTLING && !c->is_quitting)
        swap(c);
}

static void settle(struct control *c)
{
    struct control_publishing *p = publishing(c);

    p->phase = CONTROL_PHASE_SETTLING;
    health_follow(c->health, p->next);
    if (health_is_settled(c->health))
        swap(c);
    else
        loop_timer_start(&p->settling, SETTLE_MS);
}

/* ---- compiling ------------------------------------------------------------------------------ */

static void fail(struct control *c)
{
    struct control_publishing *p = publishing(c);
    struct text reason = snapshot_compiler_reason(p->compiler);

    log_error(&c->log, "revision %llu cannot be put in force: %.*s",
              (unsigned long long)p->revision, TEXT_ARGS(reason));
    control_set_reason(&c->behind, reason);
    control_note_change(c);
    answer(&p->waits, false, reason);
    plan_sets_unref(&p->next_plans);
    become_idle(c);
}

/* A slice: true if there is more to do. */
static bool compile(void *arg)
{
    struct control *c = arg;
    struct control_publishing *p = publishing(c);

    if (p->phase != CONTROL_PHASE_IDLE && p->phase != CONTROL_PHASE_COMPILING)
        return false;
    p->has_news = false;
    switch (snapshot_compiler_step(p->compiler, COMPILE_US)) {
    case SNAPSHOT_MORE:
        p->phase = CONTROL_PHASE_COMPILING;
        return true;
    case SNAPSHOT_WAIT:
        p->phase = CONTROL_PHASE_COMPILING;
        return false;
    case SNAPSHOT_IDLE:
        become_idle(c);
        return false;
    case SNAPSHOT_READY:
        p->next = snapshot_compiler_take(p->compiler);
        settle(c);
        return false;
    case SNAPSHOT_FAILED:
        fail(c);
        return false;
    }
    return false;
}

/* Names were resolved, or their addresses changed. */
static void on_ready(void *arg)
{
    struct control *c = arg;
    struct control_publishing *p = publishing(c);

    p->has_news = true;
    if (c->is_quitting)
        return;
    if (p->phase == CONTROL_PHASE_IDLE || p->phase == CONTROL_PHASE_COMPILING)
        loop_slice_start(&p->slice);
}

static void begin_next(struct control *c)
{
    struct control_publishing *p = publishing(c);

    MUST(p->phase == CONTROL_PHASE_IDLE);
    if (c->is_quitting)
        return;
    if (p->asked != NULL) {
        p->phase = CONTROL_PHASE_COMPILING;
        p->resources = p->asked;
        p->next_plans = p->asked_plans;
        p->revision = p->asked_revision;
        p->waits = p->asked_waits;
        p->asked = NULL;
        p->asked_plans = NULL;
        p->asked_waits = NULL;
        snapshot_compiler_begin(p->compiler, p->resources);
        loop_slice_start(&p->slice);
    } else if (p->has_news) {
        p->revision = c->revision;
        loop_slice_start(&p->slice);
    }
}

static void refuse(void *arg)
{
    struct control *c = arg;
    answer(&publishing(c)->asked_waits, false, TEXT_OF("The gateway is stopping."));
}

void control_publish(struct control *c, struct resources *resources, uint64_t revision,
                     control_published_fn *done, void *arg)
{
    struct control_publishing *p = publishing(c);

    plan_sets_unref(&p->asked_plans);
    p->asked_plans = plan_board_announce(&c->board, resources, c->credentials, c->limiter);
    add_wait(&p->asked_waits, done, arg);
    if (c->is_quitting) {
        /* Workers end one by one from here on: not all of them would ever answer. */
        loop_defer(c->loop, &p->refusal);
        return;
    }
    resources_unref(&p->asked);
    p->asked = resources_ref(resources);
    p->asked_revision = revision;
    if (p->phase == CONTROL_PHASE_IDLE)
        begin_next(c);
}

void control_advance(struct control *c, uint64_t revision)
{
    struct control_publishing *p = publishing(c);

    if (p->asked != NULL) {
        p->asked_revision = revision;
    } else if (p->phase != CONTROL_PHASE_IDLE) {
        p->revision = revision;
    } else if (c->snapshot != NULL && c->behind == NULL) {
        c->revision = revision;
        metrics_set(metrics_node(), METRIC_REVISION, c->revision);
        control_note_change(c);
    }
}

void control_publish_again(struct control *c)
{
    struct control_publishing *p = publishing(c);

    snapshot_compiler_reread_files(p->compiler);
    if (p->asked != NULL)
        return;
    if (p->resources != NULL)
        control_publish(c, p->resources, p->revision, NULL, NULL);
    else if (c->snapshot != NULL)
        control_publish(c, c->snapshot->resources, c->revision, NULL, NULL);
}

/* ---- hooks of the compiler ------------------------------------------------------------------ */

static bool compile_policy(void *arg, const struct route *route, void **policy_out,
                           struct builder *why)
{
    struct control *c = arg;

    *policy_out = limiter_set_new(c->limiter, LIMITER_ROUTE, route->name, &route->limits);
    return true;
}

static void free_policy(void *arg, void *policy)
{
    struct limiter_set *set = policy;
    limiter_set_unref(&set);
}

/* On control's thread by now. */
static void free_snapshot(void *arg)
{
    struct snapshot *s = arg;
    struct control *c = s->release_arg;

    snapshot_free(c->publishing.compiler, &s);
}

/* The last count is gone, on whatever thread. */
static void on_released(struct snapshot *snapshot, void *arg)
{
    struct control *c = arg;
    mailbox_post_call(c->mailbox, free_snapshot, snapshot);
}

void control_publish_init(struct control *c)
{
    struct control_publishing *p = publishing(c);
    struct snapshot_settings settings = {
        .workers = c->worker_count,
        .loop = c->loop,
        .resolve = c->resolve,
        .hooks = { .arg = c,
                   .compile_policy = compile_policy,
                   .free_policy = free_policy,
                   .release = on_released,
                   .on_ready = on_ready },
    };

    p->compiler = snapshot_compiler_new(&settings);
    loop_slice_init(&p->slice, c->loop, compile, c);
    loop_timer_init(&p->settling, c->loop, on_settled, c);
    loop_task_init(&p->refusal, refuse, c);
    health_on_settled(c->health, on_settled, c);
}

void control_publish_stop(struct control *c)
{
    struct control_publishing *p = publishing(c);

    loop_task_cancel(&p->refusal);
    loop_slice_stop(&p->slice);
    loop_timer_stop(&p->settling);
    answer(&p->waits, false, TEXT_OF("The gateway is stopping."));
    answer(&p->asked_waits, false, TEXT_OF("The gateway is stopping."));
}

void control_publish_fini(struct control *c)
{
    struct control_publishing *p = publishing(c);

    resources_unref(&p->asked);
    resources_unref(&p->resources);
    plan_sets_unref(&p->asked_plans);
    plan_sets_unref(&p->next_plans);
    plan_sets_unref(&c->plans);
    plan_board_fini(&c->board);
    departures_fini(&p->departures);
    snapshot_unref(&p->next);
    snapshot_unref(&c->snapshot);
    loop_run_once(c->loop, false); /* the corpses come home */
    snapshot_compiler_free(&p->compiler);
}
