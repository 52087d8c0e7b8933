/* SPDX-License-Identifier: Apache-2.0 */
/* test_pool.c - blocks are used again, up to a ceiling, and given back when nobody needs them. */
#include "tests/unit/gatewayd/cmocka_all.h"

#include <string.h>

#include "gatewayd/core/pool.h"
#include "tests/unit/expect_abort.h"

#ifdef __SANITIZE_ADDRESS__
#define KEEPS false
#else
#define KEEPS true
#endif

static void a_block_is_used_again(void **state)
{
    struct pool p;
    pool_init(&p, 64, 10);
    void *a = pool_take(&p);
    void *b = pool_take(&p);
    assert_ptr_not_equal(a, b);
    assert_int_equal(p.used, 2);
    pool_give(&p, a);
    if (KEEPS)
        assert_ptr_equal(pool_take(&p), a);
    else
        a = pool_take(&p);
    pool_give(&p, a);
    pool_give(&p, b);
    assert_int_equal(p.used, 0);
    pool_fini(&p);
}

static void no_more_than_the_ceiling_stay(void **state)
{
    struct pool p;
    void *blocks[5];
    pool_init(&p, 64, 3);
    for (int i = 0; i < 5; i++)
        blocks[i] = pool_take(&p);
    for (int i = 0; i < 5; i++)
        pool_give(&p, blocks[i]);
    assert_int_equal(p.idle_count, KEEPS ? 3 : 0);
    pool_fini(&p);
}

static void blocks_of_another_size_are_not_mixed(void **state)
{
    struct pool p;
    pool_init(&p, 64, 10);
    void *old = pool_take(&p);
    pool_give(&p, pool_take(&p));
    pool_resize(&p, 4096);
    assert_int_equal(p.idle_count, 0);
    pool_drop(&p, old);
    char *now = pool_take(&p);
    memset(now, 1, 4096);
    pool_give(&p, now);
    assert_int_equal(p.used, 0);
    pool_fini(&p);
}

static void what_nobody_needs_is_freed_by_halves(void **state)
{
    struct pool p;
    void *blocks[8];
    pool_init(&p, 64, 100);
    for (int i = 0; i < 8; i++)
        blocks[i] = pool_take(&p);
    for (int i = 0; i < 8; i++)
        pool_give(&p, blocks[i]);
    pool_shrink(&p);
    if (KEEPS) {
        assert_int_equal(p.idle_count, 8); /* all were in use since the last time */
        pool_shrink(&p);
        assert_int_equal(p.idle_count, 4);
        pool_give(&p, pool_take(&p));
        pool_shrink(&p);
        assert_int_equal(p.idle_count, 2);
    }
    pool_fini(&p);
}

static void a_block_that_is_missing_is_a_bug(void **state)
{
    struct pool p;
    pool_init(&p, 64, 100);
    void *block = pool_take(&p);
    EXPECT_ABORT(pool_fini(&p));
    pool_give(&p, block);
    pool_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_is_used_again),
        cmocka_unit_test(no_more_than_the_ceiling_stay),
        cmocka_unit_test(blocks_of_another_size_are_not_mixed),
        cmocka_unit_test(what_nobody_needs_is_freed_by_halves),
        cmocka_unit_test(a_block_that_is_missing_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
