/* SPDX-License-Identifier: Apache-2.0 */
/* test_problem.c - problems keep their order and print as people read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "conf/base/builder.h"
#include "conf/base/problem.h"

static void assert_printed(const struct problem *p, const char *expected)
{
    struct builder b;
    builder_init(&b, SIZE_MAX);
    problem_print(p, &b);
    assert_true(text_equals(builder_text(&b), text_of(expected)));
    builder_fini(&b);
}

static void problems_print_with_what_is_known(void **state)
{
    struct problems ps;
    problems_init(&ps);
    assert_true(problems_is_empty(&ps));
    problems_add(&ps, (struct place){ .file = "a.conf", .line = 7, .path = "max.headers" },
                 "must be at most %d, got %d", 1000, 2000);
    problems_add(&ps, (struct place){ .pointer = "/max", .path = "max" }, "is unknown");
    problems_add(&ps, (struct place){ .file = "a.conf" }, "cannot be read");
    problems_add(&ps, (struct place){ 0 }, "is not JSON");

    assert_false(problems_is_empty(&ps));
    assert_int_equal(ps.count, 4);
    assert_printed(&ps.items[0], "a.conf:7: max.headers: must be at most 1000, got 2000");
    assert_printed(&ps.items[1], "max: is unknown");
    assert_string_equal(ps.items[1].pointer, "/max");
    assert_null(ps.items[1].file);
    assert_printed(&ps.items[2], "a.conf: cannot be read");
    assert_printed(&ps.items[3], "is not JSON");
    assert_string_equal(ps.items[3].pointer, "");
    problems_fini(&ps);
    assert_true(problems_is_empty(&ps));
}

static void past_the_limit_they_are_counted(void **state)
{
    struct problems ps;
    problems_init(&ps);
    for (int i = 0; i < PROBLEMS_MAX + 5; i++)
        problems_add(&ps, (struct place){ 0 }, "number %d", i);
    assert_int_equal(ps.count, PROBLEMS_MAX);
    assert_int_equal(ps.dropped, 5);
    assert_string_equal(ps.items[PROBLEMS_MAX - 1].sentence, "number 999");
    problems_fini(&ps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(problems_print_with_what_is_known),
        cmocka_unit_test(past_the_limit_they_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
