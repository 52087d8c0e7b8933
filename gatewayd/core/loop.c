/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.c - turns of an event loop on libevent: descriptors, tasks, burials, slices, signals.
 *
 * The base is not locked: only the loop's thread touches it, others wake it through a mailbox's
 * eventfd. libevent 2.1 has no hook between waking up and the first callback, so each callback
 * begins the turn if it is the first.
 */
#include "gatewayd/core/loop.h"

#include <stdio.h>

#include <event2/event.h>
#include <signal.h>

#include "conf/base/mem.h"
#include "gatewayd/core/loop_private.h"

/* Tasks that tasks defer still belong to this turn, but not without end. */
#define TASK_PASSES 8

/* ---- the loop ------------------------------------------------------------------------------- */

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct loop *loop = arg;
    loop_turn(loop);
    loop->wake_is_stale = true;
}

static struct event_base *open_base(void)
{
    struct event_config *config = event_config_new();
    MUST(config != NULL);
    MUST(event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) == 0);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    MUST(base != NULL);
    return base;
}

struct loop *loop_new(const char *name)
{
    /* A peer that went away is an error of write(2), not a signal. */
    signal(SIGPIPE, SIG_IGN);

    struct loop *loop = mem_new(sizeof(*loop));
    loop->name = name;
    loop->base = open_base();
    clock_init(&loop->clock);
    list_init(&loop->tasks);
    list_init(&loop->slices);
    loop_wheel_init(loop);
    MUST(event_assign(&loop->wake, loop->base, -1, 0, on_wake, loop) == 0);
    return loop;
}

static void free_buried(struct loop *loop)
{
    /* Freeing may bury more. */
    for (size_t i = 0; i < loop->burial_count; i++) {
        struct loop_burial burial = loop->burials[i];
        burial.free_fn(burial.object);
    }
    loop->burial_count = 0;
}

void loop_free(struct loop **loop)
{
    struct loop *l = *loop;
    if (l == NULL)
        return;
    free_buried(l);
    event_del(&l->wake);
    event_base_free(l->base);
    MEM_FREE(&l->burials);
    MEM_FREE(loop);
}

struct event_base *loop_base(struct loop *loop)
{
    return loop->base;
}

void loop_begin_turn(struct loop *loop)
{
    loop->in_turn = true;
    atomic_fetch_add(&loop->turns, 1);
    clock_update(&loop->clock);
    if (LIKELY(loop->pace.kind != LOOP_UNMEASURED))
        loop_pace_begin(loop);
}

static void run_tasks(struct loop *loop)
{
    for (int pass = 0; pass < TASK_PASSES && !list_is_empty(&loop->tasks); pass++) {
        /* A mark, not a second list: tasks can still be cancelled while others run. */
        struct list end;
        list_add_last(&loop->tasks, &end);
        while (loop->tasks.next != &end) {
            struct loop_task *task = LIST_ITEM(loop->tasks.next, struct loop_task, node);
            list_remove(&task->node);
            task->fn(task->arg);
        }
        list_remove(&end);
    }
}

static void run_slices(struct loop *loop)
{
    if (LIKELY(list_is_empty(&loop->slices)))
        return;
    uint64_t until = clock_read_ns() + LOOP_SLICE_NS;
    while (!list_is_empty(&loop->slices)) {
        struct loop_slice *slice = LIST_ITEM(loop->slices.next, struct loop_slice, node);
        list_remove(&slice->node);
        loop->stepping = slice;
        /* A step that ends its slice may free it: then it answers false. */
        if (slice->step(slice->arg) && loop->stepping == slice)
            loop_slice_start(slice);
        loop->stepping = NULL;
        if (clock_read_ns() >= until)
            return;
    }
}

static void end_turn(struct loop *loop)
{
    loop_turn(loop);
    loop_wheel_advance(loop);
    run_tasks(loop);
    run_slices(loop);
    free_buried(loop);
    if (LIKELY(loop->pace.kind != LOOP_UNMEASURED))
        loop_pace_end(loop);
    loop->in_turn = false;
    uint64_t turns = atomic_load_explicit(&loop->turns, memory_order_relaxed);
    atomic_store_explicit(&loop->turns, turns + 1, memory_order_release);
}

static void arm_wake(struct loop *loop)
{
    if (!loop->wake_is_stale)
        return;
    loop->wake_is_stale = false;
    if (loop->wake_at == UINT64_MAX)
        return;
    uint64_t now = loop_now_ms(loop);
    uint64_t ms = loop->wake_at > now ? loop->wake_at - now : 0;
    struct timeval in = { .tv_sec = (time_t)(ms / 1000),
                          .tv_usec = (suseconds_t)(ms % 1000 * 1000) };
    MUST(event_add(&loop->wake, &in) == 0);
}

void loop_run_once(struct loop *loop, bool wait)
{
    bool is_idle = list_is_empty(&loop->tasks) && list_is_empty(&loop->slices);
    int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;
    if (!wait || !is_idle || loop->burial_count > 0)
        flags |= EVLOOP_NONBLOCK;
    arm_wake(loop);
    MUST(event_base_loop(loop->base, flags) >= 0);
    end_turn(loop);
}

