/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/redis_backoff.h"

#include <stdbool.h>

#include "tests/unit/gatewayd/cmocka_all.h"

static void it_doubles_up_to_its_ceiling_with_jitter(void **state)
{
    struct redis_backoff b;
    redis_backoff_init(&b, 10, 100);
    static const uint64_t steps[] = { 10, 20, 40, 80, 100, 100, 100 };
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        assert_in_range(redis_backoff_next(&b), steps[i] / 2, steps[i]);
    redis_backoff_reset(&b);
    assert_in_range(redis_backoff_next(&b), 5, 10);
}

static void nodes_do_not_come_back_as_one(void **state)
{
    struct redis_backoff b;
    uint64_t first = 0;
    bool is_other = false;
    redis_backoff_init(&b, 1000, 1000);
    for (int i = 0; i < 100 && !is_other; i++) {
        uint64_t wait = redis_backoff_next(&b);
        is_other = first != 0 && wait != first;
        first = wait;
    }
    assert_true(is_other);
}

static void it_never_waits_for_nothing(void **state)
{
    struct redis_backoff b;
    redis_backoff_init(&b, 1, 1);
    for (int i = 0; i < 20; i++)
        assert_int_equal(redis_backoff_next(&b), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_doubles_up_to_its_ceiling_with_jitter),
        cmocka_unit_test(nodes_do_not_come_back_as_one),
        cmocka_unit_test(it_never_waits_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
