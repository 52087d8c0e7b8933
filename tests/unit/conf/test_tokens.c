/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "conf/tokens.h"

/* SHA-256 of "secret" and of "other". */
#define SECRET "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
#define OTHER  "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"

static void refuse(const char *text, unsigned line, const char *sentence)
{
    struct tokens ts = { .count = 77 };
    struct problems ps;

    problems_init(&ps);
    assert_false(tokens_parse(text_of(text), "tokens", &ps, &ts));
    assert_int_equal(ts.count, 77);
    assert_int_equal(ps.count, 1);
    assert_string_equal(ps.items[0].file, "tokens");
    assert_int_equal(ps.items[0].line, line);
    assert_string_equal(ps.items[0].sentence, sentence);
    problems_fini(&ps);
}

static void tokens_are_found_by_their_secret(void **state)
{
    struct tokens ts;
    struct problems ps;

    problems_init(&ps);
    assert_true(tokens_parse(TEXT_OF("# people\n\nann  admin\t" SECRET " # old\r\n"
                                     "ann viewer " OTHER),
                             "tokens", &ps, &ts));
    assert_int_equal(ts.count, 2);
    assert_string_equal(tokens_find(&ts, TEXT_OF("secret"))->name.at, "ann");
    assert_int_equal(tokens_find(&ts, TEXT_OF("secret"))->role, TOKENS_ADMIN);
    assert_int_equal(tokens_find(&ts, TEXT_OF("other"))->role, TOKENS_VIEWER);
    assert_null(tokens_find(&ts, TEXT_OF("nothing")));
    tokens_fini(&ts);
}

static void an_empty_file_has_no_tokens(void **state)
{
    struct tokens ts;
    struct problems ps;

    problems_init(&ps);
    assert_true(tokens_parse(TEXT_EMPTY, "tokens", &ps, &ts));
    assert_int_equal(ts.count, 0);
    assert_null(tokens_find(&ts, TEXT_OF("")));
    tokens_fini(&ts);
}

static void bad_lines_are_said(void **state)
{
    refuse("ann admin", 1, "A line of tokens must be NAME ROLE SHA256-OF-TOKEN-IN-HEX.");
    refuse("\nann admin " SECRET " x", 2,
           "A line of tokens must be NAME ROLE SHA256-OF-TOKEN-IN-HEX.");
    refuse("ann root " SECRET, 1,
           "The role of ann must be viewer, operator or admin, got \"root\".");
    refuse("ann admin 12ab", 1,
           "The token of ann must be the SHA-256 of it, 64 hexadecimal digits, got 4 characters.");
    refuse("ann admin " SECRET "\nbob viewer " SECRET, 2,
           "The token of bob is that of ann too; each must have its own.");
    refuse("Ann admin " SECRET, 1,
           "\"Ann\" must be a name: 1 to 63 lower-case letters, digits, '.', '_' or '-', beginning "
           "with a letter or digit.");
}

static void a_missing_file_is_said(void **state)
{
    struct tokens ts;
    struct problems ps;

    problems_init(&ps);
    assert_false(tokens_read("/nonexistent/tokens", &ps, &ts));
    assert_string_equal(ps.items[0].sentence,
                        "The file /nonexistent/tokens cannot be read: No such file or directory.");
    problems_fini(&ps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_found_by_their_secret),
        cmocka_unit_test(an_empty_file_has_no_tokens),
        cmocka_unit_test(bad_lines_are_said),
        cmocka_unit_test(a_missing_file_is_said),
    };

    return cmocka_run_group_tests_name("conf/tokens", tests, NULL, NULL);
}
