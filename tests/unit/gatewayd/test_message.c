/* SPDX-License-Identifier: Apache-2.0 */
/* test_message.c - methods and statuses by name; the classes of bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gatewayd/http/chars.h"
#include "gatewayd/http/message.h"

static void methods_are_case_sensitive_tokens(void **state)
{
    for (enum method m = METHOD_GET; m < METHOD_OTHER; m++)
        assert_int_equal(method_parse(method_name(m)), m);
    assert_int_equal(method_parse(TEXT_OF("get")), METHOD_OTHER);
    assert_int_equal(method_parse(TEXT_OF("GETS")), METHOD_OTHER);
    assert_int_equal(method_parse(TEXT_OF("PURGE")), METHOD_OTHER);
    assert_int_equal(method_parse(TEXT_OF("P")), METHOD_OTHER);
    assert_int_equal(method_parse(TEXT_EMPTY), METHOD_OTHER);
    assert_int_equal(method_name(METHOD_OTHER).length, 0);
}

static void what_may_be_repeated_is_known(void **state)
{
    assert_true(method_is_safe(METHOD_GET) && method_is_idempotent(METHOD_GET));
    assert_true(method_is_idempotent(METHOD_PUT) && !method_is_safe(METHOD_PUT));
    assert_true(method_is_idempotent(METHOD_DELETE));
    assert_false(method_is_idempotent(METHOD_POST));
    assert_false(method_is_idempotent(METHOD_PATCH));
    assert_false(method_is_idempotent(METHOD_OTHER));
}

static void statuses_have_reasons(void **state)
{
    assert_true(text_equals(status_reason(200), TEXT_OF("OK")));
    assert_true(text_equals(status_reason(100), TEXT_OF("Continue")));
    assert_true(text_equals(status_reason(429), TEXT_OF("Too Many Requests")));
    assert_true(text_equals(status_reason(511), TEXT_OF("Network Authentication Required")));
    assert_true(text_equals(status_reason(299), TEXT_OF("Unknown")));
    assert_true(text_equals(status_reason(0), TEXT_OF("Unknown")));
    assert_true(text_equals(status_reason(9999), TEXT_OF("Unknown")));
}

/* Sixteen bytes at a time and one by one find the same place, for every byte in every place. */
static void scanners_stop_at_the_first_wrong_byte(void **state)
{
    char bytes[48];
    for (int byte = 0; byte < 256; byte++) {
        bool in_value = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
        bool in_target = byte > 0x20 && byte < 0x7f && byte != '#' && byte != '\\';
        assert_int_equal(chars_is((char)byte, CHARS_TARGET), in_target);
        assert_int_equal(chars_is_value((char)byte), in_value);
        for (size_t at = 0; at < sizeof(bytes); at++) {
            memset(bytes, 'x', sizeof(bytes));
            bytes[at] = (char)byte;
            const char *end = bytes + sizeof(bytes);
            assert_ptr_equal(chars_skip_value(bytes, bytes, end), in_value ? end : bytes + at);
            assert_ptr_equal(chars_skip_target(bytes, end), in_target ? end : bytes + at);
        }
    }
}

/* The rest of a buffer is looked at together with bytes before it: those do not count, and nothing
 * beyond the end is read (the buffer is of its own size). */
static void scanners_end_with_the_buffer(void **state)
{
    for (size_t size = 1; size <= 40; size++) {
        char *bytes = malloc(size), *end = bytes + size;
        for (size_t from = 0; from <= size; from++) {
            memset(bytes, '\r', size);
            memset(bytes + from, 'x', size - from);
            assert_ptr_equal(chars_skip_value(bytes, bytes + from, end), end);
            memset(bytes, ':', size);
            memset(bytes + from, 'x', size - from);
            assert_null(chars_find_colon(bytes, bytes + from, end));
        }
        for (size_t wrong = 0; wrong < size; wrong++) {
            memset(bytes, 'x', size);
            bytes[wrong] = '\r';
            for (size_t from = 0; from <= wrong; from++)
                assert_ptr_equal(chars_skip_value(bytes, bytes + from, end), bytes + wrong);
            bytes[wrong] = ':';
            for (size_t from = 0; from <= wrong; from++) {
                const char *colon = chars_find_colon(bytes, bytes + from, end);
                assert_true(colon == NULL || colon == bytes + wrong);
            }
        }
        free(bytes);
    }
}

static void tokens_and_hosts_have_their_bytes(void **state)
{
    const char *marks = "!#$%&'*+-.^_`|~";
    for (int byte = 0; byte < 256; byte++) {
        bool is_alnum = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                        (byte >= 'A' && byte <= 'Z');
        bool is_token = is_alnum || (byte != 0 && strchr(marks, byte) != NULL);
        assert_int_equal(chars_is((char)byte, CHARS_TOKEN), is_token);
        bool is_unreserved = is_alnum || (byte != 0 && strchr("-._~", byte) != NULL);
        assert_int_equal(chars_is((char)byte, CHARS_UNRESERVED), is_unreserved);
        bool is_host = is_alnum || (byte != 0 && strchr("-._", byte) != NULL);
        assert_int_equal(chars_is((char)byte, CHARS_HOST), is_host);
        assert_int_equal(chars_is((char)byte, CHARS_UPPER), byte >= 'A' && byte <= 'Z');
    }
    assert_int_equal(chars_hex_value('a'), 10);
    assert_int_equal(chars_hex_value('F'), 15);
    assert_int_equal(chars_hex_value('9'), 9);
    assert_int_equal(chars_hex_value('g'), -1);
    assert_int_equal(chars_hex_value('@'), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods_are_case_sensitive_tokens),
        cmocka_unit_test(what_may_be_repeated_is_known),
        cmocka_unit_test(statuses_have_reasons),
        cmocka_unit_test(scanners_stop_at_the_first_wrong_byte),
        cmocka_unit_test(scanners_end_with_the_buffer),
        cmocka_unit_test(tokens_and_hosts_have_their_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
