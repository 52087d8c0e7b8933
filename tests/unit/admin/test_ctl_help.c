/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of verbs and options are whole, and completion goes by them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/ctl/args.h"
#include "admin/ctl/completion.h"
#include "admin/ctl/help.h"
#include "admin/ctl/option.h"
#include "conf/base/must.h"

static void test_every_verb_teaches_with_an_example(void **state)
{
    for (size_t i = 0; i < verb_count; i++) {
        const struct verb *verb = &verb_rows[i];
        struct text summary = text_of(verb->summary);

        assert_non_null(verb->run);
        assert_true(verb->least <= verb->most);
        assert_true(text_ends_with(summary, TEXT_OF(".")));
        assert_non_null(verb->examples[0].line);
        for (size_t j = 0; j < VERB_EXAMPLES && verb->examples[j].line != NULL; j++) {
            assert_non_null(verb->examples[j].what);
            assert_true(text_contains(text_of(verb->examples[j].line), text_of("gatewayctl")));
            assert_true(text_contains(text_of(verb->examples[j].line), text_of(verb->name)));
        }
    }
}

static void test_every_verb_is_found_by_its_words(void **state)
{
    for (size_t i = 0; i < verb_count; i++) {
        struct text name = text_of(verb_rows[i].name);
        char first[64] = { 0 };
        size_t space = text_find_byte(name, ' ');
        const char *words[] = { first, name.at + space + 1 };
        size_t used;

        memcpy(first, name.at, space);
        assert_ptr_equal(verb_find(words, space < name.length ? 2 : 1, &used), &verb_rows[i]);
        assert_int_equal(used, space < name.length ? 2 : 1);
    }
}

static void test_every_option_has_a_summary_and_is_taken(void **state)
{
    uint64_t taken = option_common;

    for (size_t i = 0; i < verb_count; i++)
        taken |= verb_rows[i].options;
    for (size_t i = 0; i < OPTION_IDS; i++) {
        enum option_id id;

        assert_non_null(option_rows[i].name);
        assert_true(text_ends_with(text_of(option_rows[i].summary), TEXT_OF(".")));
        assert_true(option_is_in((enum option_id)i, taken));
        assert_true(option_find(text_of(option_rows[i].name), &id));
        assert_int_equal(id, i);
        if (option_rows[i].letter != '\0') {
            assert_true(option_find_letter(option_rows[i].letter, &id));
            assert_int_equal(id, i);
        }
    }
}

static void test_help_says_it_all(void **state)
{
    struct builder b;
    struct text line;
    struct text rest;

    builder_init(&b, 4 << 20);
    help_print_all(&b);
    assert_false(builder_is_full(&b));
    for (size_t i = 0; i < verb_count; i++) {
        assert_true(text_contains(builder_text(&b), text_of(verb_rows[i].name)));
        assert_true(text_contains(builder_text(&b), text_of(verb_rows[i].examples[0].line)));
    }
    for (rest = builder_text(&b); rest.at != NULL && text_cut(&rest, '\n', &line);)
        assert_false(text_ends_with(line, TEXT_OF(" ")));
    builder_clear(&b);
    help_print_man(&b);
    assert_true(text_starts_with(builder_text(&b), TEXT_OF(".TH GATEWAYCTL 1")));
    builder_fini(&b);
}

/* ---- completion ---- */

static void add_names(struct completion *completion, const char *plural, void *arg)
{
    (void)arg;
    if (strcmp(plural, "routes") == 0) {
        completion_add(completion, TEXT_OF("login"));
        completion_add(completion, TEXT_OF("orders"));
    }
}

static void complete(const char *const *words, size_t count, const char *expected)
{
    struct builder b;

    builder_init(&b, 65536);
    completion_print(words, count, add_names, NULL, &b);
    builder_add_byte(&b, '\0');
    assert_string_equal(builder_text(&b).at, expected);
    builder_fini(&b);
}

#define COMPLETE(expected, ...)                                                                    \
    complete((const char *const[]){ __VA_ARGS__ },                                                 \
             ARRAY_LENGTH(((const char *const[]){ __VA_ARGS__ })), expected)

static void test_completion(void **state)
{
    COMPLETE("explain\n", "ex");
    COMPLETE("keys\n", "ke");
    COMPLETE("create\nchange\n", "keys", "c");
    COMPLETE("routes\n", "get", "r");
    COMPLETE("keys\n", "get", "k");
    COMPLETE("", "delete", "k");
    COMPLETE("login\norders\n", "get", "routes", "");
    COMPLETE("orders\n", "delete", "route", "login", "o");
    COMPLETE("upstream=\n", "patch", "route", "login", "ups");
    COMPLETE("json\n", "get", "routes", "-o", "j");
    COMPLETE("login\norders\n", "-o", "json", "get", "routes", "");
    COMPLETE("--server\n--set\n", "get", "routes", "--se");
    COMPLETE("forget\n", "nodes", "");
    /* Files: the shell's own. */
    COMPLETE("", "apply", "");
    COMPLETE("", "apply", "-f", "");
    COMPLETE("", "nonsense", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_verb_teaches_with_an_example),
        cmocka_unit_test(test_every_verb_is_found_by_its_words),
        cmocka_unit_test(test_every_option_has_a_summary_and_is_taken),
        cmocka_unit_test(test_help_says_it_all),
        cmocka_unit_test(test_completion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
