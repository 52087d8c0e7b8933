/* SPDX-License-Identifier: Apache-2.0 */
/* test_loop.c - turns, timers, tasks, burials, slices: in the order and at the time promised. */
#include "tests/unit/gatewayd/cmocka_all.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "gatewayd/core/loop.h"

static struct loop *loop;

static int make_loop(void **state)
{
    loop = loop_new("test");
    return 0;
}

static int drop_loop(void **state)
{
    loop_free(&loop);
    assert_null(loop);
    return 0;
}

static char story[64];

static void tell(char what)
{
    size_t length = strlen(story);
    story[length] = what;
    story[length + 1] = '\0';
}

static void tell_arg(void *arg)
{
    tell(*(const char *)arg);
}

static void stop_loop(void *arg)
{
    loop_stop(loop);
}

static void run_for(uint64_t ms)
{
    struct loop_timer end;
    loop_timer_init(&end, loop, stop_loop, NULL);
    loop_timer_start(&end, ms);
    loop_run(loop);
    loop_timer_stop(&end);
}

/* ---- descriptors ---------------------------------------------------------------------------- */

struct reader {
    struct loop_watch watch;
    unsigned calls;
    uint64_t time;
};

static void on_bytes(void *arg)
{
    struct reader *r = arg;
    char byte;
    assert_int_equal(read(r->watch.fd, &byte, 1), 1);
    r->calls++;
    r->time = loop_now_ns(loop);
}

static void a_watch_stays_registered(void **state)
{
    int fds[2];
    struct reader r = { 0 };
    assert_int_equal(pipe(fds), 0);
    loop_watch_init(&r.watch, loop, fds[0], &r);
    loop_watch_start_read(&r.watch, on_bytes);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(write(fds[1], "x", 1), 1);
        loop_run_once(loop, true);
    }
    assert_int_equal(r.calls, 3);
    loop_watch_stop(&r.watch);
    loop_watch_stop(&r.watch);
    assert_int_equal(write(fds[1], "x", 1), 1);
    loop_run_once(loop, false);
    assert_int_equal(r.calls, 3);
    close(fds[0]);
    close(fds[1]);
}

static void a_turn_has_one_time(void **state)
{
    int fds[2][2];
    struct reader r[2] = { 0 };
    uint64_t before = loop_now_ns(loop);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe(fds[i]), 0);
        loop_watch_init(&r[i].watch, loop, fds[i][0], &r[i]);
        loop_watch_start_read(&r[i].watch, on_bytes);
        assert_int_equal(write(fds[i][1], "x", 1), 1);
    }
    loop_run_once(loop, true);
    assert_int_equal(r[0].time, r[1].time);
    assert_true(r[0].time > before);
    for (int i = 0; i < 2; i++) {
        loop_watch_stop(&r[i].watch);
        close(fds[i][0]);
        close(fds[i][1]);
    }
}

static struct reader pair[2];

static void stop_the_other(void *arg)
{
    struct reader *r = arg;
    r->calls++;
    loop_watch_stop(&pair[r == &pair[0]].watch);
}

/* Both are ready in the same turn; whoever comes first stops the other. */
static void a_stopped_watch_is_not_called_even_if_ready(void **state)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    int other = dup(fds[0]);
    memset(pair, 0, sizeof(pair));
    loop_watch_init(&pair[0].watch, loop, fds[0], &pair[0]);
    loop_watch_init(&pair[1].watch, loop, other, &pair[1]);
    loop_watch_start_read(&pair[0].watch, stop_the_other);
    loop_watch_start_read(&pair[1].watch, stop_the_other);
    assert_int_equal(write(fds[1], "x", 1), 1);
    loop_run_once(loop, true);
    assert_int_equal(pair[0].calls + pair[1].calls, 1);
    loop_watch_stop(&pair[0].watch);
    loop_watch_stop(&pair[1].watch);
    close(other);
    close(fds[0]);
    close(fds[1]);
}

/* ---- timers --------------------------------------------------------------------------------- */

static uint64_t fired_at;

static void note_time(void *arg)
{
    fired_at = clock_read_ms();
}

