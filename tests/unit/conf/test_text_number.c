/* SPDX-License-Identifier: Apache-2.0 */
/* test_text_number.c - numbers, sizes and durations: all of the text or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "conf/base/text.h"

#define UNTOUCHED 4711

static void assert_u64(const char *t, uint64_t expected)
{
    uint64_t value = UNTOUCHED;
    assert_true(text_parse_u64(text_of(t), &value));
    assert_true(value == expected);
}

static void assert_no_u64(struct text t)
{
    uint64_t value = UNTOUCHED;
    assert_false(text_parse_u64(t, &value));
    assert_int_equal(value, UNTOUCHED);
}

static void whole_numbers(void **state)
{
    assert_u64("0", 0);
    assert_u64("007", 7);
    assert_u64("18446744073709551615", UINT64_MAX);
    assert_no_u64(TEXT_OF("18446744073709551616"));
    assert_no_u64(TEXT_OF("99999999999999999999999"));
    assert_no_u64(TEXT_OF(""));
    assert_no_u64(TEXT_EMPTY);
    assert_no_u64(TEXT_OF("+1"));
    assert_no_u64(TEXT_OF("-1"));
    assert_no_u64(TEXT_OF(" 1"));
    assert_no_u64(TEXT_OF("1 "));
    assert_no_u64(TEXT_OF("0x1"));
    assert_no_u64(TEXT_OF("1\0"));
}

static void assert_i64(const char *t, int64_t expected)
{
    int64_t value = UNTOUCHED;
    assert_true(text_parse_i64(text_of(t), &value));
    assert_true(value == expected);
}

static void assert_no_i64(const char *t)
{
    int64_t value = UNTOUCHED;
    assert_false(text_parse_i64(text_of(t), &value));
    assert_int_equal(value, UNTOUCHED);
}

static void signed_numbers(void **state)
{
    assert_i64("-0", 0);
    assert_i64("-5", -5);
    assert_i64("9223372036854775807", INT64_MAX);
    assert_i64("-9223372036854775808", INT64_MIN);
    assert_no_i64("9223372036854775808");
    assert_no_i64("-9223372036854775809");
    assert_no_i64("-");
    assert_no_i64("--1");
    assert_no_i64("");
}

static void hexadecimal_numbers(void **state)
{
    uint64_t value = UNTOUCHED;
    assert_true(text_parse_hex_u64(TEXT_OF("fFffFFFFffffffff"), &value));
    assert_true(value == UINT64_MAX);
    assert_true(text_parse_hex_u64(TEXT_OF("1a"), &value));
    assert_int_equal(value, 26);
    assert_false(text_parse_hex_u64(TEXT_OF("10000000000000000"), &value));
    assert_false(text_parse_hex_u64(TEXT_OF(""), &value));
    assert_false(text_parse_hex_u64(TEXT_OF("0x1"), &value));
    assert_false(text_parse_hex_u64(TEXT_OF("g"), &value));
    assert_int_equal(value, 26);
}

static void assert_duration(const char *t, int64_t expected)
{
    int64_t ms = UNTOUCHED;
    assert_true(text_parse_duration(text_of(t), &ms));
    assert_true(ms == expected);
}

static void assert_no_duration(const char *t)
{
    int64_t ms = UNTOUCHED;
    assert_false(text_parse_duration(text_of(t), &ms));
    assert_int_equal(ms, UNTOUCHED);
}

static void durations_have_one_unit(void **state)
{
    assert_duration("250ms", 250);
    assert_duration("2s", 2000);
    assert_duration("5m", 300000);
    assert_duration("1h", 3600000);
    assert_duration("30d", INT64_C(2592000000));
    assert_duration("0s", 0);
    assert_duration("9223372036854775807ms", INT64_MAX);
    assert_no_duration("9223372036854775808ms");
    assert_no_duration("9223372036854775807s");
    assert_no_duration("2");
    assert_no_duration("s");
    assert_no_duration("");
    assert_no_duration("1h30m");
    assert_no_duration("2 s");
    assert_no_duration("-2s");
    assert_no_duration("1.5s");
    assert_no_duration("2S");
    assert_no_duration("2w");
}

static void assert_size(const char *t, int64_t expected)
{
    int64_t bytes = UNTOUCHED;
    assert_true(text_parse_size(text_of(t), &bytes));
    assert_true(bytes == expected);
}

static void assert_no_size(const char *t)
{
    int64_t bytes = UNTOUCHED;
    assert_false(text_parse_size(text_of(t), &bytes));
    assert_int_equal(bytes, UNTOUCHED);
}

static void sizes_are_powers_of_1024(void **state)
{
    assert_size("512", 512);
    assert_size("0", 0);
    assert_size("64k", 65536);
    assert_size("1M", 1048576);
    assert_size("2G", INT64_C(2147483648));
    assert_size("5000000000", INT64_C(5000000000));
    assert_no_size("9223372036854775808");
    assert_no_size("9007199254740992k");
    assert_no_size("1kB");
    assert_no_size("k");
    assert_no_size("");
    assert_no_size("-1k");
}

static void assert_printed_duration(int64_t ms, const char *expected)
{
    char into[TEXT_NUMBER_SIZE];
    struct text t = text_print_duration(ms, into);
    assert_string_equal(into, expected);
    assert_int_equal(t.length, strlen(expected));
}

static void durations_print_in_the_largest_exact_unit(void **state)
{
    assert_printed_duration(0, "0s");
    assert_printed_duration(1, "1ms");
    assert_printed_duration(1500, "1500ms");
    assert_printed_duration(2000, "2s");
    assert_printed_duration(90000, "90s");
    assert_printed_duration(120000, "2m");
    assert_printed_duration(86400000, "1d");
    assert_printed_duration(INT64_C(2592000000), "30d");
    assert_printed_duration(-2000, "-2s");
    assert_printed_duration(INT64_MAX, "9223372036854775807ms");
    assert_printed_duration(INT64_MIN, "-9223372036854775808ms");
}

static void numbers_print(void **state)
{
    char into[TEXT_NUMBER_SIZE];
    assert_int_equal(text_print_u64(0, into).length, 1);
    assert_string_equal(into, "0");
    assert_int_equal(text_print_u64(UINT64_MAX, into).length, 20);
    assert_string_equal(into, "18446744073709551615");
    for (uint64_t value = 1; value < UINT64_MAX / 7; value = value * 7 + value % 5) {
        char expected[32];
        snprintf(expected, sizeof(expected), "%llu", (unsigned long long)value);
        assert_string_equal(text_print_u64(value, into).at, expected);
        assert_int_equal(text_print_u64(value, into).length, strlen(expected));
    }
}

static void assert_time(const char *t, int64_t expected)
{
    int64_t ms = UNTOUCHED;
    assert_true(text_parse_time(text_of(t), &ms));
    assert_true(ms == expected);
}

static void assert_no_time(const char *t)
{
    int64_t ms = UNTOUCHED;
    assert_false(text_parse_time(text_of(t), &ms));
    assert_int_equal(ms, UNTOUCHED);
}

static void times_of_rfc_3339(void **state)
{
    assert_time("1970-01-01T00:00:00Z", 0);
    assert_time("2001-09-09T01:46:40Z", INT64_C(1000000000000));
    assert_time("2001-09-09t01:46:40.5z", INT64_C(1000000000500));
    assert_time("2001-09-09T01:46:40.123456789Z", INT64_C(1000000000123));
    assert_time("2001-09-09T03:46:40+02:00", INT64_C(1000000000000));
    assert_time("2001-09-08T20:16:40-05:30", INT64_C(1000000000000));
    assert_time("1969-12-31T23:59:59.999Z", -1);
    assert_time("2024-02-29T00:00:00Z", INT64_C(1709164800000));
    assert_time("2016-12-31T23:59:60Z", INT64_C(1483228800000));
    assert_time("0000-01-01T00:00:00Z", INT64_C(-62167219200000));
}

static void what_is_no_time(void **state)
{
    assert_no_time("");
    assert_no_time("2001-09-09");
    assert_no_time("2001-09-09T01:46:40");
    assert_no_time("2001-09-09T01:46:40Zx");
    assert_no_time("2001-09-09T01:46:40.Z");
    assert_no_time("2001-09-09T24:00:00Z");
    assert_no_time("2001-09-09T01:60:00Z");
    assert_no_time("2001-09-09T01:46:61Z");
    assert_no_time("2001-13-09T01:46:40Z");
    assert_no_time("2001-00-09T01:46:40Z");
    assert_no_time("2001-09-31T01:46:40Z");
    assert_no_time("2023-02-29T00:00:00Z");
    assert_no_time("1900-02-29T00:00:00Z");
    assert_no_time("2001-09-09T01:46:40+2:00");
    assert_no_time("2001-09-09T01:46:40+0200");
    assert_no_time("01-09-09T01:46:40Z");
    assert_no_time("-001-09-09T01:46:40Z");
}

static void assert_printed_time(int64_t ms, const char *expected)
{
    char into[TEXT_NUMBER_SIZE];
    struct text t = text_print_time(ms, into);
    assert_string_equal(into, expected);
    assert_int_equal(t.length, strlen(expected));
}

static void times_print_in_utc(void **state)
{
    assert_printed_time(0, "1970-01-01T00:00:00.000Z");
    assert_printed_time(-1, "1969-12-31T23:59:59.999Z");
    assert_printed_time(INT64_C(1709164800042), "2024-02-29T00:00:00.042Z");
    assert_printed_time(INT64_MAX, "292278994-08-17T07:12:55.807Z");
    assert_printed_time(INT64_MIN, "-292275055-05-16T16:47:04.192Z");
}

static void printed_times_parse_back(void **state)
{
    char into[TEXT_NUMBER_SIZE];
    for (int64_t ms = INT64_C(-62167219200000); ms < INT64_C(253402300800000);
         ms += INT64_C(86399999) * 97) {
        int64_t back = 0;
        assert_true(text_parse_time(text_print_time(ms, into), &back));
        assert_true(back == ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers),
        cmocka_unit_test(signed_numbers),
        cmocka_unit_test(hexadecimal_numbers),
        cmocka_unit_test(durations_have_one_unit),
        cmocka_unit_test(sizes_are_powers_of_1024),
        cmocka_unit_test(durations_print_in_the_largest_exact_unit),
        cmocka_unit_test(numbers_print),
        cmocka_unit_test(times_of_rfc_3339),
        cmocka_unit_test(what_is_no_time),
        cmocka_unit_test(times_print_in_utc),
        cmocka_unit_test(printed_times_parse_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
