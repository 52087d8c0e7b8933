/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ha/digits.h"

static unsigned take(const char *text, unsigned most)
{
    unsigned value = 77777;

    assert_true(digits_parse(text, strlen(text), most, &value));
    return value;
}

static void refuse(const char *text, unsigned most)
{
    unsigned value = 7;

    assert_false(digits_parse(text, strlen(text), most, &value));
    assert_int_equal(value, 7);
}

static void digits_are_a_number(void **state)
{
    assert_int_equal(take("0", 0), 0);
    assert_int_equal(take("300", 300), 300);
    assert_int_equal(take("007", 7), 7);
    assert_int_equal(take("999999999", UINT32_MAX), 999999999);
}

static void all_of_the_text_or_nothing(void **state)
{
    refuse("", 9);
    refuse("301", 300);
    refuse("1000000000", UINT32_MAX);
    refuse("-1", 9);
    refuse("+1", 9);
    refuse(" 1", 9);
    refuse("1 ", 9);
    refuse("1x", 99);
}

static void long_ones_fit(void **state)
{
    uint64_t value = 0;

    assert_true(digits_parse_u64("9999999999999999999", 19, &value));
    assert_true(value == UINT64_C(9999999999999999999));
    assert_false(digits_parse_u64("10000000000000000000", 20, &value));
    assert_false(digits_parse_u64("", 0, &value));
    assert_false(digits_parse_u64("1 2", 3, &value));
    assert_true(value == UINT64_C(9999999999999999999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_are_a_number),
        cmocka_unit_test(all_of_the_text_or_nothing),
        cmocka_unit_test(long_ones_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