/* How long it took. */
static uint64_t fire_after(uint64_t ms)
{
    struct loop_timer t;
    loop_timer_init(&t, loop, note_time, NULL);
    uint64_t begun = clock_read_ms();
    loop_run_once(loop, false);
    loop_timer_start(&t, ms);
    assert_true(loop_timer_is_started(&t));
    fired_at = 0;
    while (fired_at == 0)
        loop_run_once(loop, true);
    assert_false(loop_timer_is_started(&t));
    assert_true(fired_at >= begun + ms);
    return fired_at - begun;
}

static void a_timer_is_never_early(void **state)
{
    for (uint64_t ms = 1; ms < 200; ms = ms * 2 + 1) {
        uint64_t late = UINT64_MAX;
        /* The machine may hold it up once. */
        for (int tries = 0; late > 60 && tries < 20; tries++)
            late = fire_after(ms) - ms;
        assert_in_range(late, 0, 60);
    }
}

static void timers_fire_in_order(void **state)
{
    static const unsigned ms[] = { 30, 10, 90, 20, 70, 1 };
    struct loop_timer t[ARRAY_LENGTH(ms)];
    char names[] = "edfbac";
    story[0] = '\0';
    for (unsigned i = 0; i < ARRAY_LENGTH(ms); i++) {
        loop_timer_init(&t[i], loop, tell_arg, &names[i]);
        loop_timer_start(&t[i], ms[i]);
    }
    loop_timer_stop(&t[3]);
    run_for(110);
    assert_string_equal(story, "cdeaf");
}

/* Again and again by 40 ms after 15; false: the machine held it up until it was due. */
static bool try_postpone(struct loop_timer *t)
{
    for (int i = 0; i < 10; i++) {
        uint64_t begun = loop_now_ms(loop);
        loop_timer_start(t, 40);
        uint64_t placed = t->placed_ms;
        run_for(15);
        if (clock_read_ms() - begun >= 39)
            return false;
        assert_true(i == 0 || t->placed_ms >= placed);
    }
    return true;
}

static void a_postponed_timer_only_fires_at_the_end(void **state)
{
    struct loop_timer t;
    char name = 'x';
    loop_timer_init(&t, loop, tell_arg, &name);
    for (int tries = 0; tries < 50; tries++) {
        story[0] = '\0';
        if (try_postpone(&t))
            break;
        loop_timer_stop(&t);
    }
    assert_string_equal(story, "");
    run_for(60);
    assert_string_equal(story, "x");
}

static void a_timer_can_be_brought_forward(void **state)
{
    struct loop_timer t;
    char name = 'x';
    story[0] = '\0';
    loop_timer_init(&t, loop, tell_arg, &name);
    loop_timer_start(&t, 100000000);
    loop_timer_start(&t, 5000);
    loop_timer_start(&t, 10);
    run_for(30);
    assert_string_equal(story, "x");
}

static struct loop_timer twins[2];

static void stop_twin(void *arg)
{
    tell('x');
    loop_timer_stop(&twins[0]);
    loop_timer_stop(&twins[1]);
}

static void a_timer_can_stop_one_that_is_due_too(void **state)
{
    story[0] = '\0';
    for (int i = 0; i < 2; i++) {
        loop_timer_init(&twins[i], loop, stop_twin, NULL);
        loop_timer_start(&twins[i], 5);
    }
    run_for(30);
    assert_string_equal(story, "x");
}

/* The wheel against the truth: a thousand timers, moved about, in simulated time. */
struct simulated {
    struct loop_timer timer;
    uint64_t due;
    uint64_t fired;
};

static void note_fired(void *arg)
{
    struct simulated *s = arg;
    assert_int_equal(s->fired, 0);
    s->fired = loop_now_ms(loop);
}

static uint64_t random_delay(void)
{
    static const uint64_t ranges[] = { 3, 70, 5000, 300000, 20000000, 2000000000 };
    return (uint64_t)rand() % ranges[(unsigned)rand() % ARRAY_LENGTH(ranges)];
}

void loop_wheel_advance(struct loop *loop);

static void advance_to(uint64_t ms)
{
    loop->clock.ns = ms * 1000000;
    loop_wheel_advance(loop);
}

