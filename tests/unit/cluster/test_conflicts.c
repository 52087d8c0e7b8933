/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_conflicts.c - what could not be merged is listed again by the next process.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cluster/conflicts.h"
#include "cluster/disk.h"
#include "gatewayd/core/loop.h"
#include "tests/unit/cluster/folder.h"
#include "tests/unit/gatewayd/cmocka_all.h"

static char *path;
static struct loop *loop;
static struct mailbox *mailbox;
static struct state_dir *dir;
static struct scribe *scribe;
static struct conflicts *conflicts;
static unsigned saves;

static void on_saved(void *arg)
{
    saves++;
}

static void open_all(void)
{
    struct problems ps;
    problems_init(&ps);
    dir = state_dir_open(text_of(path), &ps);
    assert_non_null(dir);
    assert_true(state_dir_lock(dir, &ps));
    problems_fini(&ps);
    scribe = scribe_new(mailbox);
    conflicts = conflicts_new(dir, loop, on_saved, NULL);
    conflicts_start(conflicts, scribe);
}

static void close_all(void)
{
    conflicts_stop(conflicts);
    conflicts_free(&conflicts);
    scribe_free(&scribe);
    state_dir_close(&dir);
}

static void start_again(void)
{
    close_all();
    open_all();
}

static int set_up(void **state)
{
    path = folder_new();
    loop = loop_new("test");
    mailbox = mailbox_new(loop);
    saves = 0;
    open_all();
    return 0;
}

static int tear_down(void **state)
{
    disk_set_fault(NULL);
    close_all();
    mailbox_free(&mailbox);
    loop_free(&loop);
    folder_remove(&path);
    return 0;
}

static size_t count(void)
{
    size_t n;
    (void)conflicts_get(conflicts, &n);
    return n;
}

static uint64_t nth(size_t i)
{
    size_t n;
    const uint64_t *revisions = conflicts_get(conflicts, &n);
    assert_true(i < n);
    return revisions[i];
}

static bool has_file(void)
{
    return faccessat(dir->fd, "conflicts", F_OK, 0) == 0;
}

static void the_next_process_knows_them(void **state)
{
    assert_int_equal(count(), 0);
    conflicts_add(conflicts, 7, 20);
    conflicts_add(conflicts, 5, 21);
    conflicts_add(conflicts, 7, 22); /* once */
    start_again();
    assert_int_equal(count(), 2);
    assert_int_equal(nth(0), 7);
    assert_int_equal(nth(1), 5);
}

static void many_at_once_are_written_together(void **state)
{
    for (uint64_t i = 1; i <= CONFLICTS_MOST + 10; i++)
        conflicts_add(conflicts, i, 1);
    assert_false(conflicts_try_save(conflicts)); /* the scribe has the first */
    while (!conflicts_try_save(conflicts))
        loop_run_once(loop, true);
    start_again();
    assert_int_equal(count(), CONFLICTS_MOST);
    assert_in_range(saves, 1, 3);
}

static void they_end_with_the_history_that_is_kept(void **state)
{
    conflicts_add(conflicts, 7, 20);
    conflicts_add(conflicts, 5, 21);
    conflicts_forget(conflicts, 20);
    assert_int_equal(count(), 2);
    conflicts_forget(conflicts, 21);
    start_again();
    assert_int_equal(count(), 1);
    assert_int_equal(nth(0), 5);
    conflicts_forget(conflicts, 22);
    start_again();
    assert_int_equal(count(), 0);
    assert_false(has_file());
}

static int fail_to_write(enum disk_call call, size_t *length)
{
    return call == DISK_CALL_WRITE ? ENOSPC : 0;
}

static void a_full_disk_loses_none_that_are_there(void **state)
{
    conflicts_add(conflicts, 7, 20);
    conflicts_stop(conflicts);
    conflicts_start(conflicts, scribe);
    disk_set_fault(fail_to_write);
    conflicts_add(conflicts, 8, 20);
    assert_int_equal(count(), 2);
    conflicts_stop(conflicts);
    disk_set_fault(NULL);
    start_again();
    assert_int_equal(count(), 1);
}

static void what_is_none_is_passed_over(void **state)
{
    static const char lines[] = "3 9\nx\n4\n5 9 9\n6 10\n";
    int fd = openat(dir->fd, "conflicts", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, lines, sizeof(lines) - 1), sizeof(lines) - 1);
    close(fd);
    start_again();
    assert_int_equal(count(), 2);
    assert_int_equal(nth(0), 3);
    assert_int_equal(nth(1), 6);
}

/* The folder is another process's: only the list goes on. */
static void without_the_lock_nothing_is_written(void **state)
{
    state_dir_unlock(dir);
    conflicts_add(conflicts, 7, 20);
    assert_true(conflicts_try_save(conflicts));
    assert_int_equal(count(), 1);
    assert_false(has_file());
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_next_process_knows_them),
        TEST(many_at_once_are_written_together),
        TEST(they_end_with_the_history_that_is_kept),
        TEST(a_full_disk_loses_none_that_are_there),
        TEST(what_is_none_is_passed_over),
        TEST(without_the_lock_nothing_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
