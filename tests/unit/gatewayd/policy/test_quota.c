/* SPDX-License-Identifier: Apache-2.0 */
/* test_quota.c - calendar windows, compared with the C library's calendar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#include "gatewayd/policy/quota.h"

static struct quota_window slowly(enum limit_period period, int64_t now)
{
    time_t seconds = now / 1000;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    tm.tm_sec = 0;
    tm.tm_min = 0;
    if (period != LIMIT_HOUR)
        tm.tm_hour = 0;
    if (period == LIMIT_WEEK)
        tm.tm_mday -= (tm.tm_wday + 6) % 7;
    if (period == LIMIT_MONTH)
        tm.tm_mday = 1;
    struct tm end = tm;
    end.tm_hour += period == LIMIT_HOUR;
    end.tm_mday += period == LIMIT_DAY ? 1 : period == LIMIT_WEEK ? 7 : 0;
    end.tm_mon += period == LIMIT_MONTH;
    return (struct quota_window){ timegm(&tm) * 1000, timegm(&end) * 1000 };
}

static void windows_are_those_of_the_calendar(void **state)
{
    uint64_t random = 88172645463325252u;
    for (int i = 0; i < 200000; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        int64_t now = (int64_t)(random % 8000000000000) + 400000000000; /* to 2236 */
        for (int p = LIMIT_HOUR; p <= LIMIT_MONTH; p++) {
            struct quota_window expected = slowly((enum limit_period)p, now);
            struct quota_window got = quota_window((enum limit_period)p, now);
            assert_int_equal(got.start, expected.start);
            assert_int_equal(got.end, expected.end);
        }
    }
}

static void a_week_begins_on_monday_and_february_ends(void **state)
{
    /* 2024-02-29T12:00:00Z, a Thursday. */
    struct quota_window w = quota_window(LIMIT_WEEK, 1709208000000);
    assert_int_equal(w.start, 1708905600000); /* Monday the 26th */
    assert_int_equal(w.end, 1709510400000);
    w = quota_window(LIMIT_MONTH, 1709208000000);
    assert_int_equal(w.start, 1706745600000);
    assert_int_equal(w.end, 1709251200000);
    /* The last millisecond, and the first. */
    assert_int_equal(quota_window(LIMIT_MONTH, 1709251199999).end, 1709251200000);
    assert_int_equal(quota_window(LIMIT_MONTH, 1709251200000).start, 1709251200000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_those_of_the_calendar),
        cmocka_unit_test(a_week_begins_on_monday_and_february_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
