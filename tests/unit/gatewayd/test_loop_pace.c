/* SPDX-License-Identifier: Apache-2.0 */
/* test_loop_pace.c - turns are counted, and those that keep the processor too long told apart. */
#include "tests/unit/gatewayd/cmocka_all.h"

#include <unistd.h>

#include "gatewayd/core/loop.h"
#include "gatewayd/core/metrics.h"

static struct loop *loop;

static int make_loop(void **state)
{
    metrics_start(1);
    loop = loop_new("test");
    loop_measure(loop, LOOP_WORKER);
    return 0;
}

static int drop_loop(void **state)
{
    loop_free(&loop);
    metrics_stop();
    return 0;
}

static uint64_t turns_over_10ms(void)
{
    const uint64_t bounds[] = METRICS_BOUNDS;
    uint64_t sum = 0;
    for (unsigned i = 0; i <= METRICS_BOUND_COUNT; i++)
        if (i == METRICS_BOUND_COUNT || bounds[i] > 10000)
            sum += metrics_sum_at(metrics_node(), METRIC_WORKER_TURNS, i);
    return sum;
}

static void work(void *arg)
{
    uint64_t end = clock_read_cpu_ns() + (uint64_t)30 * 1000 * 1000;
    while (clock_read_cpu_ns() < end)
        ;
}

static void doze(void *arg)
{
    usleep(30 * 1000);
}

static void run(loop_fn *fn)
{
    struct loop_task t;
    loop_task_init(&t, fn, NULL);
    loop_defer(loop, &t);
    loop_run_once(loop, true);
}

static void long_work_is_a_stall(void **state)
{
    run(work);
    assert_int_equal(metrics_sum(metrics_node(), METRIC_WORKER_STALLS), 1);
    assert_int_equal(turns_over_10ms(), 1);
    assert_int_equal(metrics_sum(metrics_node(), METRIC_CONTROL_STALLS), 0);
}

static void a_thread_that_others_keep_waiting_is_not_to_blame(void **state)
{
    run(doze);
    assert_int_equal(turns_over_10ms(), 1);
    assert_int_equal(metrics_sum(metrics_node(), METRIC_WORKER_STALLS), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_loop, drop_loop)
    const struct CMUnitTest tests[] = {
        TEST(long_work_is_a_stall),
        TEST(a_thread_that_others_keep_waiting_is_not_to_blame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
