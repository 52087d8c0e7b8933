/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "conf/grammar.h"

static const struct checks no_checks;

struct row {
    field_check_fn *check;
    const char *good[24];
    const char *bad[24];
};

static const struct row rows[] = {
    { grammar_check_host,
      { "a", "example.com", "*.example.com", "EXAMPLE.com", "1.2.3.4", "[::1]", "a_b.c", "a1.2b" },
      { "", "*", "*.", "a:80", "*.1.2.3.4", "a..b", ".a", "a.", "-a", "a-", "::1", "[1.2.3.4]",
        "[::1]:80", "1.2.3", "256.1.1.1", "a b", "*.*.a", "a.*" } },
    { grammar_check_path,
      { "/", "/a", "/a/", "=/a", "/users/{id}", "/a/{b}/c/{d_1}", "~^/x$", "/%2F", "/caf\xc3\xa9",
        "/a//b", "/a;b" },
      { "",         "a",   "=",     "=a",    "~",    "/a?b",  "/a#b", "/a b",
        "/%",       "/%2", "/%zz",  "/%00",  "/%5c", "/a\\b", "/{a",  "/x{a}",
        "/{a}/{a}", "/{}", "/{1a}", "=/{a}", "/a}",  "*" } },
    { grammar_check_method, { "GET", "M-SEARCH" }, { "", "get", "G T", "GET\n" } },
    { grammar_check_target,
      { "a:1", "10.0.0.1:65535", "[::1]:80", "unix:/x" },
      { "", "a", "a:", "a:0", "a:65536", "10.0.0.1", "::1:80", "unix:", "http://a:80" } },
    { grammar_check_statuses,
      { "200", "200-399", "100-599" },
      { "", "20", "99", "600", "399-200", "200-", "-200", "2xx", "200-300-400" } },
    { grammar_check_by,
      { "consumer", "key", "ip", "route", "header:X-A" },
      { "", "Consumer", "header:", "header:a b", "cookie:a" } },
    { grammar_check_hash_on,
      { "client_ip", "consumer", "path", "header:X-A", "cookie:a" },
      { "", "ip", "cookie:", "header:" } },
    { grammar_check_scope, { "orders:read" }, { "", "a b", "a\"", "a\\", "\xc3\xa9" } },
    { grammar_check_header_name,
      { "X-A", "Via" },
      { "", "X A", "X:", "host", "Content-Length", "transfer-encoding", "TE", "Upgrade" } },
    { grammar_check_location,
      { "/", "/a/{id}", "https://{host}{path}{query}", "{scheme}://a/", "{path}", "//a" },
      { "", "a", "/a b", "http:", "http:/a", "1a://b", "/caf\xc3\xa9", "/\r\nX: y" } },
    { grammar_check_rewrite_path, { "/", "/a/{id}" }, { "", "a", "/a?b", "/%00" } },
    { grammar_check_asked_path,
      { "/", "/up?ready=1&x=%20", "/a//b" },
      { "", "a", "/a b", "/a#b", "/\xc3\xa9", "/a\\b", "/%4", "/a\nb" } },
};

static bool is_accepted(field_check_fn *check, const char *value)
{
    struct builder why;
    bool is_good;

    builder_init(&why, 10000);
    is_good = check(TEXT_EMPTY, text_of(value), &no_checks, &why);
    assert_true(is_good == text_is_empty(builder_text(&why)));
    builder_fini(&why);
    return is_good;
}

static void grammars_take_what_is_good_and_nothing_else(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        for (size_t j = 0; rows[i].good[j] != NULL; j++) {
            if (!is_accepted(rows[i].check, rows[i].good[j]))
                fail_msg("row %zu refuses %s", i, rows[i].good[j]);
        }
        for (size_t j = 0; rows[i].bad[j] != NULL; j++) {
            if (is_accepted(rows[i].check, rows[i].bad[j]))
                fail_msg("row %zu takes %s", i, rows[i].bad[j]);
        }
    }
}

static bool refuse_pattern(struct text pattern, struct builder *why)
{
    builder_addf(why, "bad at %zu", pattern.length);
    return text_equals(pattern, TEXT_OF("good"));
}

static void patterns_are_asked_of_the_hook(void **state)
{
    const struct checks checks = { .pattern = refuse_pattern };
    struct builder why;

    builder_init(&why, 10000);
    assert_true(grammar_check_path(TEXT_EMPTY, TEXT_OF("~good"), &checks, &why));
    assert_true(text_is_empty(builder_text(&why)));
    assert_false(grammar_check_path(TEXT_EMPTY, TEXT_OF("~no"), &checks, &why));
    assert_true(text_equals(builder_text(&why),
                            TEXT_OF("must be a regular expression behind the ~: bad at 2.")));
    builder_clear(&why);
    assert_false(grammar_check_header_match(TEXT_OF("A"), TEXT_OF("~no"), &checks, &why));
    builder_clear(&why);
    assert_true(grammar_check_header_match(TEXT_OF("A"), TEXT_OF("no"), &checks, &why));
    assert_true(grammar_check_query_match(TEXT_OF("A"), TEXT_OF("*"), &checks, &why));
    assert_false(grammar_check_query_match(TEXT_OF(""), TEXT_OF("*"), &checks, &why));
    builder_fini(&why);
}

static void header_values_hold_no_controls(void **state)
{
    assert_true(grammar_is_header_value(TEXT_OF("")));
    assert_true(grammar_is_header_value(TEXT_OF("a\tb")));
    assert_false(grammar_is_header_value(TEXT_OF("a\r\nb")));
    assert_false(grammar_is_header_value(TEXT_OF(" a")));
    assert_false(grammar_is_header_value(TEXT_OF("a\177")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grammars_take_what_is_good_and_nothing_else),
        cmocka_unit_test(patterns_are_asked_of_the_hook),
        cmocka_unit_test(header_values_hold_no_controls),
    };

    return cmocka_run_group_tests_name("conf/grammar", tests, NULL, NULL);
}
