/* SPDX-License-Identifier: Apache-2.0 */
/* Two readings of /metrics, and what went through in between. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/ctl/traffic.h"
#include "conf/base/must.h"

static bool is_near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * (1 + fabs(b));
}

static void test_numbers(void **state)
{
    static const struct {
        const char *text;
        double value;
    } rows[] = { { "0", 0 },           { "12", 12 },
                 { "-3.5", -3.5 },     { "0.000123", 0.000123 },
                 { "1e-05", 0.00001 }, { "2.5E+3", 2500 },
                 { ".5", 0.5 },        { "1e3", 1000 } };
    static const char *const bad[] = { "", "-", ".", "+Inf", "NaN", "1e", "1x", "1e999", "1.2.3" };
    double value = 7;

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        assert_true(samples_parse_number(text_of(rows[i].text), &value));
        assert_true(is_near(value, rows[i].value));
    }
    value = 7;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(samples_parse_number(text_of(bad[i]), &value));
    assert_true(is_near(value, 7));
}

static void test_samples(void **state)
{
    struct samples s;
    struct text value;

    samples_parse(TEXT_OF("# HELP x y\n"
                          "plain 5\n"
                          "with{a=\"1\",b=\"br{a}ce, \\\"q\\\"\"} 2.5 1700000000\n"
                          "broken\n"
                          "infinite +Inf\n"
                          "\n"),
                  &s);
    assert_int_equal(s.count, 2);
    assert_true(text_equals(s.items[0].name, TEXT_OF("plain")));
    assert_true(is_near(s.items[0].value, 5));
    assert_true(is_near(s.items[1].value, 2.5));
    assert_true(samples_find_label(s.items[1].labels, "a", &value));
    assert_true(text_equals(value, TEXT_OF("1")));
    assert_true(samples_find_label(s.items[1].labels, "b", &value));
    assert_true(text_equals(value, TEXT_OF("br{a}ce, \\\"q\\\"")));
    assert_false(samples_find_label(s.items[1].labels, "c", &value));
    assert_true(is_near(samples_find(&s, &s.items[1]), 2.5));
    samples_fini(&s);
}

/* Labels that are cut short: nothing behind them is read. */
static void test_broken_labels(void **state)
{
    static const char *const rows[] = { "a", "a=", "a=\"", "a=\"x\\", "a=\"x\",", "=", ",,," };
    struct text value;

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        (void)!samples_find_label(text_of(rows[i]), "b", &value);
}

static const char before[] =
    "gatewayd_connections 3\n"
    "gatewayd_responses_total{class=\"2xx\"} 100\n"
    "gatewayd_route_responses_total{route=\"a\",class=\"2xx\"} 100\n"
    "gatewayd_route_responses_total{route=\"b\",class=\"5xx\"} 50\n"
    "gatewayd_route_duration_seconds_bucket{route=\"a\",le=\"0.001\"} 10\n"
    "gatewayd_route_duration_seconds_bucket{route=\"a\",le=\"0.01\"} 100\n"
    "gatewayd_route_duration_seconds_bucket{route=\"a\",le=\"+Inf\"} 100\n";

static const char after[] = "gatewayd_connections 4\n"
                            "gatewayd_responses_total{class=\"2xx\"} 110\n"
                            "gatewayd_responses_total{class=\"4xx\"} 20\n"
                            "gatewayd_route_responses_total{route=\"a\",class=\"2xx\"} 110\n"
                            "gatewayd_route_responses_total{route=\"b\",class=\"5xx\"} 5\n"
                            "gatewayd_route_responses_total{route=\"c\",class=\"4xx\"} 20\n"
                            "gatewayd_route_limited_total{route=\"c\"} 20\n"
                            "gatewayd_route_duration_seconds_bucket{route=\"a\",le=\"0.001\"} 15\n"
                            "gatewayd_route_duration_seconds_bucket{route=\"a\",le=\"0.01\"} 110\n"
                            "gatewayd_route_duration_seconds_bucket{route=\"a\",le=\"+Inf\"} 110\n";

static void test_what_went_through_in_between(void **state)
{
    struct samples first;
    struct samples second;
    struct traffic t;

    samples_parse(text_of(before), &first);
    samples_parse(text_of(after), &second);
    traffic_init(&t, &first, &second);
    assert_true(is_near(t.connections, 4));
    assert_true(is_near(traffic_responses(&t.node), 30));
    /* The busiest first. */
    assert_int_equal(t.count, 3);
    assert_true(text_equals(t.routes[0].route, TEXT_OF("c")));
    assert_true(is_near(t.routes[0].limited, 20));
    assert_true(text_equals(t.routes[1].route, TEXT_OF("a")));
    assert_true(is_near(t.routes[1].responses[1], 10));
    /* Five within 1 ms, five more within 10. */
    assert_true(is_near(traffic_quantile(&t.routes[1], 0.5), 0.001));
    assert_true(is_near(traffic_quantile(&t.routes[1], 0.75), 0.0055));
    assert_true(is_near(traffic_quantile(&t.routes[1], 1), 0.01));
    assert_true(traffic_quantile(&t.routes[0], 0.5) < 0);
    /* A counter that went down was begun anew. */
    assert_true(text_equals(t.routes[2].route, TEXT_OF("b")));
    assert_true(is_near(t.routes[2].responses[4], 5));
    traffic_fini(&t);
    samples_fini(&first);
    samples_fini(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_broken_labels),
        cmocka_unit_test(test_what_went_through_in_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
