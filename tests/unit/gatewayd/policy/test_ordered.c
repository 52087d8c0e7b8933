/* SPDX-License-Identifier: Apache-2.0 */
/* test_ordered.c - numbers in order, compared with a plain table of what is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "gatewayd/policy/ordered.h"
#include "tests/unit/expect_abort.h"

#define MOST 20000

static int compare(const void *arg, const void *key, uint32_t number)
{
    uint32_t wanted = *(const uint32_t *)key;
    return wanted < number ? -1 : wanted > number;
}

static void assert_same(const struct ordered *o, const bool *is_there)
{
    uint32_t at = UINT32_MAX; /* the compare function sees 0 as the smallest */
    uint32_t found = 0;
    uint32_t key = 0;
    if (is_there[0])
        assert_true(ordered_find(o, &key, &found));
    for (uint32_t i = 1; i < MOST; i++) {
        if (!is_there[i])
            continue;
        assert_true(ordered_after(o, &key, &found));
        assert_int_equal(found, i);
        key = i;
    }
    assert_false(ordered_after(o, &key, &at));
}

static void any_order_of_changes_keeps_the_order(void **state)
{
    static bool is_there[MOST];
    struct ordered o;
    uint32_t random = 7;
    uint32_t found;
    memset(is_there, 0, sizeof(is_there));
    ordered_init(&o, compare, NULL);
    for (int round = 0; round < 200000; round++) {
        random = random * 1664525 + 1013904223;
        uint32_t i = (random >> 8) % MOST;
        assert_int_equal(ordered_find(&o, &i, &found), is_there[i]);
        if (is_there[i])
            ordered_remove(&o, &i);
        else
            ordered_add(&o, &i, i);
        is_there[i] = !is_there[i];
        if (round % 50000 == 0)
            assert_same(&o, is_there);
    }
    assert_same(&o, is_there);
    for (uint32_t i = 0; i < MOST; i++) {
        if (is_there[i])
            ordered_remove(&o, &i);
    }
    assert_int_equal(o.count, 0);
    ordered_fini(&o);
}

static void what_comes_in_order_fills_its_chunks(void **state)
{
    struct ordered o;
    ordered_init(&o, compare, NULL);
    for (uint32_t i = 0; i < 100000; i++)
        ordered_add(&o, &i, i);
    assert_true(ordered_bytes(&o) < 100000 * 5);
    ordered_fini(&o);
}

static void removing_what_is_not_there_is_a_bug(void **state)
{
    struct ordered o;
    uint32_t key = 5;
    ordered_init(&o, compare, NULL);
    EXPECT_ABORT(ordered_remove(&o, &key));
    ordered_fini(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order_of_changes_keeps_the_order),
        cmocka_unit_test(what_comes_in_order_fills_its_chunks),
        cmocka_unit_test(removing_what_is_not_there_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
