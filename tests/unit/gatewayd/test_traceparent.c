/* SPDX-License-Identifier: Apache-2.0 */
/* test_traceparent.c - trace contexts and request ids, those that came and those we make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gatewayd/http/request_id.h"
#include "gatewayd/http/traceparent.h"

#define TRACE  "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

static void valid_contexts_are_taken_apart(void **state)
{
    struct traceparent t;
    assert_true(traceparent_parse(TEXT_OF("00-" TRACE "-" PARENT "-01"), &t));
    assert_true(text_equals(t.trace_id, TEXT_OF(TRACE)));
    assert_true(text_equals(t.parent_id, TEXT_OF(PARENT)));
    assert_true(t.is_sampled);
    assert_true(traceparent_parse(TEXT_OF("00-" TRACE "-" PARENT "-fe"), &t));
    assert_false(t.is_sampled);
    assert_true(traceparent_parse(TEXT_OF("cc-" TRACE "-" PARENT "-01"), &t));
    assert_true(traceparent_parse(TEXT_OF("cc-" TRACE "-" PARENT "-01-what-comes"), &t));
}

static void other_contexts_are_not(void **state)
{
    static const struct text rows[] = {
        TEXT(""),
        TEXT("00"),
        TEXT("00-" TRACE "-" PARENT "-0"),
        TEXT("00-" TRACE "-" PARENT "-01-"),
        TEXT("00-" TRACE "-" PARENT "-01x"),
        TEXT("cc-" TRACE "-" PARENT "-01x"),
        TEXT("ff-" TRACE "-" PARENT "-01"),
        TEXT("0g-" TRACE "-" PARENT "-01"),
        TEXT("00-" TRACE "-" PARENT "-0g"),
        TEXT("00_" TRACE "-" PARENT "-01"),
        TEXT("00-" TRACE "_" PARENT "-01"),
        TEXT("00-" TRACE "-" PARENT "_01"),
        TEXT("00-4BF92f3577b34da6a3ce929d0e0e4736-" PARENT "-01"),
        TEXT("00-00000000000000000000000000000000-" PARENT "-01"),
        TEXT("00-" TRACE "-0000000000000000-01"),
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct traceparent t;
        if (traceparent_parse(rows[i], &t))
            fail_msg("%.*s", TEXT_ARGS(rows[i]));
    }
}

static void what_we_begin_is_valid_and_new(void **state)
{
    char into[2][TRACEPARENT_SIZE];
    struct traceparent t;
    for (int i = 0; i < 1000; i++) {
        struct text value = traceparent_print_new(into[i % 2]);
        assert_true(traceparent_parse(value, &t));
        assert_false(t.is_sampled);
        assert_true(i == 0 || memcmp(into[0], into[1], TRACEPARENT_SIZE) != 0);
    }
}

static void request_ids_are_random_hex(void **state)
{
    char into[2][REQUEST_ID_SIZE];
    for (int i = 0; i < 1000; i++) {
        struct text id = request_id_print_new(into[i % 2]);
        assert_int_equal(id.length, 32);
        assert_true(request_id_is_valid(id));
        for (size_t at = 0; at < id.length; at++)
            assert_non_null(memchr("0123456789abcdef", id.at[at], 16));
        assert_true(i == 0 || memcmp(into[0], into[1], REQUEST_ID_SIZE) != 0);
    }
}

static void request_ids_that_came_are_harmless(void **state)
{
    char bytes[200];
    memset(bytes, 'a', sizeof(bytes));
    assert_true(request_id_is_valid(text_from(bytes, 128)));
    assert_false(request_id_is_valid(text_from(bytes, 129)));
    assert_false(request_id_is_valid(TEXT_EMPTY));
    assert_true(request_id_is_valid(TEXT_OF("Root=1-67891233-abc:x/y+z@_.")));
    assert_false(request_id_is_valid(TEXT_OF("a b")));
    assert_false(request_id_is_valid(TEXT_OF("a\"b")));
    assert_false(request_id_is_valid(TEXT_OF("a\0b")));
    assert_false(request_id_is_valid(TEXT_OF("a\nb")));
    assert_false(request_id_is_valid(TEXT_OF("caf\xc3\xa9")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_contexts_are_taken_apart),
        cmocka_unit_test(other_contexts_are_not),
        cmocka_unit_test(what_we_begin_is_valid_and_new),
        cmocka_unit_test(request_ids_are_random_hex),
        cmocka_unit_test(request_ids_that_came_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
