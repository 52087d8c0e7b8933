/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "conf/diff.h"
#include "conf/merge.h"
#include "conf/print_json.h"
#include "conf/read_json.h"

static struct arena arena;

static int start(void **state)
{
    arena_init(&arena, SIZE_MAX);
    return 0;
}

static int stop(void **state)
{
    arena_reset(&arena);
    return 0;
}

static struct doc parse(const char *json)
{
    struct problems ps;
    struct doc doc;

    problems_init(&ps);
    assert_true(read_json(text_of(json), &arena, &ps, &doc));
    return doc;
}

static void assert_doc(const struct doc *doc, const char *json)
{
    struct builder b;

    builder_init(&b, 1 << 20);
    print_json(doc, &b);
    builder_add_byte(&b, '\0');
    assert_string_equal(builder_text(&b).at, json);
    builder_fini(&b);
}

static void refuse(const char *json, const char *sentence)
{
    struct problems ps;
    struct doc doc = doc_bool(true);

    problems_init(&ps);
    assert_false(read_json(text_of(json), &arena, &ps, &doc));
    assert_int_equal(doc.type, DOC_BOOL);
    assert_int_equal(ps.count, 1);
    assert_non_null(strstr(ps.items[0].sentence, sentence));
    problems_fini(&ps);
}

static void json_reads_and_prints_back(void **state)
{
    static const char *const docs[] = {
        "{\"b\":1,\"a\":[true,false,null,-5,9223372036854775807,\"\\u0001\\n\\\"/\"],\"c\":{}}",
        "[]",
        "\"\xc3\xa9\"",
        "[0.5,1e+30,2.0]",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(docs); i++) {
        struct doc doc = parse(docs[i]);
        struct doc copy = doc_copy(&doc, &arena);

        assert_doc(&doc, docs[i]);
        assert_true(doc_equals(&doc, &copy));
    }
}

static void json_is_read_strictly(void **state)
{
    refuse("{\"a\":1,\"a\":2}", "duplicate");
    refuse("{\"a\":1,\n \"b\":}", "at line 2, column 6");
    refuse("", "at line 1, column");
    refuse("{} {}", "at line 1, column");
    refuse("[99999999999999999999]", "too big integer");
    refuse("\"\\u0000\"", "at line 1");
    refuse("\"\xff\"", "unable to decode byte 0xff");
    refuse("{'a':1}", "at line 1");
    refuse("[1,]", "at line 1");
}

static void json_is_not_nested_deeper_than_allowed(void **state)
{
    char deep[2 * DOC_DEPTH_MAX + 3] = "";

    memset(deep, '[', DOC_DEPTH_MAX);
    memset(deep + DOC_DEPTH_MAX, ']', DOC_DEPTH_MAX);
    (void)parse(deep);
    memset(deep, '[', DOC_DEPTH_MAX + 1);
    memset(deep + DOC_DEPTH_MAX + 1, ']', DOC_DEPTH_MAX + 1);
    refuse(deep, "nested deeper than 32 levels");
}

static void values_are_read_one_by_one(void **state)
{
    const struct text json = TEXT("  {\"a\":1} ,\n [2]x");
    struct problems ps;
    struct doc doc;
    size_t at = 0;

    problems_init(&ps);
    assert_true(read_json_value(json, &at, &arena, &ps, &doc));
    assert_int_equal(at, 9);
    assert_doc(&doc, "{\"a\":1}");
    at = 11;
    assert_true(read_json_value(json, &at, &arena, &ps, &doc));
    assert_doc(&doc, "[2]");
    assert_int_equal(json.at[at], 'x');
    assert_false(read_json_value(json, &at, &arena, &ps, &doc));
    assert_non_null(strstr(ps.items[0].sentence, "line 2, column 5"));
    problems_fini(&ps);
}

