/* SPDX-License-Identifier: Apache-2.0 */
/* test_headers.c - fields in order, found by number or name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gatewayd/http/headers.h"

#define CAPACITY 12

struct fixture {
    struct header items[CAPACITY];
    struct headers headers;
};

static void add(struct fixture *f, const char *name, const char *value)
{
    assert_true(headers_add_named(&f->headers, text_of(name), text_of(value)));
}

static void init(struct fixture *f)
{
    headers_init(&f->headers, f->items, CAPACITY);
}

static void check_value(const struct header *h, const char *value)
{
    assert_non_null(h);
    assert_true(text_equals(h->value, text_of(value)));
}

/* Each name in upper, lower and mixed case; and a byte off in every place is another name. */
static void every_known_name_is_found(void **state)
{
    for (enum header_id id = HEADER_OTHER + 1; id < HEADER_COUNT; id++) {
        struct text name = header_id_name(id);
        char upper[64], lower[64];
        for (size_t i = 0; i < name.length; i++) {
            char c = name.at[i];
            bool is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
            upper[i] = (char)(is_letter ? c & ~0x20 : c);
            lower[i] = (char)(is_letter ? c | 0x20 : c);
        }
        assert_int_equal(header_id_find(name), id);
        assert_int_equal(header_id_find(text_from(upper, name.length)), id);
        assert_int_equal(header_id_find(text_from(lower, name.length)), id);
        for (size_t i = 0; i < name.length; i++) {
            for (int byte = 0; byte < 256; byte++) {
                char other[64];
                memcpy(other, lower, name.length);
                other[i] = (char)byte;
                if (!text_equals_nocase(text_from(other, name.length), name))
                    assert_int_not_equal(header_id_find(text_from(other, name.length)), id);
            }
        }
    }
}

static void other_names_have_no_number(void **state)
{
    assert_int_equal(header_id_find(TEXT_EMPTY), HEADER_OTHER);
    assert_int_equal(header_id_find(TEXT_OF("x")), HEADER_OTHER);
    assert_int_equal(header_id_find(TEXT_OF("Hos")), HEADER_OTHER);
    assert_int_equal(header_id_find(TEXT_OF("Hosts")), HEADER_OTHER);
    assert_int_equal(header_id_find(TEXT_OF("Content_Length")), HEADER_OTHER);
    assert_int_equal(header_id_find(TEXT_OF("Content-Length ")), HEADER_OTHER);
    assert_int_equal(header_id_find(TEXT_OF("X-A-Very-Long-Name-That-Nobody-Has-Numbered-Yet")),
                     HEADER_OTHER);
}

static void fields_are_found_in_order(void **state)
{
    struct fixture f;
    init(&f);
    add(&f, "Via", "1");
    add(&f, "X-One", "a");
    add(&f, "via", "2");
    add(&f, "x-ONE", "b");
    assert_true(headers_has(&f.headers, HEADER_VIA));
    assert_false(headers_has(&f.headers, HEADER_HOST));
    assert_null(headers_find(&f.headers, HEADER_HOST));
    assert_null(headers_find_named(&f.headers, TEXT_OF("X-Two")));

    struct header *h = headers_find(&f.headers, HEADER_VIA);
    check_value(h, "1");
    h = headers_find_next(&f.headers, h);
    check_value(h, "2");
    assert_null(headers_find_next(&f.headers, h));

    h = headers_find_named(&f.headers, TEXT_OF("x-one"));
    check_value(h, "a");
    h = headers_find_next(&f.headers, h);
    check_value(h, "b");
    assert_null(headers_find_next(&f.headers, h));
}

