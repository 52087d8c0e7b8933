/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines of gatewayctl: what they mean, and what is said of those that mean nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/ctl/args.h"
#include "conf/base/mem.h"

#define WORDS 16

struct line {
    const char *words[WORDS];
};

static size_t count(const struct line *line)
{
    size_t n = 0;

    while (n < WORDS && line->words[n] != NULL)
        n++;
    return n;
}

static struct args parse(struct line line)
{
    struct builder why;
    struct args args;

    builder_init(&why, 4096);
    if (!args_parse(line.words, count(&line), &args, &why))
        fail_msg("%.*s", TEXT_ARGS(builder_text(&why)));
    builder_fini(&why);
    return args;
}

/* The words of a line live in the test's frame. */
#define PARSE(...) parse((struct line){ { __VA_ARGS__ } })

static void refuse(struct line line, const char *sentence)
{
    struct builder why;
    struct args args;

    builder_init(&why, 4096);
    assert_false(args_parse(line.words, count(&line), &args, &why));
    builder_add_byte(&why, '\0');
    if (!text_contains(builder_text(&why), text_of(sentence)))
        fail_msg("not in \"%s\": \"%s\"", builder_text(&why).at, sentence);
    builder_fini(&why);
}

#define REFUSE(sentence, ...) refuse((struct line){ { __VA_ARGS__ } }, sentence)

static void test_a_verb_and_its_arguments(void **state)
{
    struct args args = PARSE("get", "routes", "orders");

    assert_string_equal(args.verb->name, "get");
    assert_int_equal(args.count, 2);
    assert_string_equal(args_word(&args, 0), "routes");
    assert_string_equal(args_word(&args, 1), "orders");
    assert_null(args_word(&args, 2));
    args_fini(&args);
}

static void test_a_verb_of_two_words(void **state)
{
    struct args args = PARSE("keys", "create", "acme");

    assert_string_equal(args.verb->name, "keys create");
    assert_string_equal(args_word(&args, 0), "acme");
    args_fini(&args);
    args = PARSE("nodes");
    assert_string_equal(args.verb->name, "nodes");
    args_fini(&args);
    args = PARSE("nodes", "forget", "gw-c");
    assert_string_equal(args.verb->name, "nodes forget");
    args_fini(&args);
}

static void test_options_stand_anywhere(void **state)
{
    struct args args = PARSE("--server", "http://a", "get", "-o", "json", "routes", "--set");

    assert_string_equal(args.values[OPTION_SERVER], "http://a");
    assert_string_equal(args.values[OPTION_OUTPUT], "json");
    assert_true(args_has(&args, OPTION_SET));
    assert_false(args_has(&args, OPTION_LIMIT));
    assert_int_equal(args.count, 1);
    args_fini(&args);
}

static void test_values_in_the_same_word(void **state)
{
    struct args args = PARSE("get", "routes", "--server=http://a=b", "-ojson");

    assert_string_equal(args.values[OPTION_SERVER], "http://a=b");
    assert_string_equal(args.values[OPTION_OUTPUT], "json");
    args_fini(&args);
}

static void test_a_value_may_look_like_an_option(void **state)
{
    struct args args = PARSE("apply", "-f", "-", "-y");

    assert_string_equal(args.values[OPTION_FILE], "-");
    assert_true(args_has(&args, OPTION_YES));
    args_fini(&args);
}

static void test_two_dashes_end_options(void **state)
{
    struct args args = PARSE("delete", "route", "--", "--help");

    assert_int_equal(args.count, 2);
    assert_string_equal(args_word(&args, 1), "--help");
    assert_false(args_has(&args, OPTION_HELP));
    args_fini(&args);
}

static void test_headers_may_come_several_times(void **state)
{
    struct args args = PARSE("explain", "/", "-H", "A: 1", "--header", "B: 2");

    assert_int_equal(args.header_count, 2);
    assert_string_equal(args.headers[0], "A: 1");
    assert_string_equal(args.headers[1], "B: 2");
    args_fini(&args);
}

static void test_help_needs_no_arguments(void **state)
{
    struct args args = PARSE("keys", "create", "--help");

    assert_string_equal(args.verb->name, "keys create");
    args_fini(&args);
    args = PARSE("-h");
    assert_null(args.verb);
    args_fini(&args);
    args = PARSE("keys", "--help");
    assert_null(args.verb);
    args_fini(&args);
}

static void test_what_is_refused(void **state)
{
    REFUSE("There is no verb \"gte\". Is \"get\" meant?", "gte", "routes");
    REFUSE("There is no verb \"keys crate\". Is \"keys create\" meant?", "keys", "crate", "acme");
    REFUSE("There are: keys create, keys list", "keys");
    REFUSE("There is no option --serer. Is --server meant?", "get", "routes", "--serer", "x");
    REFUSE("There is no option -Z", "get", "routes", "-Z");
    REFUSE("--server needs a value", "status", "--server");
    REFUSE("--yes takes no value", "apply", "x", "--yes=no");
    REFUSE("--limit is there twice", "get", "routes", "--limit", "1", "--limit", "2");
    REFUSE("does not take --yes", "get", "routes", "--yes");
    REFUSE("Something is missing. It is: gatewayctl get KIND [NAME]", "get");
    REFUSE("That is too much. It is: gatewayctl status", "status", "now");
}

static void test_a_token_is_never_taken_from_the_command_line(void **state)
{
    REFUSE("use --token-file", "status", "--token", "secret");
    REFUSE("use --token-file", "status", "--token=secret");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_verb_and_its_arguments),
        cmocka_unit_test(test_a_verb_of_two_words),
        cmocka_unit_test(test_options_stand_anywhere),
        cmocka_unit_test(test_values_in_the_same_word),
        cmocka_unit_test(test_a_value_may_look_like_an_option),
        cmocka_unit_test(test_two_dashes_end_options),
        cmocka_unit_test(test_headers_may_come_several_times),
        cmocka_unit_test(test_help_needs_no_arguments),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_a_token_is_never_taken_from_the_command_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