void loop_run(struct loop *loop)
{
    loop->stopping = false;
    end_turn(loop); /* what was deferred before we began */
    while (!loop->stopping)
        loop_run_once(loop, true);
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

/* ---- has everybody moved on? ---------------------------------------------------------------- */

/* A read-modify-write, so that either we see that the loop is awake, or its next awakening sees
 * everything that we did before. */
uint64_t loop_turns(const struct loop *loop)
{
    return atomic_fetch_add((_Atomic uint64_t *)&loop->turns, 0);
}

bool loop_has_passed(const struct loop *loop, uint64_t turns_then)
{
    bool was_asleep = turns_then % 2 == 0;
    return was_asleep || atomic_load(&loop->turns) != turns_then;
}

/* ---- descriptors ---------------------------------------------------------------------------- */

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct loop_watch *w = arg;
    loop_turn(w->loop);
    w->on_readable(w->arg);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct loop_watch *w = arg;
    loop_turn(w->loop);
    w->on_writable(w->arg);
}

void loop_watch_init(struct loop_watch *w, struct loop *loop, int fd, void *arg)
{
    *w = (struct loop_watch){ .loop = loop, .fd = fd, .arg = arg };
    MUST(event_assign(&w->read, loop->base, fd, EV_READ | EV_PERSIST, on_readable, w) == 0);
}

void loop_watch_start_read(struct loop_watch *w, loop_fn *fn)
{
    w->on_readable = fn;
    if (w->is_reading)
        return;
    w->is_reading = true;
    MUST(event_add(&w->read, NULL) == 0);
}

void loop_watch_stop_read(struct loop_watch *w)
{
    if (!w->is_reading)
        return;
    w->is_reading = false;
    event_del(&w->read);
}

static struct event *new_write_event(struct loop_watch *w)
{
    struct event *event = mem_new(sizeof(*event));
    MUST(event_assign(event, w->loop->base, w->fd, EV_WRITE | EV_PERSIST, on_writable, w) == 0);
    return event;
}

void loop_watch_start_write(struct loop_watch *w, loop_fn *fn)
{
    w->on_writable = fn;
    if (w->is_writing)
        return;
    w->is_writing = true;
    if (w->write == NULL)
        w->write = new_write_event(w);
    MUST(event_add(w->write, NULL) == 0);
}

void loop_watch_stop_write(struct loop_watch *w)
{
    if (!w->is_writing)
        return;
    w->is_writing = false;
    event_del(w->write);
}

/* libevent does not look at a persistent event any more once it has begun its callback, so this
 * may be called from inside it. */
void loop_watch_trim(struct loop_watch *w)
{
    if (!w->is_writing && w->write != NULL)
        MEM_FREE(&w->write);
}

void loop_watch_stop(struct loop_watch *w)
{
    loop_watch_stop_read(w);
    loop_watch_stop_write(w);
    loop_watch_trim(w);
}

/* ---- later in this turn --------------------------------------------------------------------- */

void loop_task_init(struct loop_task *task, loop_fn *fn, void *arg)
{
    list_init(&task->node);
    task->fn = fn;
    task->arg = arg;
}

void loop_defer(struct loop *loop, struct loop_task *task)
{
    if (list_is_empty(&task->node))
        list_add_last(&loop->tasks, &task->node);
}

void loop_task_cancel(struct loop_task *task)
{
    list_remove(&task->node);
}

bool loop_task_is_deferred(const struct loop_task *task)
{
    return !list_is_empty(&task->node);
}

void loop_bury(struct loop *loop, void *object, loop_fn *free_fn)
{
    if (loop->burial_count == loop->burial_size) {
        loop->burial_size = loop->burial_size == 0 ? 64 : loop->burial_size * 2;
        loop->burials = mem_resize(loop->burials, loop->burial_size * sizeof(*loop->burials));
    }
    loop->burials[loop->burial_count++] = (struct loop_burial){ object, free_fn };
}

/* ---- work in slices ------------------------------------------------------------------------- */

void loop_slice_init(struct loop_slice *s, struct loop *loop, loop_slice_fn *step, void *arg)
{
    list_init(&s->node);
    s->loop = loop;
    s->step = step;
    s->arg = arg;
}

void loop_slice_start(struct loop_slice *s)
{
    if (list_is_empty(&s->node))
        list_add_last(&s->loop->slices, &s->node);
}

void loop_slice_stop(struct loop_slice *s)
{
    list_remove(&s->node);
    if (s->loop->stepping == s)
        s->loop->stepping = NULL;
}

bool loop_slice_is_started(const struct loop_slice *s)
{
    return !list_is_empty(&s->node) || s->loop->stepping == s;
}

/* ---- signals -------------------------------------------------------------------------------- */

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    struct loop_signal *s = arg;
    loop_turn(s->loop);
    s->fn(s->arg);
}

void loop_signal_start(struct loop_signal *s, struct loop *loop, int number, loop_fn *fn, void *arg)
{
    *s = (struct loop_signal){ .loop = loop, .fn = fn, .arg = arg, .is_started = true };
    MUST(event_assign(&s->event, loop->base, number, EV_SIGNAL | EV_PERSIST, on_signal, s) == 0);
    MUST(event_add(&s->event, NULL) == 0);
}

void loop_signal_stop(struct loop_signal *s)
{
    if (!s->is_started)
        return;
    s->is_started = false;
    event_del(&s->event);
}

const char *loop_library_version(void)
{
    static char version[64];

    snprintf(version, sizeof(version), "libevent %s", event_get_version());
    return version;
}
