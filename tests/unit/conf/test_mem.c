/* SPDX-License-Identifier: Apache-2.0 */
/* test_mem.c - heap wrappers never answer NULL and leave no dangling pointer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "conf/base/mem.h"
#include "conf/base/must.h"
#include "tests/unit/expect_abort.h"

static void new_memory_is_zeroed(void **state)
{
    unsigned char *bytes = mem_new(100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(bytes[i], 0);
    MEM_FREE(&bytes);
    assert_null(bytes);
}

static void zero_bytes_can_be_had_and_freed(void **state)
{
    void *nothing = mem_new(0);
    assert_non_null(nothing);
    MEM_FREE(&nothing);
    MEM_FREE(&nothing);
    assert_null(nothing);
}

static void an_overflowing_array_is_a_bug(void **state)
{
    int *numbers = mem_new_array(3, sizeof(int));
    assert_int_equal(numbers[2], 0);
    MEM_FREE(&numbers);
    EXPECT_ABORT(mem_new_array(SIZE_MAX / 2, 3));
}

static void resizing_keeps_what_was_there(void **state)
{
    char *bytes = mem_resize(NULL, 4);
    memcpy(bytes, "abc", 4);
    bytes = mem_resize(bytes, 4096);
    assert_string_equal(bytes, "abc");
    bytes = mem_resize(bytes, 0);
    assert_non_null(bytes);
    MEM_FREE(&bytes);
}

/* Through every size and kind: small to large, larger, large to small. */
static void a_block_keeps_what_was_there(void **state)
{
    static const size_t sizes[] = { 100, 5000, 1 << 20, 3 << 20, 64 << 20, 5 << 20, 700, 2 << 20 };
    char *block = NULL;
    size_t size = 0;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        block = mem_block_resize(block, size, sizes[i]);
        if (size > 0)
            assert_int_equal(block[99], 7);
        memset(block + 99, 7, sizes[i] - 99);
        size = sizes[i];
    }
    MEM_BLOCK_FREE(&block, size);
    assert_null(block);
}

static void a_new_block_is_zeroed(void **state)
{
    for (size_t size = 64; size <= (size_t)4 << 20; size *= 16) {
        unsigned char *block = mem_block_new(size);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(block[i], 0);
        MEM_BLOCK_FREE(&block, size);
    }
}

static void a_block_goes_in_pieces(void **state)
{
    size_t size = ((size_t)5 << 20) + 123;
    char *block = mem_block_new(size);
    unsigned pieces = 1;
    memset(block, 1, size);
    while (MEM_BLOCK_FREE_SOME(&block, &size)) {
        assert_int_equal(block[size - 1], 1);
        pieces++;
    }
    assert_null(block);
    assert_int_equal(size, 0);
    assert_true(pieces <= 6);
    size = 100;
    block = mem_block_new(size);
    assert_false(MEM_BLOCK_FREE_SOME(&block, &size));
    assert_null(block);
    assert_false(MEM_BLOCK_FREE_SOME(&block, &size));
}

static void a_copy_ends_in_nul(void **state)
{
    char *copy = mem_copy_text("abcdef", 3);
    assert_string_equal(copy, "abc");
    MEM_FREE(&copy);
    copy = mem_copy_text(NULL, 0);
    assert_string_equal(copy, "");
    MEM_FREE(&copy);
}

static void a_false_must_aborts(void **state)
{
    MUST(state != NULL);
    EXPECT_ABORT(MUST(state == NULL));
}

static void dump_and_fail_again(void)
{
    MUST(!"the dumper itself is broken");
}

static void a_dumper_that_fails_does_not_loop(void **state)
{
    must_set_dump(dump_and_fail_again);
    EXPECT_ABORT(MUST(state == NULL));
    must_set_dump(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_memory_is_zeroed),
        cmocka_unit_test(zero_bytes_can_be_had_and_freed),
        cmocka_unit_test(an_overflowing_array_is_a_bug),
        cmocka_unit_test(resizing_keeps_what_was_there),
        cmocka_unit_test(a_block_keeps_what_was_there),
        cmocka_unit_test(a_new_block_is_zeroed),
        cmocka_unit_test(a_block_goes_in_pieces),
        cmocka_unit_test(a_copy_ends_in_nul),
        cmocka_unit_test(a_false_must_aborts),
        cmocka_unit_test(a_dumper_that_fails_does_not_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
