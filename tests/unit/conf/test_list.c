/* SPDX-License-Identifier: Apache-2.0 */
/* test_list.c - lists through a member of the listed struct. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "conf/base/list.h"

struct item {
    int number;
    struct list in_list;
};

static int digits_of(const struct list *l)
{
    int digits = 0;
    LIST_EACH (node, l)
        digits = digits * 10 + LIST_ITEM(node, struct item, in_list)->number;
    return digits;
}

static void nodes_keep_their_order(void **state)
{
    struct list l;
    struct item items[3] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };
    list_init(&l);
    assert_true(list_is_empty(&l));
    list_add_last(&l, &items[1].in_list);
    list_add_last(&l, &items[2].in_list);
    list_add_first(&l, &items[0].in_list);
    assert_int_equal(digits_of(&l), 123);
    list_remove(&items[1].in_list);
    assert_int_equal(digits_of(&l), 13);
    list_add_after(&items[2].in_list, &items[1].in_list);
    assert_int_equal(digits_of(&l), 132);
}

static void removing_twice_is_harmless(void **state)
{
    struct list l;
    struct item item = { .number = 7 };
    list_init(&l);
    list_init(&item.in_list);
    list_remove(&item.in_list);
    list_add_last(&l, &item.in_list);
    list_remove(&item.in_list);
    list_remove(&item.in_list);
    assert_true(list_is_empty(&l));
}

static void nodes_may_leave_while_walking(void **state)
{
    struct list l;
    struct item items[4] = { { .number = 1 }, { .number = 2 }, { .number = 3 }, { .number = 4 } };
    list_init(&l);
    for (int i = 0; i < 4; i++)
        list_add_last(&l, &items[i].in_list);
    LIST_EACH_SAFE (node, following, &l) {
        if (LIST_ITEM(node, struct item, in_list)->number % 2 == 0)
            list_remove(node);
    }
    assert_int_equal(digits_of(&l), 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_keep_their_order),
        cmocka_unit_test(removing_twice_is_harmless),
        cmocka_unit_test(nodes_may_leave_while_walking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