static void members_are_added_set_and_removed(void **state)
{
    struct doc doc = doc_object();

    for (int i = 0; i < 20; i++) {
        char name[16];
        int length = snprintf(name, sizeof(name), "m%d", i);

        doc_add(&doc, &arena, arena_copy(&arena, text_from(name, (size_t)length)), doc_int(i));
    }
    doc_set(&doc, &arena, TEXT_OF("m7"), doc_text(TEXT_OF("seven")));
    assert_true(doc_remove(&doc, TEXT_OF("m3")));
    assert_false(doc_remove(&doc, TEXT_OF("m3")));
    assert_int_equal(doc.object.count, 19);
    assert_true(text_equals(doc_find_text(&doc, TEXT_OF("m7")), TEXT_OF("seven")));
    assert_int_equal(doc_find(&doc, TEXT_OF("m19"))->integer, 19);
    assert_null(doc_find(&doc, TEXT_OF("m3")));
    assert_true(text_is_empty(doc_find_text(&doc, TEXT_OF("m1"))));
}

static void pointers_find(void **state)
{
    struct doc doc = parse("{\"a/b\":{\"~\":[1,[2]]},\"\":3}");

    assert_ptr_equal(doc_find_pointer(&doc, TEXT_OF("")), &doc);
    assert_int_equal(doc_find_pointer(&doc, TEXT_OF("/a~1b/~0/1/0"))->integer, 2);
    assert_int_equal(doc_find_pointer(&doc, TEXT_OF("/"))->integer, 3);
    assert_null(doc_find_pointer(&doc, TEXT_OF("/a~1b/~0/2")));
    assert_null(doc_find_pointer(&doc, TEXT_OF("/a~1b/~0/-")));
    assert_null(doc_find_pointer(&doc, TEXT_OF("a")));
}

/* The table of RFC 7396, appendix A. */
static void merge_patches_apply(void **state)
{
    static const char *const rows[][3] = {
        { "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
        { "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
        { "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
        { "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}" },
        { "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
        { "[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]" },
        { "{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]" },
        { "{\"a\":\"foo\"}", "null", "null" },
        { "{\"a\":\"foo\"}", "\"bar\"", "\"bar\"" },
        { "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
        { "[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}" },
        { "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct doc target = parse(rows[i][0]);
        struct doc patch = parse(rows[i][1]);
        struct doc merged = merge_patch(&target, &patch, &arena);

        assert_doc(&merged, rows[i][2]);
        assert_doc(&target, rows[i][0]);
    }
}

static void fields_that_differ_are_listed(void **state)
{
    struct doc a = parse("{\"x\":1,\"l\":[1,{\"a\":1}],\"g\":{\"k/~\":1},\"n\":[1]}");
    struct doc b = parse("{\"x\":2,\"l\":[1,{\"a\":2}],\"g\":{\"k/~\":true},\"n\":[1,2],\"y\":0}");
    struct doc list = doc_list();

    diff_fields(&a, &b, &arena, &list);
    assert_doc(&list, "[{\"pointer\":\"/x\",\"before\":1,\"after\":2},"
                      "{\"pointer\":\"/l/1/a\",\"before\":1,\"after\":2},"
                      "{\"pointer\":\"/g/k~1~0\",\"before\":1,\"after\":true},"
                      "{\"pointer\":\"/n\",\"before\":[1],\"after\":[1,2]},"
                      "{\"pointer\":\"/y\",\"after\":0}]");
}

static void pretty_printing_indents(void **state)
{
    struct doc doc = parse("{\"a\":[1,{}],\"b\":{\"c\":[]}}");
    struct builder b;

    builder_init(&b, 10000);
    print_json_pretty(&doc, &b);
    builder_add_byte(&b, '\0');
    assert_string_equal(builder_text(&b).at, "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": {\n"
                                             "    \"c\": []\n  }\n}");
    builder_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(json_reads_and_prints_back, start, stop),
        cmocka_unit_test_setup_teardown(json_is_read_strictly, start, stop),
        cmocka_unit_test_setup_teardown(json_is_not_nested_deeper_than_allowed, start, stop),
        cmocka_unit_test_setup_teardown(values_are_read_one_by_one, start, stop),
        cmocka_unit_test_setup_teardown(members_are_added_set_and_removed, start, stop),
        cmocka_unit_test_setup_teardown(pointers_find, start, stop),
        cmocka_unit_test_setup_teardown(merge_patches_apply, start, stop),
        cmocka_unit_test_setup_teardown(fields_that_differ_are_listed, start, stop),
        cmocka_unit_test_setup_teardown(pretty_printing_indents, start, stop),
    };

    return cmocka_run_group_tests_name("conf/doc", tests, NULL, NULL);
}
