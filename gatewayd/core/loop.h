/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.h - one thread's event loop: descriptors, timers, tasks, burials.
 *
 * A turn is: sleep until something happens, read the clock, run what happened, run what is due,
 * run deferred tasks, free what was buried. Everything here belongs to the loop's thread unless it
 * says otherwise. Nothing calls back from inside the call that started it, and nothing calls back
 * after its _stop. Lifetime: process (one per thread); what is embedded elsewhere must be stopped
 * before its memory goes (loop_bury the owner).
 *
 * Other rooms that drive libevent themselves (bufferevents to Redis) take loop_base() and call
 * loop_turn() first thing in each of their callbacks.
 */
#ifndef GATEWAYD_CORE_LOOP_H
#define GATEWAYD_CORE_LOOP_H

#include <event2/event_struct.h>
#include <stdatomic.h>

#include "conf/base/list.h"
#include "gatewayd/core/clock.h"

struct event_base;

typedef void loop_fn(void *arg);

/* ---- the loop ------------------------------------------------------------------------------- */

#define LOOP_WHEEL_LEVELS 5
#define LOOP_WHEEL_SLOTS  64

struct loop_burial {
    void *object;
    loop_fn *free_fn;
};

/* How long turns take, if somebody wants to know. */
enum loop_kind { LOOP_UNMEASURED, LOOP_WORKER, LOOP_CONTROL };

struct loop_pace {
    enum loop_kind kind;
    uint64_t seen_ns; /* when .cpu_ns was read */
    uint64_t cpu_ns;  /* processor time of the thread then: no later than this turn began */
};

/* Read .clock (or loop_now_ms and friends); the rest is loop.c's. */
struct loop {
    struct clock clock;
    const char *name;
    struct event_base *base;
    _Atomic uint64_t turns; /* odd: awake, even: asleep */
    bool in_turn;
    bool stopping;
    struct loop_pace pace;
    struct list tasks;
    struct list slices;
    struct loop_slice *stepping; /* whose step runs, unless that stopped it; else NULL */
    struct loop_burial *burials;
    size_t burial_count;
    size_t burial_size;
    struct event wake;  /* the timer wheel's next look */
    uint64_t wake_at;   /* ms when the wheel must be looked at; UINT64_MAX: never */
    bool wake_is_stale; /* .wake is not armed for .wake_at */
    uint64_t wheel_ms;  /* the wheel is processed up to here */
    uint64_t wheel_filled[LOOP_WHEEL_LEVELS];
    struct list wheel[LOOP_WHEEL_LEVELS][LOOP_WHEEL_SLOTS];
};

/* `name` is borrowed for the life of the loop. Made by any thread, run by one. */
struct loop *loop_new(const char *name);

/* After loop_run has returned; everything started on it must have been stopped. */
void loop_free(struct loop **loop);

/* Its turns are counted in the node's metrics (gatewayd_loop_*) from now on. */
void loop_measure(struct loop *loop, enum loop_kind kind);

/* Runs until loop_stop. */
void loop_run(struct loop *loop);

/* Ends loop_run after this turn. From the loop's thread: others post a mail that calls it. */
void loop_stop(struct loop *loop);

/* One turn; `wait` false: without sleeping. For tests and for draining at the end. */
void loop_run_once(struct loop *loop, bool wait);

struct event_base *loop_base(struct loop *loop);

/* Begins the turn (reads the clock) unless it has begun. Needed only in callbacks that libevent
 * makes directly. */
void loop_begin_turn(struct loop *loop);

static inline void loop_turn(struct loop *loop)
{
    if (UNLIKELY(!loop->in_turn))
        loop_begin_turn(loop);
}

/* Of this turn: everything that is called between two looks at the descriptors sees the same one,
 * and no other turn has it. The loop's thread. */
static inline uint64_t loop_turn_number(const struct loop *loop)
{
    return atomic_load_explicit(&loop->turns, memory_order_relaxed);
}

static inline uint64_t loop_now_ns(const struct loop *loop)
{
    return loop->clock.ns;
}

static inline uint64_t loop_now_us(const struct loop *loop)
{
    return loop->clock.ns / 1000;
}

static inline uint64_t loop_now_ms(const struct loop *loop)
{
    return loop->clock.ns / 1000000;
}

/* ---- has everybody moved on? ---------------------------------------------------------------- */

/* For memory that loops read without counting: unpublish it, note loop_turns() of each loop, free
 * it when loop_has_passed() for each. A sleeping loop has passed. Any thread. */
uint64_t loop_turns(const struct loop *loop);
bool loop_has_passed(const struct loop *loop, uint64_t turns_then);

