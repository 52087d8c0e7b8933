/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Golden files: tests/golden/conf/good must be accepted; of each file in bad exactly the messages
 * in FILE.expected must be given. node-* are node files, resources-* documents of resources.
 * With GOLDEN_UPDATE in the environment the expected messages are written instead (look at them).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/base/builder.h"
#include "conf/config.h"
#include "conf/node.h"
#include "conf/read_file.h"

#define FOLDER "tests/golden/conf/"

static bool check_node(const char *file, struct problems *ps)
{
    struct node_config *node = node_config_read(file, ps);
    bool is_good = node != NULL;

    node_config_unref(&node);
    return is_good;
}

static bool check_resources(const char *file, struct problems *ps)
{
    struct config config;
    bool is_good = config_read(file, NULL, ps, &config);

    if (is_good)
        config_fini(&config);
    return is_good;
}

/* All messages, a line each. */
static void check(const char *file, struct builder *messages)
{
    bool is_node = strstr(file, "/node-") != NULL;
    struct problems ps;
    bool is_good;

    problems_init(&ps);
    is_good = is_node ? check_node(file, &ps) : check_resources(file, &ps);
    assert_true(is_good == problems_is_empty(&ps));
    for (size_t i = 0; i < ps.count; i++) {
        problem_print(&ps.items[i], messages);
        builder_add_byte(messages, '\n');
    }
    problems_fini(&ps);
}

static void update(const char *file, struct text messages)
{
    FILE *out = fopen(file, "w");

    assert_non_null(out);
    assert_int_equal(fwrite(messages.at, 1, messages.length, out), messages.length);
    assert_int_equal(fclose(out), 0);
}

static void compare(const char *file, struct text messages, struct arena *arena)
{
    const char *expected_file = arena_print(arena, "%s.expected", file).at;
    struct problems ps;
    struct text expected = TEXT_EMPTY;

    if (getenv("GOLDEN_UPDATE") != NULL)
        update(expected_file, messages);
    problems_init(&ps);
    (void)!read_file(expected_file, NULL, arena, &ps, &expected);
    problems_fini(&ps);
    if (!text_equals(messages, expected))
        fail_msg("%s\n--- expected\n%.*s--- got\n%.*s", file, TEXT_ARGS(expected),
                 TEXT_ARGS(messages));
}

static void each(const char *pattern, bool is_bad)
{
    struct arena arena;
    glob_t found;

    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    arena_init(&arena, SIZE_MAX);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct builder messages;

        builder_init(&messages, 1 << 20);
        check(found.gl_pathv[i], &messages);
        if (is_bad)
            compare(found.gl_pathv[i], builder_text(&messages), &arena);
        else if (!text_is_empty(builder_text(&messages)))
            fail_msg("%s\n%.*s", found.gl_pathv[i], TEXT_ARGS(builder_text(&messages)));
        builder_fini(&messages);
    }
    arena_reset(&arena);
    globfree(&found);
}

static void good_files_are_accepted(void **state)
{
    each(FOLDER "good/*.conf", false);
    each(FOLDER "good/*.json", false);
}

static void bad_files_give_the_expected_messages(void **state)
{
    each(FOLDER "bad/*.conf", true);
    each(FOLDER "bad/*.json", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files_are_accepted),
        cmocka_unit_test(bad_files_give_the_expected_messages),
    };

    return cmocka_run_group_tests_name("conf/golden", tests, NULL, NULL);
}
