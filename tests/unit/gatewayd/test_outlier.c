/* SPDX-License-Identifier: Apache-2.0 */
/* test_outlier.c - failing targets are put out, for a while, and never too many of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gatewayd/route/outlier.h"
#include "tests/unit/gatewayd/fleet_fixture.h"

#define A   "10.0.0.1:80"
#define B   "10.0.0.2:80"
#define TWO "'targets':[{'address':'10.0.0.1:80'},{'address':'10.0.0.2:80'}]"

static const char *upstream(const char *outlier)
{
    static char json[1000];

    snprintf(json, sizeof(json), "{'name':'u','outlier':%s," TWO "}", outlier);
    return json;
}

static bool fails(struct fleet_fixture *f, const char *address)
{
    return outlier_on_failure(f->fleet, fleet_fixture_target(f, address), f->now);
}

static void the_last_of_so_many_failures_ejects(void **state)
{
    struct fleet_fixture f;

    fleet_fixture_init(&f, upstream("{'failures':3,'window':'10s','eject_for':'5s'}"));
    assert_false(fails(&f, A));
    f.now += 4000;
    assert_false(fails(&f, A));
    assert_false(fails(&f, B));
    f.now += 4000;
    assert_true(fails(&f, A));
    assert_int_equal(outlier_count(f.fleet, f.now), 1);
    assert_string_equal(fleet_fixture_pick(&f), B);
    assert_false(fails(&f, A)); /* those still under way */
    f.now += 5000;
    assert_int_equal(outlier_count(f.fleet, f.now), 0);
    assert_false(fails(&f, A)); /* it begins again from nothing */
    assert_int_equal(fleet_fixture_target(&f, A)->ejections, 1);
    assert_int_equal(fleet_fixture_target(&f, A)->failures, 5);
    fleet_fixture_fini(&f);
}

static void failures_far_apart_do_not_count_together(void **state)
{
    struct fleet_fixture f;

    fleet_fixture_init(&f, upstream("{'failures':3,'window':'10s'}"));
    for (unsigned i = 0; i < 50; i++) {
        assert_false(fails(&f, A));
        f.now += 5001;
    }
    fleet_fixture_fini(&f);
}

static void a_burst_over_the_edge_of_no_window_is_missed(void **state)
{
    for (unsigned offset = 0; offset < 20; offset++) {
        struct fleet_fixture f;
        bool is_ejected = false;

        fleet_fixture_init(&f, upstream("{'failures':5,'window':'1s'}"));
        f.now += offset * 53;
        assert_false(fails(&f, A));
        f.now += 1100;
        for (unsigned i = 0; i < 5; i++) {
            is_ejected = fails(&f, A);
            f.now += 200;
        }
        assert_true(is_ejected);
        fleet_fixture_fini(&f);
    }
}

static void a_single_failure_can_be_enough(void **state)
{
    struct fleet_fixture f;

    fleet_fixture_init(&f, upstream("{'failures':1}"));
    assert_true(fails(&f, A));
    fleet_fixture_fini(&f);
}

static void more_failures_than_are_kept_are_counted_in_steps(void **state)
{
    struct fleet_fixture f;
    unsigned failures = 1;

    fleet_fixture_init(&f, upstream("{'failures':1000,'window':'1m'}"));
    while (!fails(&f, A))
        failures++;
    assert_in_range(failures, 950, 1050);
    fleet_fixture_fini(&f);
}

static void no_more_than_max_ejected_are_out(void **state)
{
    struct fleet_fixture f;

    fleet_fixture_init(&f, upstream("{'failures':1,'max_ejected':50}"));
    assert_true(fails(&f, A));
    assert_false(fails(&f, B));
    assert_string_equal(fleet_fixture_pick(&f), B);
    fleet_fixture_change(&f, upstream("{'failures':1,'max_ejected':49}"));
    f.now += 100000;
    assert_false(fails(&f, A));
    fleet_fixture_change(&f, upstream("{'failures':1,'max_ejected':100}"));
    assert_true(fails(&f, A));
    assert_true(fails(&f, B));
    assert_string_equal(fleet_fixture_pick(&f), "down");
    fleet_fixture_fini(&f);
}

static void without_outlier_failures_are_only_counted(void **state)
{
    struct fleet_fixture f;

    fleet_fixture_init(&f, "{'name':'u'," TWO "}");
    for (unsigned i = 0; i < 100; i++)
        assert_false(fails(&f, A));
    assert_int_equal(fleet_fixture_target(&f, A)->failures, 100);
    fleet_fixture_fini(&f);
}

static void an_ejection_survives_a_change_of_configuration(void **state)
{
    struct fleet_fixture f;

    fleet_fixture_init(&f, upstream("{'failures':1}"));
    assert_true(fails(&f, A));
    fleet_fixture_change(&f, upstream("{'failures':2}"));
    assert_int_equal(outlier_count(f.fleet, f.now), 1);
    fleet_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_of_so_many_failures_ejects),
        cmocka_unit_test(failures_far_apart_do_not_count_together),
        cmocka_unit_test(a_burst_over_the_edge_of_no_window_is_missed),
        cmocka_unit_test(a_single_failure_can_be_enough),
        cmocka_unit_test(more_failures_than_are_kept_are_counted_in_steps),
        cmocka_unit_test(no_more_than_max_ejected_are_out),
        cmocka_unit_test(without_outlier_failures_are_only_counted),
        cmocka_unit_test(an_ejection_survives_a_change_of_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
