/* SPDX-License-Identifier: Apache-2.0 */
/* test_cookie.c - cookies by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gatewayd/http/cookie.h"

static void cookies_are_found_in_all_lines(void **state)
{
    struct header items[4];
    struct headers headers;
    struct text value = TEXT_OF("untouched");
    headers_init(&headers, items, 4);
    assert_false(cookie_find(&headers, TEXT_OF("a"), &value));
    assert_true(headers_add_named(&headers, TEXT_OF("Cookie"), TEXT_EMPTY));
    assert_true(headers_add_named(&headers, TEXT_OF("Cookie"),
                                  TEXT_OF("aa=0; a=1=2;b=\"quoted\" ; c; d=")));
    assert_true(headers_add_named(&headers, TEXT_OF("cookie"), TEXT_OF("e=5; a=6")));

    assert_false(cookie_find(&headers, TEXT_OF("A"), &value));
    assert_false(cookie_find(&headers, TEXT_OF("c"), &value));
    assert_false(cookie_find(&headers, TEXT_OF(""), &value));
    assert_true(text_equals(value, TEXT_OF("untouched")));
    assert_true(cookie_find(&headers, TEXT_OF("a"), &value));
    assert_true(text_equals(value, TEXT_OF("1=2")));
    assert_true(cookie_find(&headers, TEXT_OF("b"), &value));
    assert_true(text_equals(value, TEXT_OF("quoted")));
    assert_true(cookie_find(&headers, TEXT_OF("d"), &value));
    assert_true(text_equals(value, TEXT_EMPTY));
    assert_true(cookie_find(&headers, TEXT_OF("e"), &value));
    assert_true(text_equals(value, TEXT_OF("5")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cookies_are_found_in_all_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
