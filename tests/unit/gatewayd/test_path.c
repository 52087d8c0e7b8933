/* SPDX-License-Identifier: Apache-2.0 */
/* test_path.c - paths in the form in which they are compared and sent on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gatewayd/http/path.h"

typedef enum refusal parse_fn(struct text raw, struct arena *arena, struct path *path_out);

static void expect_same(parse_fn *parse, struct text raw, struct text normal, bool has_slash)
{
    struct arena arena;
    struct path path;
    arena_init(&arena, 4096);
    enum refusal r = parse(raw, &arena, &path);
    if (r != REFUSAL_NONE)
        fail_msg("%.*s: %s", TEXT_ARGS(raw), refusal_name(r).at);
    if (!text_equals(path.text, normal))
        fail_msg("%.*s: %.*s, not %.*s", TEXT_ARGS(raw), TEXT_ARGS(path.text), TEXT_ARGS(normal));
    assert_int_equal(path.has_encoded_slash, has_slash);
    arena_reset(&arena);
}

/* What comes out goes in again and comes out the same. */
static void expect(const char *raw, const char *normal)
{
    bool has_slash = strstr(normal, "%2F") != NULL;
    expect_same(path_parse, text_of(raw), text_of(normal), has_slash);
    expect_same(path_parse, text_of(normal), text_of(normal), has_slash);
    expect_same(path_parse_pattern, text_of(raw), text_of(normal), has_slash);
}

static void refuse(parse_fn *parse, struct text raw, enum refusal expected)
{
    struct arena arena;
    struct path path = { .text = TEXT_OF("untouched") };
    arena_init(&arena, 4096);
    enum refusal r = parse(raw, &arena, &path);
    if (r != expected)
        fail_msg("%.*s: %.*s", TEXT_ARGS(raw), TEXT_ARGS(refusal_name(r)));
    assert_true(text_equals(path.text, TEXT_OF("untouched")));
    arena_reset(&arena);
}

static void normal_paths_stay_where_they_are(void **state)
{
    static const char *const paths[] = {
        "/",
        "/a",
        "/a/",
        "/a/b.c/d..e/...x",
        "/a/...",
        "/a=b;c,d:e@f!g$h&i'j(k)l*m+n",
        "/~user/-_.",
        "/{id}/|x|\"<>^`",
        "/0123456789abcdef/0123456789abcdef/0123456789abcdef",
    };
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        struct path path;
        struct text raw = text_of(paths[i]);
        if (strstr(paths[i], "/.") == NULL) {
            assert_int_equal(path_parse(raw, &arena, &path), REFUSAL_NONE);
            assert_ptr_equal(path.text.at, raw.at);
        }
        expect(paths[i], paths[i]);
    }
    arena_reset(&arena);
}

static void escapes_are_decoded_where_it_means_nothing(void **state)
{
    expect("/%61%62%2D%2e%5F%7ex", "/ab-._~x");
    expect("/%41%5a%30", "/AZ0");
    expect("/%3a%2C%20%c3%a9", "/%3A%2C%20%C3%A9");
    expect("/a%2fb%2Fc", "/a%2Fb%2Fc");
    expect("/a%2fb/../c", "/c");
    expect("/%252e%252e/%2561", "/%252e%252e/%2561");
    expect("/%25%32%65", "/%252e");
    expect("/%7Bid%7d", "/%7Bid%7D");
    expect("/%0a%7f%01", "/%0A%7F%01");
    expect("/%ff", "/%FF");
}

static void slashes_and_dots_are_resolved(void **state)
{
    expect("//", "/");
    expect("///a///b///", "/a/b/");
    expect("/.", "/");
    expect("/./", "/");
    expect("/..", "/");
    expect("/../", "/");
    expect("/../../a", "/a");
    expect("/a/..", "/");
    expect("/a/../", "/");
    expect("/a/.", "/a/");
    expect("/a/b/..", "/a/");
    expect("/a/b/../..", "/");
    expect("/a/b/../../..", "/");
    expect("/a/./b", "/a/b");
    expect("/a//../b", "/b");
    expect("/a/b//..//c", "/a/c");
    expect("/a/%2e%2E/b", "/b");
    expect("/a/.%2e/b", "/b");
    expect("/a/%2e/b", "/a/b");
    expect("/.well-known/x", "/.well-known/x");
    expect("/..a/.b./..", "/..a/");
    expect("/...", "/...");
    expect("/a/..b/..", "/a/");
    expect("/0123456789abcde/../x", "/x");
    expect("/0123456789abcdef/../x", "/x");
    expect("/0123456789abcd//x", "/0123456789abcd/x");
    expect("/0123456789abcdef//x", "/0123456789abcdef/x");
}

