/* SPDX-License-Identifier: Apache-2.0 */
/* test_history.c - so many entries are kept, newest first; what is pending is never dropped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cluster/history.h"

static struct loop *loop;
static struct history history;

static int set_up(void **state)
{
    loop = loop_new("test");
    history_init(&history, 3, loop);
    return 0;
}

static int tear_down(void **state)
{
    history_fini(&history);
    loop_free(&loop);
    return 0;
}

static void add(uint64_t revision, int64_t until)
{
    struct entry_head head = { .revision = revision, .author = TEXT("a"), .summary = TEXT("s") };
    history_add(&history, &head, until);
}

static void the_last_ones_are_kept(void **state)
{
    struct store_entry entries[5];
    assert_int_equal(history_oldest(&history), 0);
    assert_int_equal(history_list(&history, 0, 5, entries), 0);
    for (uint64_t r = 1; r <= 500; r++)
        add(r, 0);
    assert_int_equal(history_oldest(&history), 498);
    assert_int_equal(history_list(&history, 0, 5, entries), 3);
    assert_int_equal(entries[0].head.revision, 500);
    assert_int_equal(history_list(&history, 500, 1, entries), 1);
    assert_int_equal(entries[0].head.revision, 499);
    assert_int_equal(history_list(&history, 498, 5, entries), 0);
    assert_int_equal(history_list(&history, 10000, 5, entries), 3);
    assert_false(history_find(&history, 497, &entries[0]));
}

static void a_first_revision_can_be_any(void **state)
{
    add(1000, 0);
    add(1001, 0);
    assert_int_equal(history_oldest(&history), 1000);
    assert_int_equal(history_newest(&history), 1001);
}

static void what_is_pending_stays(void **state)
{
    struct store_entry entry;
    add(1, 500);
    add(2, 400);
    for (uint64_t r = 3; r <= 100; r++)
        add(r, 0);
    assert_int_equal(history_oldest(&history), 1);
    assert_true(history_find_pending(&history, &entry));
    assert_int_equal(entry.head.revision, 2);
    assert_true(history_settle(&history, 2, STORE_CONFIRMED));
    assert_true(history_find_pending(&history, &entry));
    assert_int_equal(entry.head.revision, 1);
    assert_true(history_settle(&history, 1, STORE_UNDONE));
    assert_false(history_find_pending(&history, &entry));
    assert_int_equal(history_oldest(&history), 98);
    assert_false(history_settle(&history, 1, STORE_UNDONE));
}

struct caller {
    struct store_waiter waiter;
    struct store_waiter *stops; /* another one */
    unsigned calls;
};

static void on_call(void *arg)
{
    struct caller *c = arg;
    c->calls++;
    if (c->stops != NULL)
        store_waiter_stop(c->stops);
}

static void waiters_are_called_once_and_later(void **state)
{
    struct caller a = { .calls = 0 };
    struct caller b = { .calls = 0 };
    store_waiter_init(&a.waiter, on_call, &a);
    store_waiter_init(&b.waiter, on_call, &b);
    history_wait(&history, &a.waiter, 1);
    history_wait(&history, &b.waiter, 0);
    add(1, 0);
    assert_int_equal(b.calls, 0);
    loop_run_once(loop, false);
    assert_int_equal(a.calls, 0);
    assert_int_equal(b.calls, 1);
    add(2, 0);
    add(3, 0);
    loop_run_once(loop, false);
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 1);
}

static void a_waiter_can_stop_another(void **state)
{
    struct caller a = { .calls = 0 };
    struct caller b = { .calls = 0 };
    store_waiter_init(&a.waiter, on_call, &a);
    store_waiter_init(&b.waiter, on_call, &b);
    a.stops = &b.waiter;
    history_wait(&history, &a.waiter, 0);
    history_wait(&history, &b.waiter, 0);
    add(1, 0);
    loop_run_once(loop, false);
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_last_ones_are_kept),    TEST(a_first_revision_can_be_any),
        TEST(what_is_pending_stays),     TEST(waiters_are_called_once_and_later),
        TEST(a_waiter_can_stop_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
