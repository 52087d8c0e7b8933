/* SPDX-License-Identifier: Apache-2.0 */
/* test_digest_table.c - growing, removing, and digests that are nearly the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "gatewayd/policy/digest_table.h"

#define MOST 50000

static struct digest digests[MOST];
static size_t asked;

static bool is(const void *arg, uint32_t number, const struct digest *digest)
{
    asked++;
    return memcmp(&digests[number], digest, sizeof(*digest)) == 0;
}

/* Every few begin alike. */
static void make_digests(void)
{
    for (uint32_t i = 0; i < MOST; i++) {
        uint32_t piece = i / 4 * 2654435761u;
        memset(&digests[i], 0, sizeof(digests[i]));
        memcpy(digests[i].bytes, &piece, sizeof(piece));
        memcpy(digests[i].bytes + 8, &i, sizeof(i));
    }
}

static void what_was_added_is_found_at_every_size(void **state)
{
    struct turns *turns = turns_new(0);
    struct turns_queue queue;
    struct digest_table t;
    uint32_t number;
    make_digests();
    turns_queue_init(&queue, turns);
    digest_table_init(&t, is, NULL, &queue);
    for (uint32_t i = 0; i < MOST; i++) {
        assert_false(digest_table_find(&t, &digests[i], &number));
        digest_table_add(&t, &digests[i], i);
        for (uint32_t j = i; j > 0 && i % 1024 < 2; j -= j < 97 ? j : 97) {
            assert_true(digest_table_find(&t, &digests[j], &number));
            assert_int_equal(number, j);
        }
        (void)turns_tidy(&queue, SIZE_MAX);
    }
    assert_int_equal(t.count, MOST);
    for (uint32_t i = 0; i < MOST; i += 2)
        digest_table_remove(&t, &digests[i]);
    for (uint32_t i = 0; i < MOST; i++)
        assert_int_equal(digest_table_find(&t, &digests[i], &number), i % 2 == 1);
    digest_table_fini(&t);
    turns_queue_fini(&queue);
    turns_free(&turns);
}

/* Whoever imports keys by their digests may choose them so that they begin, or end, alike: it is no
 * more work. */
static void what_is_chosen_to_be_alike_costs_nothing(void **state)
{
    for (int at = 0; at <= 28; at += 4) {
        struct turns *turns = turns_new(0);
        struct turns_queue queue;
        struct digest_table t;
        uint32_t number;
        asked = 0;
        turns_queue_init(&queue, turns);
        digest_table_init(&t, is, NULL, &queue);
        for (uint32_t i = 0; i < MOST; i++) {
            memset(&digests[i], 7, sizeof(digests[i]));
            memcpy(digests[i].bytes + at, &i, sizeof(i));
            assert_false(digest_table_find(&t, &digests[i], &number));
            digest_table_add(&t, &digests[i], i);
            (void)turns_tidy(&queue, SIZE_MAX);
        }
        for (uint32_t i = 0; i < MOST; i++)
            assert_true(digest_table_find(&t, &digests[i], &number) && number == i);
        assert_true(asked < MOST + MOST / 10);
        digest_table_fini(&t);
        turns_queue_fini(&queue);
        turns_free(&turns);
    }
}

/* All in one row: digests tell them apart. */
static void what_hashes_alike_is_told_apart(void **state)
{
    struct turns *turns = turns_new(0);
    struct turns_queue queue;
    struct digest_table t;
    uint32_t number;
    turns_queue_init(&queue, turns);
    digest_table_init(&t, is, NULL, &queue);
    memset(t.seeds, 0, sizeof(t.seeds)); /* then a product with nothing is nothing */
    for (uint32_t i = 0; i < 2000; i++) {
        memset(&digests[i], 0, sizeof(digests[i]));
        memcpy(digests[i].bytes, &i, sizeof(i));
        digest_table_add(&t, &digests[i], i);
    }
    for (uint32_t i = 0; i < 2000; i += 3)
        digest_table_remove(&t, &digests[i]);
    for (uint32_t i = 0; i < 2000; i++)
        assert_int_equal(digest_table_find(&t, &digests[i], &number), i % 3 != 0);
    digest_table_fini(&t);
    turns_queue_fini(&queue);
    turns_free(&turns);
}

static void coming_and_going_does_not_grow_it(void **state)
{
    struct turns *turns = turns_new(0);
    struct turns_queue queue;
    struct digest_table t;
    uint32_t number;
    make_digests();
    turns_queue_init(&queue, turns);
    digest_table_init(&t, is, NULL, &queue);
    for (uint32_t round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < MOST; i++) {
            if (i >= 100)
                digest_table_remove(&t, &digests[i - 100]);
            digest_table_add(&t, &digests[i], i);
            digest_table_tidy(&t);
            (void)turns_tidy(&queue, SIZE_MAX);
        }
        for (uint32_t i = MOST - 100; i < MOST; i++) {
            assert_true(digest_table_find(&t, &digests[i], &number));
            digest_table_remove(&t, &digests[i]);
        }
    }
    assert_true(digest_table_bytes(&t) <= 3 * 8192);
    digest_table_fini(&t);
    turns_queue_fini(&queue);
    turns_free(&turns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_found_at_every_size),
        cmocka_unit_test(what_is_chosen_to_be_alike_costs_nothing),
        cmocka_unit_test(what_hashes_alike_is_told_apart),
        cmocka_unit_test(coming_and_going_does_not_grow_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