static void the_wheel_is_right_about_any_distance(void **state)
{
    enum { COUNT = 1000 };
    static struct simulated all[COUNT];
    srand(7);
    uint64_t begun = loop_now_ms(loop);
    for (int i = 0; i < COUNT; i++) {
        all[i] = (struct simulated){ 0 };
        loop_timer_init(&all[i].timer, loop, note_fired, &all[i]);
    }
    uint64_t now = begun;
    unsigned open = 0;
    for (int step = 0; step < 20000; step++) {
        struct simulated *s = &all[rand() % COUNT];
        if (s->fired == 0) {
            uint64_t ms = random_delay();
            loop_timer_start(&s->timer, ms);
            s->due = now + ms + 1;
        }
        if (rand() % 50 == 0) {
            uint64_t next = loop->wake_at == UINT64_MAX ? now + 1 : loop->wake_at;
            now = rand() % 2 == 0 && next > now ? next : now + random_delay() / 1000 + 1;
            uint64_t from = loop_now_ms(loop);
            advance_to(now);
            for (int i = 0; i < COUNT; i++) {
                if (all[i].due > 0 && all[i].due <= now)
                    assert_true(all[i].fired != 0);
                else
                    assert_int_equal(all[i].fired, 0);
                assert_true(all[i].fired == 0 || all[i].fired >= all[i].due || from > now);
                if (all[i].fired != 0)
                    all[i] = (struct simulated){ .timer = all[i].timer };
                open += all[i].due != 0;
            }
        }
    }
    assert_true(open > 0);
    for (int i = 0; i < COUNT; i++)
        loop_timer_stop(&all[i].timer);
    for (int level = 0; level < LOOP_WHEEL_LEVELS; level++)
        assert_int_equal(loop->wheel_filled[level], 0);
}

/* ---- tasks, burials ------------------------------------------------------------------------- */

static struct loop_task later;

static void defer_later(void *arg)
{
    tell('a');
    loop_defer(loop, &later);
    loop_defer(loop, &later);
}

static void bury_me(void *arg)
{
    tell('b');
    loop_bury(loop, arg, tell_arg);
}

static void what_is_deferred_comes_before_what_is_buried(void **state)
{
    char name = 'c';
    struct loop_task first;
    struct loop_task second;
    story[0] = '\0';
    loop_task_init(&first, defer_later, NULL);
    loop_task_init(&second, bury_me, &name);
    char d = 'd';
    loop_task_init(&later, tell_arg, &d);
    loop_defer(loop, &second);
    loop_defer(loop, &first);
    assert_true(loop_task_is_deferred(&first));
    assert_string_equal(story, "");
    loop_run_once(loop, true);
    assert_string_equal(story, "badc");
}

static void cancel_later(void *arg)
{
    tell('a');
    loop_task_cancel(&later);
}

static void a_task_can_cancel_the_next(void **state)
{
    char d = 'd';
    struct loop_task first;
    story[0] = '\0';
    loop_task_init(&first, cancel_later, NULL);
    loop_task_init(&later, tell_arg, &d);
    loop_defer(loop, &first);
    loop_defer(loop, &later);
    loop_run_once(loop, true);
    assert_string_equal(story, "a");
    loop_task_cancel(&later);
}

static void defer_again(void *arg)
{
    tell('x');
    loop_defer(loop, arg);
}

static void a_task_that_repeats_does_not_stop_the_loop(void **state)
{
    struct loop_task t;
    story[0] = '\0';
    loop_task_init(&t, defer_again, &t);
    loop_defer(loop, &t);
    loop_run_once(loop, true);
    size_t per_turn = strlen(story);
    assert_in_range(per_turn, 1, 16);
    loop_run_once(loop, true);
    assert_int_equal(strlen(story), 2 * per_turn);
    loop_task_cancel(&t);
}

/* ---- slices --------------------------------------------------------------------------------- */

struct work {
    struct loop_slice slice;
    unsigned left;
    unsigned turns;
    uint64_t last;
};

static bool work_a_little(void *arg)
{
    struct work *w = arg;
    if (w->last != loop_now_ns(loop))
        w->turns++;
    w->last = loop_now_ns(loop);
    for (uint64_t until = clock_read_ns() + 100000; clock_read_ns() < until;)
        continue;
    return --w->left > 0;
}

