/* SPDX-License-Identifier: Apache-2.0 */
/* test_builder.c - text put together up to a ceiling, and JSON strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "conf/base/builder.h"
#include "conf/base/mem.h"

#define assert_text(t, literal) assert_true(text_equals(t, TEXT_OF(literal)))

static void pieces_are_joined(void **state)
{
    struct builder b;
    builder_init(&b, SIZE_MAX);
    assert_text(builder_text(&b), "");
    builder_add(&b, TEXT_OF("a"));
    builder_add(&b, TEXT_EMPTY);
    builder_add_byte(&b, '=');
    builder_add_u64(&b, 18);
    builder_addf(&b, " %s", "ms");
    assert_text(builder_text(&b), "a=18 ms");
    builder_clear(&b);
    assert_text(builder_text(&b), "");
    builder_fini(&b);
}

static void it_grows(void **state)
{
    struct builder b;
    builder_init(&b, SIZE_MAX);
    for (int i = 0; i < 10000; i++)
        builder_addf(&b, "%04d", i % 10000);
    assert_int_equal(builder_text(&b).length, 40000);
    assert_memory_equal(builder_text(&b).at + 39996, "9999", 4);
    builder_fini(&b);
}

static void past_the_ceiling_nothing_is_added(void **state)
{
    struct builder b;
    builder_init(&b, 4);
    builder_add(&b, TEXT_OF("abc"));
    assert_false(builder_is_full(&b));
    builder_add(&b, TEXT_OF("de"));
    assert_true(builder_is_full(&b));
    builder_add_byte(&b, 'd');
    assert_text(builder_text(&b), "abc");

    builder_clear(&b);
    assert_false(builder_is_full(&b));
    builder_addf(&b, "%d", 1234);
    assert_false(builder_is_full(&b));
    builder_addf(&b, "%d", 5);
    assert_true(builder_is_full(&b));
    assert_text(builder_text(&b), "1234");
    builder_fini(&b);
}

static void taking_leaves_it_empty(void **state)
{
    struct builder b;
    size_t length = 0;
    builder_init(&b, SIZE_MAX);
    builder_add(&b, text_from("a\0b", 3));
    char *bytes = builder_take(&b, &length);
    assert_int_equal(length, 3);
    assert_memory_equal(bytes, "a\0b\0", 4);
    MEM_FREE(&bytes);

    bytes = builder_take(&b, NULL);
    assert_string_equal(bytes, "");
    MEM_FREE(&bytes);
    builder_fini(&b);
}

static void assert_json(struct text from, const char *expected)
{
    struct builder b;
    builder_init(&b, SIZE_MAX);
    builder_add_json(&b, from);
    assert_true(text_equals(builder_text(&b), text_of(expected)));
    builder_fini(&b);
}

static void json_escapes(void **state)
{
    assert_json(TEXT_EMPTY, "\"\"");
    assert_json(TEXT_OF("plain"), "\"plain\"");
    assert_json(TEXT_OF("a\"b\\c/"), "\"a\\\"b\\\\c/\"");
    assert_json(TEXT_OF("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
    assert_json(text_from("\0\x1f\x7f", 3), "\"\\u0000\\u001f\x7f\"");
}

#define FFFD "\xef\xbf\xbd"

static void json_keeps_utf8(void **state)
{
    assert_json(TEXT_OF("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
                "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
    assert_json(TEXT_OF("\xf4\x8f\xbf\xbf"), "\"\xf4\x8f\xbf\xbf\"");
}

static void json_replaces_what_is_not_utf8(void **state)
{
    assert_json(TEXT_OF("a\xff"), "\"a" FFFD "\"");
    assert_json(TEXT_OF("\xc3"), "\"" FFFD "\"");
    assert_json(TEXT_OF("\xc0\xaf"), "\"" FFFD FFFD "\"");
    assert_json(TEXT_OF("\xed\xa0\x80"), "\"" FFFD FFFD FFFD "\"");
    assert_json(TEXT_OF("\xf4\x90\x80\x80"), "\"" FFFD FFFD FFFD FFFD "\"");
    assert_json(TEXT_OF("\xe2\x82x"), "\"" FFFD FFFD "x\"");
    assert_json(TEXT_OF("\x80"), "\"" FFFD "\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_joined),
        cmocka_unit_test(it_grows),
        cmocka_unit_test(past_the_ceiling_nothing_is_added),
        cmocka_unit_test(taking_leaves_it_empty),
        cmocka_unit_test(json_escapes),
        cmocka_unit_test(json_keeps_utf8),
        cmocka_unit_test(json_replaces_what_is_not_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