static void what_servers_read_differently_is_refused(void **state)
{
    static const struct {
        struct text raw;
        enum refusal expected;
    } rows[] = {
        { TEXT("/%"), REFUSAL_PATH_ESCAPE },
        { TEXT("/%2"), REFUSAL_PATH_ESCAPE },
        { TEXT("/%2/"), REFUSAL_PATH_ESCAPE },
        { TEXT("/%zz"), REFUSAL_PATH_ESCAPE },
        { TEXT("/%u002e"), REFUSAL_PATH_ESCAPE },
        { TEXT("/a%00b"), REFUSAL_PATH_ESCAPED_BYTE },
        { TEXT("/..%5cx"), REFUSAL_PATH_ESCAPED_BYTE },
        { TEXT("/..;/x"), REFUSAL_PATH_DOT_SEGMENT },
        { TEXT("/.;x"), REFUSAL_PATH_DOT_SEGMENT },
        { TEXT("/a/%2e%2e;a=b/x"), REFUSAL_PATH_DOT_SEGMENT },
        { TEXT("/a/..%2fb"), REFUSAL_PATH_DOT_SEGMENT },
        { TEXT("/a%2f..%2Fb"), REFUSAL_PATH_DOT_SEGMENT },
        { TEXT("/a%2f%2e"), REFUSAL_PATH_DOT_SEGMENT },
        { TEXT("/a%2f..;x"), REFUSAL_PATH_DOT_SEGMENT },
        { TEXT("/a\\b"), REFUSAL_TARGET_BYTE },
        { TEXT("/a#b"), REFUSAL_TARGET_BYTE },
        { TEXT("/a\tb"), REFUSAL_TARGET_BYTE },
        { TEXT("/a\0b"), REFUSAL_TARGET_BYTE },
        { TEXT("/0123456789abcdef0123456789abcdef\x7f"), REFUSAL_TARGET_BYTE },
        { TEXT("/%zz\\"), REFUSAL_PATH_ESCAPE },
        { TEXT(""), REFUSAL_PATH_FORM },
        { TEXT("a/b"), REFUSAL_PATH_FORM },
        { TEXT("%2Fa"), REFUSAL_PATH_FORM },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        refuse(path_parse, rows[i].raw, rows[i].expected);
        refuse(path_parse_pattern, rows[i].raw, rows[i].expected);
    }
    refuse(path_parse, TEXT_OF("/a b"), REFUSAL_TARGET_BYTE);
    refuse(path_parse, TEXT_OF("/caf\xc3\xa9"), REFUSAL_TARGET_BYTE);
}

static void patterns_may_be_plain_utf8(void **state)
{
    expect_same(path_parse_pattern, TEXT_OF("/caf\xc3\xa9 au lait/\xe2\x82\xac/\xf0\x9f\x98\x80"),
                TEXT_OF("/caf%C3%A9%20au%20lait/%E2%82%AC/%F0%9F%98%80"), false);
    expect_same(path_parse_pattern, TEXT_OF("/users/{id}/../{id}"), TEXT_OF("/users/{id}"), false);
    refuse(path_parse_pattern, TEXT_OF("/\xff"), REFUSAL_TARGET_BYTE);
    refuse(path_parse_pattern, TEXT_OF("/\xc3"), REFUSAL_TARGET_BYTE);
    refuse(path_parse_pattern, TEXT_OF("/\xc0\xaf"), REFUSAL_TARGET_BYTE);
    refuse(path_parse_pattern, TEXT_OF("/\xe0\x80\xaf"), REFUSAL_TARGET_BYTE);
    refuse(path_parse_pattern, TEXT_OF("/\xed\xa0\x80"), REFUSAL_TARGET_BYTE);
    refuse(path_parse_pattern, TEXT_OF("/\xf4\x90\x80\x80"), REFUSAL_TARGET_BYTE);
    refuse(path_parse_pattern, TEXT_OF("/a?b"), REFUSAL_TARGET_BYTE);
}

static void a_full_arena_is_a_refusal(void **state)
{
    struct arena arena;
    struct path path;
    arena_init(&arena, 0);
    assert_int_equal(path_parse(TEXT_OF("/a/.."), &arena, &path), REFUSAL_TARGET_TOO_LONG);
    arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normal_paths_stay_where_they_are),
        cmocka_unit_test(escapes_are_decoded_where_it_means_nothing),
        cmocka_unit_test(slashes_and_dots_are_resolved),
        cmocka_unit_test(what_servers_read_differently_is_refused),
        cmocka_unit_test(patterns_may_be_plain_utf8),
        cmocka_unit_test(a_full_arena_is_a_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
