/* SPDX-License-Identifier: Apache-2.0 */
/* test_clock.c - time stands still within a turn, and dates are printed as RFC 9110 wants them. */
#include "tests/unit/gatewayd/cmocka_all.h"

#include <time.h>

#include "gatewayd/core/clock.h"

static void time_moves_only_when_read(void **state)
{
    struct clock c;
    clock_init(&c);
    uint64_t before = clock_ns(&c);
    assert_int_equal(clock_us(&c), before / 1000);
    assert_int_equal(clock_ms(&c), before / 1000000);
    nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    assert_int_equal(clock_ns(&c), before);
    clock_update(&c);
    assert_true(clock_ns(&c) >= before + 2000000);
    assert_true(clock_read_ns() >= clock_ns(&c));
}

static void dates_are_imf_fixdates(void **state)
{
    char date[CLOCK_DATE_LENGTH + 1];
    clock_print_date(784111777, date);
    assert_string_equal(date, "Sun, 06 Nov 1994 08:49:37 GMT");
    clock_print_date(0, date);
    assert_string_equal(date, "Thu, 01 Jan 1970 00:00:00 GMT");
    clock_print_date(1709164799 + 1, date);
    assert_string_equal(date, "Thu, 29 Feb 2024 00:00:00 GMT");
}

static void the_date_follows_the_second(void **state)
{
    struct clock c;
    clock_init(&c);
    c.wall_ms = 784111777000;
    assert_string_equal(clock_date(&c).at, "Sun, 06 Nov 1994 08:49:37 GMT");
    c.wall_ms += 999;
    assert_string_equal(clock_date(&c).at, "Sun, 06 Nov 1994 08:49:37 GMT");
    c.wall_ms += 1;
    struct text date = clock_date(&c);
    assert_string_equal(date.at, "Sun, 06 Nov 1994 08:49:38 GMT");
    assert_int_equal(date.length, CLOCK_DATE_LENGTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_moves_only_when_read),
        cmocka_unit_test(dates_are_imf_fixdates),
        cmocka_unit_test(the_date_follows_the_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
