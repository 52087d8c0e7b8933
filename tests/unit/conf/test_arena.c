/* SPDX-License-Identifier: Apache-2.0 */
/* test_arena.c - memory that is given back all at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "conf/base/arena.h"
#include "tests/unit/expect_abort.h"

static void memory_is_aligned_and_apart(void **state)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    char *before = arena_alloc(&arena, 1);
    for (size_t size = 0; size < 100; size++) {
        char *at = arena_alloc(&arena, size);
        assert_int_equal((uintptr_t)at % 16, 0);
        assert_ptr_not_equal(at, before);
        memset(at, 0xee, size);
        before = at;
    }
    arena_reset(&arena);
}

static void large_pieces_do_not_waste_the_current_chunk(void **state)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    char *first = arena_alloc(&arena, 16);
    char *large = arena_alloc(&arena, 1 << 20);
    memset(large, 1, 1 << 20);
    assert_ptr_equal(arena_alloc(&arena, 16), first + 16);
    arena_reset(&arena);
}

static void zeroed_memory_is_zero(void **state)
{
    struct arena arena;
    char lent[64];
    memset(lent, 0xff, sizeof(lent));
    arena_init(&arena, SIZE_MAX);
    arena_lend(&arena, lent, sizeof(lent));
    const char *bytes = arena_zalloc(&arena, 20);
    for (int i = 0; i < 20; i++)
        assert_int_equal(bytes[i], 0);
    arena_reset(&arena);
}

static void lent_memory_comes_first_and_is_not_freed(void **state)
{
    struct arena arena;
    char lent[256];
    arena_init(&arena, SIZE_MAX);
    arena_lend(&arena, lent + 1, sizeof(lent) - 1);
    char *inside = arena_alloc(&arena, 100);
    assert_true(inside >= lent + 1 && inside + 100 <= lent + sizeof(lent));
    assert_int_equal((uintptr_t)inside % 16, 0);
    assert_null(arena.chunks);

    const char *outside = arena_alloc(&arena, 200);
    assert_true(outside < lent || outside >= lent + sizeof(lent));
    arena_reset(&arena);
}

static void too_little_lent_memory_is_ignored(void **state)
{
    struct arena arena;
    _Alignas(16) char lent[16];
    arena_init(&arena, SIZE_MAX);
    arena_lend(&arena, lent + 1, 3);
    assert_non_null(arena_alloc(&arena, 1));
    arena_reset(&arena);
}

static void the_ceiling_holds(void **state)
{
    struct arena arena;
    arena_init(&arena, 4096);
    assert_non_null(arena_try_alloc(&arena, 4000));
    assert_null(arena_try_alloc(&arena, 200));
    assert_non_null(arena_try_alloc(&arena, 96));
    assert_null(arena_try_alloc(&arena, 0));
    assert_null(arena_try_alloc(&arena, SIZE_MAX));
    assert_null(arena_try_alloc(&arena, SIZE_MAX - 8));

    struct text copy = TEXT_OF("untouched");
    assert_false(arena_try_copy(&arena, TEXT_OF("more"), &copy));
    assert_true(text_equals(copy, TEXT_OF("untouched")));
    EXPECT_ABORT(arena_alloc(&arena, 1));

    arena_reset(&arena);
    assert_non_null(arena_try_alloc(&arena, 4096));
    arena_reset(&arena);
}

static void copies_end_in_nul(void **state)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    struct text copy = arena_copy(&arena, text_from("abcdef", 3));
    assert_string_equal(copy.at, "abc");
    assert_int_equal(copy.length, 3);
    assert_string_equal(arena_copy(&arena, TEXT_EMPTY).at, "");
    arena_reset(&arena);
}

static void printing(void **state)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    struct text t = arena_print(&arena, "%s=%d", "answer", 42);
    assert_string_equal(t.at, "answer=42");
    assert_int_equal(t.length, 9);
    assert_int_equal(arena_print(&arena, "%9000d", 1).length, 9000);
    arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_aligned_and_apart),
        cmocka_unit_test(large_pieces_do_not_waste_the_current_chunk),
        cmocka_unit_test(zeroed_memory_is_zero),
        cmocka_unit_test(lent_memory_comes_first_and_is_not_freed),
        cmocka_unit_test(too_little_lent_memory_is_ignored),
        cmocka_unit_test(the_ceiling_holds),
        cmocka_unit_test(copies_end_in_nul),
        cmocka_unit_test(printing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
