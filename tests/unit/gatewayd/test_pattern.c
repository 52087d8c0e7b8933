/* SPDX-License-Identifier: Apache-2.0 */
/* test_pattern.c - regular expressions compile, match, and cost no more than they may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "gatewayd/route/pattern.h"

static enum pattern_result match(const char *source, const char *subject)
{
    struct pattern *p = pattern_new(text_of(source), NULL);
    enum pattern_result result;

    assert_non_null(p);
    result = pattern_match(p, text_of(subject));
    pattern_free(&p);
    assert_null(p);
    return result;
}

static void it_searches_and_is_case_sensitive(void **state)
{
    assert_int_equal(match("^/v[0-9]+/", "/v12/x"), PATTERN_YES);
    assert_int_equal(match("b", "abc"), PATTERN_YES);
    assert_int_equal(match("^/V", "/v"), PATTERN_NO);
    assert_int_equal(match("^$", ""), PATTERN_YES);
}

static void the_dollar_is_the_very_end(void **state)
{
    assert_int_equal(match("^[0-9]+$", "5"), PATTERN_YES);
    assert_int_equal(match("^[0-9]+$", "5\n"), PATTERN_NO);
}

static void what_does_not_compile_says_why_and_where(void **state)
{
    struct builder why;

    builder_init(&why, 1000);
    assert_null(pattern_new(TEXT_OF("a(b"), &why));
    assert_true(text_ends_with(builder_text(&why), TEXT_OF(" at offset 3")));
    assert_true(builder_text(&why).length > 15);
    builder_clear(&why);
    assert_false(pattern_check(TEXT_OF("[z-a]"), &why));
    assert_true(pattern_check(TEXT_OF("[a-z]"), NULL));
    builder_fini(&why);
}

static void a_pattern_has_a_longest_length(void **state)
{
    static char source[PATTERN_LENGTH_MAX + 1];

    memset(source, 'a', sizeof(source));
    assert_false(pattern_check(text_from(source, sizeof(source)), NULL));
    assert_true(pattern_check(text_from(source, sizeof(source) - 1), NULL));
}

static void utf_is_not_switched_on(void **state)
{
    assert_false(pattern_check(TEXT_OF("(*UTF)a"), NULL));
    assert_int_equal(match("^.$", "\xff"), PATTERN_YES);
}

static void what_would_take_for_ever_gives_up_soon(void **state)
{
    static char subject[20000];
    clock_t before = clock();

    memset(subject, 'a', sizeof(subject) - 1);
    subject[sizeof(subject) - 2] = '!';
    assert_int_equal(match("^(a+)+$", subject), PATTERN_GAVE_UP);
    assert_int_equal(match("^(a|aa)+$", subject), PATTERN_GAVE_UP);
    assert_true(clock() - before < CLOCKS_PER_SEC / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_searches_and_is_case_sensitive),
        cmocka_unit_test(the_dollar_is_the_very_end),
        cmocka_unit_test(what_does_not_compile_says_why_and_where),
        cmocka_unit_test(a_pattern_has_a_longest_length),
        cmocka_unit_test(utf_is_not_switched_on),
        cmocka_unit_test(what_would_take_for_ever_gives_up_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