/* ---- descriptors ---------------------------------------------------------------------------- */

/* Read and write events of one descriptor. Read events are level-triggered, registered once and
 * left; write events only while they are wanted, and most descriptors never have one. */
struct loop_watch {
    struct event read;
    struct event *write; /* from the first loop_watch_start_write on; else NULL */
    struct loop *loop;
    loop_fn *on_readable;
    loop_fn *on_writable;
    void *arg;
    int fd;
    bool is_reading;
    bool is_writing;
};

/* Neither event is started yet. `on_writable` may be NULL if never started. */
void loop_watch_init(struct loop_watch *w, struct loop *loop, int fd, void *arg);
void loop_watch_start_read(struct loop_watch *w, loop_fn *on_readable);
void loop_watch_stop_read(struct loop_watch *w);
void loop_watch_start_write(struct loop_watch *w, loop_fn *on_writable);
void loop_watch_stop_write(struct loop_watch *w);

/* Gives the memory of a write event back that is not wanted now. */
void loop_watch_trim(struct loop_watch *w);

/* Stops both; before the descriptor is closed. */
void loop_watch_stop(struct loop_watch *w);

/* ---- timers --------------------------------------------------------------------------------- */

/* A deadline. Starting one that runs already, for a later time, only stores that time: no list, no
 * heap, no system call. So "idle for 60 s" is loop_timer_start(&t, 60000) at each activity; the
 * timer is looked at when its old time comes and goes on from there. Never fires early, late by a
 * millisecond or two. */
struct loop_timer {
    struct list node;
    struct loop *loop;
    loop_fn *fn;
    void *arg;
    uint64_t due_ms;    /* when it really ends */
    uint64_t placed_ms; /* when the wheel looks at it: never after due_ms */
    unsigned char level;
    unsigned char slot;
    bool is_started;
};

void loop_timer_init(struct loop_timer *t, struct loop *loop, loop_fn *fn, void *arg);
void loop_timer_place(struct loop_timer *t); /* of loop_timer_start: use that */
void loop_timer_stop(struct loop_timer *t);

/* Fires once, `ms` after the beginning of this turn (0: in this turn or the next, not inside this
 * call). Restarting moves the deadline either way. */
static inline void loop_timer_start(struct loop_timer *t, uint64_t ms)
{
    t->due_ms = loop_now_ms(t->loop) + ms + 1;
    if (UNLIKELY(!t->is_started || t->due_ms < t->placed_ms))
        loop_timer_place(t);
}

static inline bool loop_timer_is_started(const struct loop_timer *t)
{
    return t->is_started;
}

/* ---- later in this turn --------------------------------------------------------------------- */

/* A call at the end of the turn. Deferring what is deferred already changes nothing. */
struct loop_task {
    struct list node;
    loop_fn *fn;
    void *arg;
};

void loop_task_init(struct loop_task *task, loop_fn *fn, void *arg);
void loop_defer(struct loop *loop, struct loop_task *task);
void loop_task_cancel(struct loop_task *task); /* safe if not deferred */
bool loop_task_is_deferred(const struct loop_task *task);

/* Calls free_fn(object) after all tasks of this turn, when nothing of it is on the stack. */
void loop_bury(struct loop *loop, void *object, loop_fn *free_fn);

/* ---- work in slices ------------------------------------------------------------------------- */

/* One step of work that grows with the configuration: true if there is more. */
typedef bool loop_slice_fn(void *arg);

#define LOOP_SLICE_NS 2000000

/* Steps run for at most 2 ms per turn, then events have their turn. A step may stop its own slice,
 * and start it (and others): then it goes on, whatever the step answers. */
struct loop_slice {
    struct list node;
    struct loop *loop;
    loop_slice_fn *step;
    void *arg;
};

void loop_slice_init(struct loop_slice *s, struct loop *loop, loop_slice_fn *step, void *arg);
void loop_slice_start(struct loop_slice *s);
void loop_slice_stop(struct loop_slice *s);
bool loop_slice_is_started(const struct loop_slice *s);

/* ---- signals -------------------------------------------------------------------------------- */

/* Only one loop of the process (control's) may watch signals. */
struct loop_signal {
    struct event event;
    struct loop *loop;
    loop_fn *fn;
    void *arg;
    bool is_started;
};

void loop_signal_start(struct loop_signal *s, struct loop *loop, int number, loop_fn *fn,
                       void *arg);
void loop_signal_stop(struct loop_signal *s);

/* "libevent 2.1.12-stable". Static. */
const char *loop_library_version(void);

#endif
