/* SPDX-License-Identifier: Apache-2.0 */
/* test_memory.c - what the process has, and that holes in the heap are given back. */
#include "tests/unit/gatewayd/cmocka_all.h"

#include "conf/base/mem.h"
#include "gatewayd/memory.h"

/* Sanitizers hold on to blocks that are freed, and have memory beside what is touched. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

#define MEGABYTE ((size_t)1 << 20)
#define PIECE    ((size_t)4096)
#define PIECES   ((size_t)16384) /* 64 MiB */

static void what_is_touched_is_resident(void **state)
{
    uint64_t before = memory_resident();
    size_t size = 32 * MEGABYTE;
    char *block = mem_block_new(size);
    memset(block, 1, size);
    uint64_t with = memory_resident();
    MEM_BLOCK_FREE(&block, size);
    assert_true(before > 0);
    assert_true(with >= before + 30 * MEGABYTE);
    assert_true(IS_SANITIZED || with <= before + 40 * MEGABYTE);
}

/* Every page is free but a few bytes of each tenth: the allocator keeps them all by itself. */
static void make_holes(char *pieces[PIECES])
{
    for (size_t i = 0; i < PIECES; i++) {
        pieces[i] = mem_resize(NULL, PIECE);
        memset(pieces[i], 1, PIECE);
    }
    for (size_t i = 0; i < PIECES; i++)
        if (i % 10 != 0)
            MEM_FREE(&pieces[i]);
}

static void holes_are_given_back(void **state)
{
    if (IS_SANITIZED)
        return;
    struct memory m = { 0 };
    char **pieces = mem_new_array(PIECES, sizeof(*pieces));
    memory_tidy(&m, 1000); /* learns how little it was */
    uint64_t before = memory_resident();
    make_holes(pieces);
    assert_true(memory_resident() > before + 50 * MEGABYTE);
    for (uint64_t now = 1000; now < 20000; now += 100)
        memory_tidy(&m, now);
    assert_true(memory_resident() < before + 25 * MEGABYTE);
    for (size_t i = 0; i < PIECES; i += 10)
        MEM_FREE(&pieces[i]);
    MEM_FREE(&pieces);
}

/* Memory that is in use cannot be given back: it is tried ever more seldom. */
static void trims_in_vain_become_rare(void **state)
{
    if (IS_SANITIZED)
        return;
    struct memory m = { 0 };
    size_t size = 128 * MEGABYTE;
    memory_tidy(&m, 1000);
    char *block = mem_block_new(size);
    memset(block, 1, size);
    for (uint64_t now = 1000; now < 100000; now += 50)
        memory_tidy(&m, now);
    uint64_t first = m.next_ms;
    assert_true(first > 100000 || m.wait_ms >= 8000);
    MEM_BLOCK_FREE(&block, size);
    for (uint64_t now = 100000; now < 140000; now += 50)
        memory_tidy(&m, now);
    assert_true(m.wait_ms < 8000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_touched_is_resident),
        cmocka_unit_test(holes_are_given_back),
        cmocka_unit_test(trims_in_vain_become_rare),
    };
    memory_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
