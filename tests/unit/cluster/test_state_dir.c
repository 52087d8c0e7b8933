/* SPDX-License-Identifier: Apache-2.0 */
/* test_state_dir.c - a folder is used by one process, and only if nobody else can write to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "cluster/state_dir.h"
#include "tests/unit/cluster/folder.h"

static char *path;
static struct problems problems;

static int set_up(void **state)
{
    path = folder_new();
    problems_init(&problems);
    return 0;
}

static int tear_down(void **state)
{
    problems_fini(&problems);
    folder_remove(&path);
    return 0;
}

static void assert_says(const char *piece)
{
    assert_int_equal(problems.count, 1);
    if (strstr(problems.items[0].sentence, piece) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", problems.items[0].sentence, piece);
}

static void a_missing_folder_is_named(void **state)
{
    assert_null(state_dir_open(TEXT_OF("/nonexistent/state"), &problems));
    assert_says("/nonexistent/state cannot be opened: No such file or directory. Create it");
    assert_string_equal(problems.items[0].path, "state.dir");
}

static void a_folder_others_can_write_to_is_refused(void **state)
{
    assert_int_equal(chmod(path, 0777), 0);
    assert_null(state_dir_open(text_of(path), &problems));
    assert_says("can be written by others");
}

static void a_folder_we_cannot_write_to_is_refused(void **state)
{
    if (geteuid() == 0)
        skip();
    assert_int_equal(chmod(path, 0500), 0);
    assert_null(state_dir_open(text_of(path), &problems));
    assert_int_equal(chmod(path, 0700), 0);
    assert_says("cannot be written by user");
}

static void two_cannot_hold_it(void **state)
{
    struct state_dir *first = state_dir_open(text_of(path), &problems);
    struct state_dir *second = state_dir_open(text_of(path), &problems);
    assert_true(state_dir_lock(first, &problems));
    assert_false(state_dir_lock(second, &problems));
    char piece[64];
    snprintf(piece, sizeof(piece), "is in use by another gatewayd (process %ld)", (long)getpid());
    assert_says(piece);
    state_dir_unlock(first);
    assert_true(state_dir_lock(second, &problems));
    state_dir_close(&first);
    state_dir_close(&second);
}

static void the_lock_ends_with_its_process(void **state)
{
    pid_t child = fork();
    if (child == 0) {
        struct state_dir *d = state_dir_open(text_of(path), &problems);
        _exit(state_dir_lock(d, &problems) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    struct state_dir *d = state_dir_open(text_of(path), &problems);
    assert_true(state_dir_lock(d, &problems));
    state_dir_close(&d);
}

static void a_link_is_not_followed(void **state)
{
    struct state_dir *d = state_dir_open(text_of(path), &problems);
    assert_int_equal(symlinkat("/etc/passwd", d->fd, "journal"), 0);
    int fd;
    assert_false(state_dir_open_file(d, "journal", &fd, &problems));
    assert_says("cannot be opened");
    state_dir_close(&d);
}

static int64_t fresh_after_a_start(void)
{
    struct state_dir *d = state_dir_open(text_of(path), &problems);
    assert_non_null(d);
    assert_true(state_dir_lock(d, &problems));
    int64_t fresh = d->fresh_ms;
    state_dir_close(&d);
    return fresh;
}

static void when_it_was_known_to_be_whole_outlives_processes(void **state)
{
    struct timespec old[] = { { 1000000000, 0 }, { 1000000000, 5000000 } };
    struct state_dir *d = state_dir_open(text_of(path), &problems);
    assert_true(state_dir_lock(d, &problems));
    assert_int_equal(futimens(d->lock_fd, old), 0);
    state_dir_close(&d);
    assert_true(fresh_after_a_start() == 1000000000005);
    assert_true(fresh_after_a_start() == 1000000000005);
    d = state_dir_open(text_of(path), &problems);
    assert_true(state_dir_lock(d, &problems));
    state_dir_set_fresh(d);
    int64_t now = d->fresh_ms;
    state_dir_close(&d);
    assert_true(now > 1000000000005);
    assert_true(fresh_after_a_start() == now);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_missing_folder_is_named),
        TEST(a_folder_others_can_write_to_is_refused),
        TEST(a_folder_we_cannot_write_to_is_refused),
        TEST(two_cannot_hold_it),
        TEST(the_lock_ends_with_its_process),
        TEST(a_link_is_not_followed),
        TEST(when_it_was_known_to_be_whole_outlives_processes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
