/* SPDX-License-Identifier: Apache-2.0 */
/* test_turns.c - memory is given back after every reader has passed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gatewayd/policy/turns.h"

static uint64_t freed[1000];
static size_t freed_count;

static void note_freed(void *owner, uint64_t what)
{
    assert_ptr_equal(owner, freed);
    freed[freed_count++] = what;
}

struct world {
    struct turns *turns;
    struct turns_queue queue;
};
static struct world w;

static int make(void **state)
{
    w.turns = turns_new(2);
    turns_queue_init(&w.queue, w.turns);
    freed_count = 0;
    return 0;
}

static int unmake(void **state)
{
    turns_queue_fini(&w.queue);
    turns_free(&w.turns);
    return 0;
}

static void retire(uint64_t what)
{
    turns_retire(&w.queue, note_freed, freed, what);
}

static void sleeping_readers_hold_nobody_up(void **state)
{
    for (uint64_t i = 0; i < 500; i++)
        retire(i);
    assert_int_equal(turns_tidy(&w.queue, 200), 300);
    assert_int_equal(turns_tidy(&w.queue, SIZE_MAX), 0);
    for (uint64_t i = 0; i < 500; i++)
        assert_int_equal(freed[i], i);
}

static void a_reader_within_a_turn_does(void **state)
{
    struct turn *a = turns_get(w.turns, 0);
    struct turn *b = turns_get(w.turns, 1);
    turn_enter(a);
    turn_enter(a);
    retire(1);
    assert_int_equal(turns_tidy(&w.queue, SIZE_MAX), 1);
    turn_enter(b); /* later than what was retired, so it need not be waited for */
    retire(2);
    turn_leave(a);
    assert_int_equal(turns_tidy(&w.queue, SIZE_MAX), 1);
    assert_int_equal(freed_count, 1);
    turn_leave(b);
    turn_leave(b);
    turn_enter(b); /* a turn has passed, the next one does not count */
    assert_int_equal(turns_tidy(&w.queue, SIZE_MAX), 0);
    turn_leave(b);
}

static void a_loops_own_counter_can_be_watched(void **state)
{
    _Atomic uint64_t counter = 1; /* awake */
    turns_watch(w.turns, 1, &counter);
    turn_enter(turns_get(w.turns, 1));
    turn_leave(turns_get(w.turns, 1));
    assert_int_equal(counter, 1);
    retire(1);
    assert_int_equal(turns_tidy(&w.queue, SIZE_MAX), 1);
    counter = 2;
    assert_int_equal(turns_tidy(&w.queue, SIZE_MAX), 0);
}

static void what_is_left_is_given_back_at_the_end(void **state)
{
    turn_enter(turns_get(w.turns, 0));
    retire(7);
    (void)turns_tidy(&w.queue, SIZE_MAX);
    retire(8);
    turns_queue_fini(&w.queue);
    assert_int_equal(freed_count, 2);
    turns_queue_init(&w.queue, w.turns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sleeping_readers_hold_nobody_up, make, unmake),
        cmocka_unit_test_setup_teardown(a_reader_within_a_turn_does, make, unmake),
        cmocka_unit_test_setup_teardown(a_loops_own_counter_can_be_watched, make, unmake),
        cmocka_unit_test_setup_teardown(what_is_left_is_given_back_at_the_end, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
