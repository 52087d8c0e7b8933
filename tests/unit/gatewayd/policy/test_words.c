/* SPDX-License-Identifier: Apache-2.0 */
/* test_words.c - equal lists are one list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "gatewayd/policy/words.h"

static void equal_lists_are_one(void **state)
{
    struct turns *turns = turns_new(0);
    struct turns_queue queue;
    struct words_table t;
    struct text ab[] = { TEXT("a"), TEXT("b") };
    struct text joined[] = { TEXT("ab") };
    struct text moved[] = { TEXT("ab"), TEXT("") };
    turns_queue_init(&queue, turns);
    words_table_init(&t, &queue);
    struct words *one = words_take(&t, (struct texts){ ab, 2 });
    struct words *same = words_take(&t, (struct texts){ ab, 2 });
    struct words *two = words_take(&t, (struct texts){ joined, 1 });
    struct words *three = words_take(&t, (struct texts){ moved, 2 });
    struct words *empty = words_take(&t, (struct texts){ NULL, 0 });
    assert_ptr_equal(one, same);
    assert_ptr_not_equal(one, two);
    assert_ptr_not_equal(two, three);
    assert_int_equal(empty->count, 0);
    words_give(&t, one);
    assert_int_equal(queue.count, 0);
    words_give(&t, same);
    assert_int_equal(queue.count, 1);
    (void)turns_tidy(&queue, SIZE_MAX);

    char bytes[8];
    char *at = bytes;
    struct text items[2];
    assert_int_equal(words_bytes(three, 0), 2);
    words_copy(three, 0, items, &at);
    assert_true(text_equals(items[0], TEXT_OF("ab")));
    assert_int_equal(items[1].length, 0);
    assert_int_equal(at - bytes, 2);
    words_table_fini(&t);
    turns_queue_fini(&queue);
    turns_free(&turns);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(equal_lists_are_one) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
