/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/redis_clock.h"

#include "tests/unit/gatewayd/cmocka_all.h"

#define SECOND 1000000
#define SERVER ((int64_t)1700000000 * SECOND)

static void nothing_is_known_at_first(void **state)
{
    struct redis_clock c = { 0 };
    assert_int_equal(redis_clock_read(&c, 5 * SECOND), 0);
}

static void it_goes_on_with_our_clock(void **state)
{
    struct redis_clock c = { 0 };
    redis_clock_note(&c, SERVER, 1000, 1200);
    assert_int_equal(redis_clock_read(&c, 1200), SERVER + 100);
    assert_int_equal(redis_clock_read(&c, 1200 + SECOND), SERVER + 100 + SECOND);
}

static void a_slow_answer_does_not_spoil_a_good_reading(void **state)
{
    struct redis_clock c = { 0 };
    redis_clock_note(&c, SERVER, 1000, 1200);
    /* Asked a second later, answered at once, but the answer took 800 ms to come. */
    redis_clock_note(&c, SERVER + SECOND, 1200 + SECOND, 1200 + SECOND + 800000);
    assert_int_equal(redis_clock_read(&c, 1200 + 2 * SECOND), SERVER + 100 + 2 * SECOND);
    /* In an hour the clocks may have parted by more than that. */
    redis_clock_note(&c, SERVER + 3600ll * SECOND, 3600ull * SECOND, 3600ull * SECOND + 400000);
    assert_int_equal(redis_clock_read(&c, 3600ull * SECOND + 400000),
                     SERVER + 3600ll * SECOND + 200000);
}

static void a_step_of_the_servers_clock_is_taken_over(void **state)
{
    struct redis_clock c = { 0 };
    redis_clock_note(&c, SERVER, 1000, 1200);
    redis_clock_note(&c, SERVER - 60ll * SECOND, 2000, 102000);
    assert_int_equal(redis_clock_read(&c, 102000), SERVER - 60ll * SECOND + 50000);
    redis_clock_note(&c, SERVER + 60ll * SECOND, 200000, 300000);
    assert_int_equal(redis_clock_read(&c, 300000), SERVER + 60ll * SECOND + 50000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_at_first),
        cmocka_unit_test(it_goes_on_with_our_clock),
        cmocka_unit_test(a_slow_answer_does_not_spoil_a_good_reading),
        cmocka_unit_test(a_step_of_the_servers_clock_is_taken_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
