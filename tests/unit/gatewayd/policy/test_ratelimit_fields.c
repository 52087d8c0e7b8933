/* SPDX-License-Identifier: Apache-2.0 */
/* test_ratelimit_fields.c - limits as clients read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "gatewayd/policy/ratelimit_fields.h"

static void no_limit_says_nothing(void **state)
{
    struct limiter_result none = { 0 };
    struct ratelimit_fields fields;
    struct arena arena;
    arena_init(&arena, 4096);
    assert_true(ratelimit_fields_print(&none, &arena, &fields));
    assert_int_equal(fields.policy.length + fields.limit.length + fields.retry_after.length, 0);
    arena_reset(&arena);
}

static void each_limit_is_an_item(void **state)
{
    struct limiter_item items[] = {
        { TEXT("per-second"), 1000000000000, 9223372036854775, 0, 12, true },
        { TEXT("a"), 5, 1, 1, 1, false },
    };
    struct limiter_result result = { items, 2, 12, &items[0] };
    struct ratelimit_fields fields;
    struct arena arena;
    arena_init(&arena, 4096);
    assert_true(ratelimit_fields_print(&result, &arena, &fields));
    assert_true(
        text_equals(fields.policy, TEXT_OF("\"per-second\";q=1000000000000;w=9223372036854775, "
                                           "\"a\";q=5;w=1")));
    assert_true(text_equals(fields.limit, TEXT_OF("\"per-second\";r=0;t=12, \"a\";r=1;t=1")));
    assert_true(text_equals(fields.retry_after, TEXT_OF("12")));
    arena_reset(&arena);
    arena_init(&arena, 64);
    assert_false(ratelimit_fields_print(&result, &arena, &fields));
    arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_limit_says_nothing),
        cmocka_unit_test(each_limit_is_an_item),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
