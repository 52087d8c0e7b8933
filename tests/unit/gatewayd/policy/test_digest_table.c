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

static bool is(const void *arg, uint32_t number, const struct digest *digest)
{
    return memcmp(&digests[number], digest, sizeof(*digest)) == 0;
}

/* Every few share the piece of the digest that cells keep. */
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
        cmocka_unit_test(coming_and_going_does_not_grow_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