static void what_is_removed_is_skipped(void **state)
{
    struct fixture f;
    init(&f);
    add(&f, "Via", "1");
    add(&f, "X-One", "a");
    add(&f, "Via", "2");
    headers_remove(&f.headers, HEADER_VIA);
    assert_null(headers_find(&f.headers, HEADER_VIA));
    add(&f, "Via", "3");
    check_value(headers_find(&f.headers, HEADER_VIA), "3");
    assert_true(headers_set_named(&f.headers, TEXT_OF("x-one"), TEXT_OF("b")));
    struct header *h = headers_find_named(&f.headers, TEXT_OF("X-One"));
    check_value(h, "b");
    assert_null(headers_find_next(&f.headers, h));
    headers_remove_named(&f.headers, TEXT_OF("X-Nothing"));
    assert_int_equal(f.headers.count, 5);
}

static void capacity_is_fixed(void **state)
{
    struct fixture f;
    init(&f);
    for (int i = 0; i < CAPACITY; i++)
        add(&f, "A", "b");
    assert_false(headers_add_named(&f.headers, TEXT_OF("A"), TEXT_OF("b")));
    assert_false(headers_add(&f.headers, HEADER_HOST, TEXT_OF("Host"), TEXT_OF("b")));
    assert_false(headers_has(&f.headers, HEADER_HOST));
}

static void lines_are_joined(void **state)
{
    struct fixture f;
    struct arena arena;
    struct text joined = TEXT_OF("untouched");
    arena_init(&arena, 256);
    init(&f);
    add(&f, "A", "1");
    add(&f, "B", "x");
    add(&f, "a", "");
    add(&f, "A", "3");
    assert_false(headers_join(&f.headers, TEXT_OF("C"), &arena, &joined));
    assert_true(text_equals(joined, TEXT_OF("untouched")));
    assert_true(headers_join(&f.headers, TEXT_OF("b"), &arena, &joined));
    assert_ptr_equal(joined.at, f.items[1].value.at);
    assert_true(headers_join(&f.headers, TEXT_OF("A"), &arena, &joined));
    assert_true(text_equals(joined, TEXT_OF("1, , 3")));
    arena_reset(&arena);

    arena_init(&arena, 0);
    assert_false(headers_join(&f.headers, TEXT_OF("A"), &arena, &joined));
    arena_reset(&arena);
}

static void lists_are_searched_by_token(void **state)
{
    struct text list = TEXT_OF("keep-alive , Upgrade,,x");
    assert_true(header_list_has(list, TEXT_OF("upgrade")));
    assert_true(header_list_has(list, TEXT_OF("KEEP-ALIVE")));
    assert_true(header_list_has(list, TEXT_OF("x")));
    assert_false(header_list_has(list, TEXT_OF("keep")));
    assert_false(header_list_has(TEXT_EMPTY, TEXT_OF("x")));
}

/* What an upstream that reads names as CGI does would take for a field of ours. */
static void lookalikes_are_removed(void **state)
{
    struct fixture f;

    init(&f);
    add(&f, "X_Consumer", "root");
    add(&f, "x-forwarded_FOR", "192.0.2.1");
    add(&f, "Content_Length", "5");
    add(&f, "X-Consumer", "alice");
    add(&f, "User_Agent", "kept");
    add(&f, "My_Field", "kept");
    add(&f, "_", "kept");
    headers_remove_lookalikes(&f.headers);
    assert_null(headers_find_named(&f.headers, text_of("X_Consumer")));
    assert_null(headers_find_named(&f.headers, text_of("X-Forwarded_For")));
    assert_null(headers_find_named(&f.headers, text_of("Content_Length")));
    check_value(headers_find(&f.headers, HEADER_X_CONSUMER), "alice");
    check_value(headers_find_named(&f.headers, text_of("User_Agent")), "kept");
    check_value(headers_find_named(&f.headers, text_of("My_Field")), "kept");
    check_value(headers_find_named(&f.headers, text_of("_")), "kept");
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_known_name_is_found),   cmocka_unit_test(other_names_have_no_number),
        cmocka_unit_test(fields_are_found_in_order),   cmocka_unit_test(what_is_removed_is_skipped),
        cmocka_unit_test(capacity_is_fixed),           cmocka_unit_test(lines_are_joined),
        cmocka_unit_test(lists_are_searched_by_token), cmocka_unit_test(lookalikes_are_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