static void long_work_is_cut_into_turns(void **state)
{
    struct work w = { .left = 100 };
    loop_slice_init(&w.slice, loop, work_a_little, &w);
    loop_slice_start(&w.slice);
    while (loop_slice_is_started(&w.slice))
        loop_run_once(loop, true);
    assert_int_equal(w.left, 0);
    assert_true(w.turns >= 5);
}

struct chain {
    struct loop_slice first;
    struct loop_slice second;
    unsigned firsts;
    unsigned seconds;
};

static bool begin_second(void *arg)
{
    struct chain *c = arg;
    c->firsts++;
    loop_slice_start(&c->second);
    return false;
}

static bool do_second(void *arg)
{
    struct chain *c = arg;
    return ++c->seconds < 3;
}

static void a_step_that_begins_another_slice_ends_its_own(void **state)
{
    struct chain c = { .firsts = 0 };
    loop_slice_init(&c.first, loop, begin_second, &c);
    loop_slice_init(&c.second, loop, do_second, &c);
    loop_slice_start(&c.first);
    loop_run_once(loop, false);
    assert_int_equal(c.firsts, 1);
    assert_int_equal(c.seconds, 3);
    assert_false(loop_slice_is_started(&c.first) || loop_slice_is_started(&c.second));
}

static bool go_on_once(void *arg)
{
    struct chain *c = arg;
    if (++c->firsts == 1)
        loop_slice_start(&c->first);
    return false;
}

static bool end_itself(void *arg)
{
    struct chain *c = arg;
    c->seconds++;
    assert_true(loop_slice_is_started(&c->second));
    loop_slice_stop(&c->second);
    assert_false(loop_slice_is_started(&c->second));
    return true;
}

static void a_step_may_start_and_stop_its_own_slice(void **state)
{
    struct chain c = { .firsts = 0 };
    loop_slice_init(&c.first, loop, go_on_once, &c);
    loop_slice_init(&c.second, loop, end_itself, &c);
    loop_slice_start(&c.first);
    loop_slice_start(&c.second);
    loop_run_once(loop, false);
    assert_int_equal(c.firsts, 2);
    assert_int_equal(c.seconds, 1);
}

/* ---- turns ---------------------------------------------------------------------------------- */

static uint64_t seen_awake;

static void look_awake(void *arg)
{
    seen_awake = loop_turns(loop);
    assert_false(loop_has_passed(loop, seen_awake));
}

static void a_sleeping_loop_has_passed(void **state)
{
    struct loop_task t;
    uint64_t asleep = loop_turns(loop);
    assert_true(loop_has_passed(loop, asleep));
    loop_task_init(&t, look_awake, NULL);
    loop_defer(loop, &t);
    loop_run_once(loop, true);
    assert_true(seen_awake % 2 == 1);
    assert_true(loop_has_passed(loop, seen_awake));
}

static void signals_arrive_in_the_loop(void **state)
{
    struct loop_signal s;
    char name = 's';
    story[0] = '\0';
    loop_signal_start(&s, loop, SIGUSR1, tell_arg, &name);
    assert_int_equal(raise(SIGUSR1), 0);
    loop_run_once(loop, true);
    assert_string_equal(story, "s");
    loop_signal_stop(&s);
    loop_signal_stop(&s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_loop, drop_loop)
    const struct CMUnitTest tests[] = {
        TEST(a_watch_stays_registered),
        TEST(a_turn_has_one_time),
        TEST(a_stopped_watch_is_not_called_even_if_ready),
        TEST(a_timer_is_never_early),
        TEST(timers_fire_in_order),
        TEST(a_postponed_timer_only_fires_at_the_end),
        TEST(a_timer_can_be_brought_forward),
        TEST(a_timer_can_stop_one_that_is_due_too),
        TEST(the_wheel_is_right_about_any_distance),
        TEST(what_is_deferred_comes_before_what_is_buried),
        TEST(a_task_can_cancel_the_next),
        TEST(a_task_that_repeats_does_not_stop_the_loop),
        TEST(long_work_is_cut_into_turns),
        TEST(a_step_that_begins_another_slice_ends_its_own),
        TEST(a_step_may_start_and_stop_its_own_slice),
        TEST(a_sleeping_loop_has_passed),
        TEST(signals_arrive_in_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
