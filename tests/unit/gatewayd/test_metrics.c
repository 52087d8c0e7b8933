/* SPDX-License-Identifier: Apache-2.0 */
/* test_metrics.c - what threads count adds up, and is printed as Prometheus reads it. */
#include "tests/unit/gatewayd/cmocka_all.h"

#include <pthread.h>
#include <stdio.h>

#include "conf/base/builder.h"
#include "gatewayd/core/metrics.h"
#include "tests/unit/expect_abort.h"

enum { THREADS = 4, TIMES = 100000 };

static int start(void **state)
{
    metrics_start(THREADS);
    return 0;
}

static int stop(void **state)
{
    metrics_use_slot(0);
    metrics_stop();
    return 0;
}

static struct metrics_block *block_of(const char *route)
{
    struct text values[] = { text_of(route) };
    return metrics_block_new(METRICS_ROUTE, values);
}

static void *count_many(void *arg)
{
    metrics_use_slot((unsigned)(uintptr_t)arg);
    for (int i = 0; i < TIMES; i++) {
        metrics_add(metrics_node(), METRIC_REQUESTS, 1);
        metrics_add(metrics_node(), METRIC_CONNECTIONS, 1);
        metrics_sub(metrics_node(), METRIC_CONNECTIONS, 1);
    }
    return NULL;
}

static void run_threads(uintptr_t first_slot, uintptr_t step)
{
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, count_many, (void *)(first_slot + i * step)), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void threads_with_slots_add_up(void **state)
{
    run_threads(1, 1);
    assert_int_equal(metrics_sum(metrics_node(), METRIC_REQUESTS), THREADS * TIMES);
    assert_int_equal(metrics_sum(metrics_node(), METRIC_CONNECTIONS), 0);
}

static void threads_without_a_slot_share_one(void **state)
{
    run_threads(0, 0);
    assert_int_equal(metrics_sum(metrics_node(), METRIC_REQUESTS), THREADS * TIMES);
}

static void the_same_labels_are_the_same_block(void **state)
{
    struct metrics_block *a = block_of("orders");
    metrics_add(a, METRIC_ROUTE_LIMITED, 2);
    struct metrics_block *b = block_of("orders");
    assert_ptr_equal(a, b);
    metrics_block_unref(&a);
    assert_null(a);
    assert_int_equal(metrics_sum(b, METRIC_ROUTE_LIMITED), 2);
    metrics_block_unref(&b);
    b = block_of("orders");
    assert_int_equal(metrics_sum(b, METRIC_ROUTE_LIMITED), 0);
    metrics_block_unref(&b);
}

static void past_the_ceiling_all_are_other(void **state)
{
    enum { COUNT = 2100 };
    static struct metrics_block *blocks[COUNT];
    char name[32];
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof(name), "route-%d", i);
        blocks[i] = block_of(name);
    }
    assert_ptr_not_equal(blocks[0], blocks[1]);
    assert_ptr_equal(blocks[COUNT - 1], blocks[COUNT - 2]);
    assert_string_equal(blocks[COUNT - 1]->labels, "route=\"_other\"");
    for (int i = 0; i < COUNT; i++)
        metrics_block_unref(&blocks[i]);
}

static void a_metric_of_another_scope_is_a_bug(void **state)
{
    EXPECT_ABORT(metrics_add(metrics_node(), METRIC_ROUTE_LIMITED, 1));
}

/* ---- printing ------------------------------------------------------------------------------- */

static struct builder page;

static const char *print_page(void)
{
    builder_clear(&page);
    metrics_print(&page);
    builder_add_byte(&page, '\0');
    assert_false(builder_is_full(&page));
    return builder_text(&page).at;
}

static void assert_line(const char *all, const char *line)
{
    const char *found = strstr(all, line);
    if (found == NULL || (found != all && found[-1] != '\n'))
        fail_msg("no line %s", line);
}

static void print_uptime(struct builder *b, void *arg)
{
    metrics_print_head(b, "gatewayd_uptime_seconds", "gauge", "Since the start.");
    metrics_print_double(b, "gatewayd_uptime_seconds", "", 1.5);
}

