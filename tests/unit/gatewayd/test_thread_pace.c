/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "gatewayd/core/thread_pace.h"

static _Atomic pid_t tid;
static _Atomic bool is_over;

static void *sleep_and_wait(void *arg)
{
    int *pipes = arg;
    char byte;

    tid = gettid();
    (void)!read(pipes[0], &byte, 1);
    return NULL;
}

static void a_thread_that_sleeps_does_not_wait_for_the_processor(void **state)
{
    struct thread_pace pace = { .is_runnable = true };
    pthread_t thread;
    int pipes[2];

    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(pthread_create(&thread, NULL, sleep_and_wait, pipes), 0);
    for (int i = 0; i < 5000 && (tid == 0 || pace.is_runnable || !pace.is_known); i++) {
        usleep(1000);
        pace = thread_pace_get(tid);
    }
    assert_true(pace.is_known);
    assert_false(pace.is_runnable);
    struct thread_pace later = thread_pace_get(tid);
    assert_false(thread_pace_is_starved(&pace, &later, 300));
    assert_int_equal(write(pipes[1], "x", 1), 1);
    pthread_join(thread, NULL);
    close(pipes[0]);
    close(pipes[1]);
}

static void *turn(void *arg)
{
    (void)arg;
    tid = gettid();
    while (!is_over)
        continue;
    return NULL;
}

static void a_thread_that_runs_is_seen_running(void **state)
{
    struct thread_pace before = { 0 };
    struct thread_pace after;
    pthread_t thread;

    tid = 0;
    assert_int_equal(pthread_create(&thread, NULL, turn, NULL), 0);
    for (int i = 0; i < 5000 && !before.is_known; i++) {
        usleep(1000);
        before = thread_pace_get(tid);
    }
    after = before;
    for (int i = 0; i < 30000 && after.run_ns < before.run_ns + 20000000; i++) {
        usleep(1000);
        after = thread_pace_get(tid);
    }
    is_over = true;
    pthread_join(thread, NULL);
    assert_true(after.is_runnable);
    assert_true(after.run_ns >= before.run_ns + 20000000);
    assert_false(thread_pace_is_starved(&before, &after, 40));
    assert_true(thread_pace_is_starved(&before, &after, 1000000));
}

static void of_nobody_nothing_is_known(void **state)
{
    struct thread_pace before = { .run_ns = 1, .is_known = true, .is_runnable = true };
    struct thread_pace nobody = thread_pace_get(0);

    assert_false(nobody.is_known);
    assert_false(thread_pace_is_starved(&before, &nobody, 300));
    assert_false(thread_pace_is_starved(&nobody, &before, 300));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_that_sleeps_does_not_wait_for_the_processor),
        cmocka_unit_test(a_thread_that_runs_is_seen_running),
        cmocka_unit_test(of_nobody_nothing_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
