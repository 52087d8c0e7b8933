/* SPDX-License-Identifier: Apache-2.0 */
/* test_date.c - dates as HTTP writes them, against the C library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <time.h>

#include "gatewayd/http/date.h"

static void expect_as_library(int64_t seconds)
{
    char into[DATE_SIZE], expected[64];
    time_t when = (time_t)seconds;
    struct tm tm;
    gmtime_r(&when, &tm);
    strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    struct text got = date_print(seconds, into);
    if (!text_equals(got, text_of(expected)))
        fail_msg("%lld: %.*s, not %s", (long long)seconds, TEXT_ARGS(got), expected);
}

static void the_example_of_the_standard(void **state)
{
    char into[DATE_SIZE];
    assert_true(text_equals(date_print(784111777, into), TEXT_OF("Sun, 06 Nov 1994 08:49:37 GMT")));
}

static void every_day_until_2200_and_the_ends(void **state)
{
    expect_as_library(0);
    expect_as_library(INT64_C(253402300799));
    for (int64_t day = 0; day < 230 * 366; day++)
        expect_as_library(day * 86400 + (day * 7919) % 86400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_standard),
        cmocka_unit_test(every_day_until_2200_and_the_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