static void a_page_is_what_prometheus_reads(void **state)
{
    static const char *const failures[] = { "upstream_timeout", NULL, "no_route" };
    metrics_use_slot(1);
    metrics_name_vector(METRIC_FAILURES, failures, 3);
    metrics_add_source(print_uptime, NULL);
    metrics_add_at(metrics_node(), METRIC_FAILURES, 2);
    metrics_add(metrics_node(), METRIC_REQUESTS, 7);
    metrics_sub(metrics_node(), METRIC_CONNECTIONS, 1);
    struct metrics_block *a = block_of("a\"b\\c\n");
    metrics_observe(a, METRIC_ROUTE_DURATION, 100);
    metrics_observe(a, METRIC_ROUTE_DURATION, 101);
    metrics_observe(a, METRIC_ROUTE_DURATION, 60000000);
    metrics_add(a, METRIC_ROUTE_RESPONSES_2XX, 3);

    const char *all = print_page();
    assert_line(all, "# HELP gatewayd_requests_total Requests received.\n"
                     "# TYPE gatewayd_requests_total counter\n"
                     "gatewayd_requests_total 7\n");
    assert_line(all, "gatewayd_connections -1\n");
    assert_line(all, "gatewayd_failures_total{failure=\"upstream_timeout\"} 0\n"
                     "gatewayd_failures_total{failure=\"no_route\"} 1\n");
    assert_line(all, "gatewayd_route_responses_total{route=\"a\\\"b\\\\c\\n\",class=\"2xx\"} 3\n");
    assert_line(
        all, "# TYPE gatewayd_route_duration_seconds histogram\n"
             "gatewayd_route_duration_seconds_bucket{route=\"a\\\"b\\\\c\\n\",le=\"0.0001\"} 1\n"
             "gatewayd_route_duration_seconds_bucket{route=\"a\\\"b\\\\c\\n\",le=\"0.00025\"} 2\n");
    assert_line(all,
                "gatewayd_route_duration_seconds_bucket{route=\"a\\\"b\\\\c\\n\",le=\"30\"} 2\n"
                "gatewayd_route_duration_seconds_bucket{route=\"a\\\"b\\\\c\\n\",le=\"+Inf\"} 3\n"
                "gatewayd_route_duration_seconds_sum{route=\"a\\\"b\\\\c\\n\"} 60.000201\n"
                "gatewayd_route_duration_seconds_count{route=\"a\\\"b\\\\c\\n\"} 3\n");
    assert_line(all, "gatewayd_uptime_seconds 1.5\n");
    metrics_block_unref(&a);
}

/* Every name has HELP and TYPE exactly once, before its samples. */
static void each_family_stands_together(void **state)
{
    struct metrics_block *a = block_of("a");
    struct metrics_block *b = block_of("b");
    const char *all = print_page();
    char seen[65536] = "";
    for (const char *at = strstr(all, "# TYPE "); at != NULL; at = strstr(at + 1, "# TYPE ")) {
        char name[256];
        size_t length = strcspn(at + 7, " ");
        assert_true(length < sizeof(name) - 3);
        snprintf(name, sizeof(name), " %.*s ", (int)length, at + 7);
        assert_null(strstr(seen, name));
        strncat(seen, name, sizeof(seen) - strlen(seen) - 1);
    }
    metrics_block_unref(&a);
    metrics_block_unref(&b);
}

static int make_page(void **state)
{
    builder_init(&page, 1 << 24);
    return 0;
}

static int drop_page(void **state)
{
    builder_fini(&page);
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(threads_with_slots_add_up),          TEST(threads_without_a_slot_share_one),
        TEST(the_same_labels_are_the_same_block), TEST(past_the_ceiling_all_are_other),
        TEST(a_metric_of_another_scope_is_a_bug), TEST(a_page_is_what_prometheus_reads),
        TEST(each_family_stands_together),
    };
    return cmocka_run_group_tests(tests, make_page, drop_page);
}
