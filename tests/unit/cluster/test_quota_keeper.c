/* SPDX-License-Identifier: Apache-2.0 */
/* test_quota_keeper.c - what a quota has counted is known after a restart. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <semaphore.h>

#include "cluster/disk.h"
#include "cluster/quota_keeper.h"
#include "conf/base/mem.h"
#include "gatewayd/policy/limiter.h"
#include "tests/unit/cluster/folder.h"

struct node {
    char *path;
    struct state_dir *dir;
    struct loop *loop;
    struct mailbox *mailbox;
    struct scribe *scribe;
    struct turns *turns;
    struct limiter *limiter;
    struct limiter_set *set;
    struct quota_keeper *keeper;
    bool is_loaded;
};

static void on_loaded(void *arg, const struct problems *ps)
{
    struct node *n = arg;
    assert_true(problems_is_empty(ps));
    n->is_loaded = true;
}

static void open_node(struct node *n)
{
    struct problems ps;
    problems_init(&ps);
    static const struct limit limit = {
        .name = TEXT("q"), .kind = LIMIT_QUOTA, .quota = 100, .period = LIMIT_MONTH
    };
    struct limits limits = { &limit, 1 };
    n->dir = state_dir_open(text_of(n->path), &ps);
    n->loop = loop_new("test");
    n->mailbox = mailbox_new(n->loop);
    n->scribe = scribe_new(n->mailbox);
    n->turns = turns_new(1);
    n->limiter = limiter_new(&(struct limiter_settings){ .turns = n->turns });
    n->set = limiter_set_new(n->limiter, LIMITER_ROUTE, TEXT_OF("r"), &limits);
    n->keeper = quota_keeper_new(n->dir, n->limiter, n->loop, &ps);
    assert_non_null(n->keeper);
    n->is_loaded = false;
    quota_keeper_load(n->keeper, on_loaded, n);
    while (!n->is_loaded)
        loop_run_once(n->loop, false);
    quota_keeper_start(n->keeper, n->scribe);
    problems_fini(&ps);
}

static void close_node(struct node *n)
{
    quota_keeper_stop(n->keeper);
    while (scribe_waiting(n->scribe) > 0)
        loop_run_once(n->loop, true);
    quota_keeper_free(&n->keeper);
    limiter_set_unref(&n->set);
    limiter_free(&n->limiter);
    turns_free(&n->turns);
    scribe_free(&n->scribe);
    mailbox_free(&n->mailbox);
    loop_free(&n->loop);
    state_dir_close(&n->dir);
}

static int64_t take(struct node *n)
{
    struct arena arena;
    struct limiter_result result;
    arena_init(&arena, SIZE_MAX);
    struct limiter_request request = { .route = n->set };
    struct limiter_now now = { (int64_t)clock_read_ns(), clock_read_wall_ms() };
    assert_int_equal(limiter_take(n->limiter, 0, &request, now, &arena, &result), LIMITER_ALLOWED);
    int64_t remaining = result.items[0].remaining;
    arena_reset(&arena);
    turn_leave(turns_get(n->turns, 0));
    return remaining;
}

static void counts_are_kept_over_a_stop(void **state)
{
    struct node n = { .path = folder_new() };
    open_node(&n);
    assert_int_equal(take(&n), 99);
    assert_int_equal(take(&n), 98);
    close_node(&n);
    open_node(&n);
    assert_int_equal(take(&n), 97);
    close_node(&n);
    open_node(&n);
    assert_int_equal(take(&n), 96);
    close_node(&n);
    folder_remove(&n.path);
}

static void counts_are_saved_each_second(void **state)
{
    struct node n = { .path = folder_new() };
    open_node(&n);
    assert_int_equal(take(&n), 99);
    size_t length = 0;
    for (uint64_t end = clock_read_ms() + 20000; length == 0 && clock_read_ms() < end;) {
        loop_run_once(n.loop, true);
        char *bytes = folder_read(n.path, "counters", &length);
        MEM_FREE(&bytes);
    }
    assert_true(length > 0);
    close_node(&n);
    folder_remove(&n.path);
}

static int full_disk(enum disk_call call, size_t *length)
{
    *length = 0;
    return call == DISK_CALL_WRITE ? ENOSPC : 0;
}

static void what_could_not_be_saved_is_saved_later(void **state)
{
    struct node n = { .path = folder_new() };
    open_node(&n);
    assert_int_equal(take(&n), 99);
    disk_set_fault(full_disk);
    uint64_t end = clock_read_ms() + 1300;
    while (clock_read_ms() < end)
        loop_run_once(n.loop, true);
    disk_set_fault(NULL);
    close_node(&n);
    open_node(&n);
    assert_int_equal(take(&n), 98);
    close_node(&n);
    folder_remove(&n.path);
}

static void hold_up(void *arg)
{
    sem_t *go_on = arg;
    while (sem_wait(go_on) != 0)
        continue;
}

static void nothing(void *arg)
{
}

/* The folder was to be let go of, and stays ours, while the disk is slow. */
static void a_slow_save_is_not_begun_twice(void **state)
{
    struct node n = { .path = folder_new() };
    struct scribe_job slow;
    sem_t go_on;
    open_node(&n);
    sem_init(&go_on, 0, 0);
    scribe_job_init(&slow, hold_up, nothing, &go_on);
    scribe_post(n.scribe, &slow);
    assert_int_equal(take(&n), 99);
    assert_false(quota_keeper_try_release(n.keeper));
    while (scribe_waiting(n.scribe) < 2)
        loop_run_once(n.loop, true);
    quota_keeper_resume(n.keeper);
    assert_int_equal(take(&n), 98);
    uint64_t end = clock_read_ms() + 1300;
    while (clock_read_ms() < end)
        loop_run_once(n.loop, false);
    assert_int_equal(scribe_waiting(n.scribe), 2);
    sem_post(&go_on);
    close_node(&n);
    open_node(&n);
    assert_int_equal(take(&n), 97);
    close_node(&n);
    sem_destroy(&go_on);
    folder_remove(&n.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_kept_over_a_stop),
        cmocka_unit_test(counts_are_saved_each_second),
        cmocka_unit_test(what_could_not_be_saved_is_saved_later),
        cmocka_unit_test(a_slow_save_is_not_begun_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
