/* SPDX-License-Identifier: Apache-2.0 */
/* test_outq.c - buffers live as long as their slices; slices leave in order, joined and bounded. */
#include "tests/unit/gatewayd/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "gatewayd/net/outq.h"

static struct buffer_pool pool;
static struct outq q;

static int start(void **state)
{
    buffer_pool_init(&pool, 65536, 10);
    outq_init(&q);
    return 0;
}

/* buffer_pool_fini is a MUST that nothing leaked. */
static int stop(void **state)
{
    outq_fini(&q);
    buffer_pool_fini(&pool);
    return 0;
}

static const char *all_of(const struct outq *queue)
{
    static char text[4096];
    struct iovec iov[OUTQ_SLICES];
    size_t length = 0;
    unsigned count = outq_peek(queue, iov, OUTQ_SLICES);
    for (unsigned i = 0; i < count; i++) {
        memcpy(text + length, iov[i].iov_base, iov[i].iov_len);
        length += iov[i].iov_len;
    }
    text[length] = '\0';
    return text;
}

static void buffers_have_two_sizes(void **state)
{
    struct buffer *common = buffer_new(&pool);
    struct buffer *big = buffer_new_big(&pool);
    assert_int_equal(common->size, BUFFER_SIZE);
    assert_int_equal(big->size, 65536);
    assert_int_equal((uintptr_t)common->bytes % 16, 0);
    memset(big->bytes, 1, big->size);
    struct buffer *same = buffer_ref(common);
    assert_false(buffer_is_alone(common));
    buffer_unref(&same);
    assert_null(same);
    assert_true(buffer_is_alone(common));
    buffer_unref(&common);
    buffer_unref(&big);
    buffer_unref(&big);
}

static void slices_keep_their_buffer(void **state)
{
    struct buffer *b = buffer_new(&pool);
    memcpy(b->bytes, "hello world", 11);
    assert_true(outq_try_add(&q, text_from(b->bytes, 5), b));
    assert_true(outq_try_add(&q, TEXT_OF("-"), NULL));
    assert_true(outq_try_add(&q, text_from(b->bytes + 6, 5), b));
    assert_int_equal(b->count, 3);
    struct buffer *mine = b;
    buffer_unref(&b);
    assert_string_equal(all_of(&q), "hello-world");
    assert_int_equal(outq_bytes(&q), 11);
    outq_remove(&q, 5);
    assert_int_equal(mine->count, 1);
    outq_remove(&q, 3);
    assert_string_equal(all_of(&q), "rld");
    outq_remove(&q, 3);
    assert_true(outq_is_empty(&q));
}

static void neighbours_are_joined(void **state)
{
    struct buffer *b = buffer_new(&pool);
    memcpy(b->bytes, "abcdef", 6);
    assert_true(outq_try_add(&q, text_from(b->bytes, 2), b));
    assert_true(outq_try_add(&q, text_from(b->bytes + 2, 2), b));
    assert_int_equal(q.count, 1);
    assert_true(outq_try_add(&q, text_from(b->bytes + 4, 2), NULL)); /* not the same owner */
    assert_int_equal(q.count, 2);
    assert_true(outq_try_add(&q, TEXT_EMPTY, NULL));
    assert_int_equal(q.count, 2);
    assert_string_equal(all_of(&q), "abcdef");
    buffer_unref(&b);
}

static void a_full_queue_says_so(void **state)
{
    static const char bytes[] =
        "x?x?x?x?x?x?x?x?x?x?x?x?x?x?x?x?x?x?x?x?x?x?x?x?x?x?x?x?x?x?x?x?x?x?";
    for (unsigned i = 0; i < OUTQ_SLICES; i++) {
        assert_int_equal(outq_room(&q), OUTQ_SLICES - i);
        assert_true(outq_try_add(&q, text_from(bytes + 2 * i, 1), NULL));
    }
    assert_false(outq_try_add(&q, TEXT_OF("y"), NULL));
    assert_int_equal(outq_bytes(&q), OUTQ_SLICES);
    outq_remove(&q, 1);
    assert_true(outq_try_add(&q, TEXT_OF("y"), NULL));
    assert_int_equal(strlen(all_of(&q)), OUTQ_SLICES);
}

/* Any order of adding and removing gives the bytes in the order added. */
static void bytes_stay_in_order(void **state)
{
    unsigned char added = 0;
    unsigned char expected = 0;
    srand(3);
    for (int step = 0; step < 20000; step++) {
        if (rand() % 2 == 0) {
            struct buffer *b = buffer_new(&pool);
            size_t length = (size_t)(1 + rand() % 20);
            unsigned char next = added;
            for (size_t i = 0; i < length; i++)
                b->bytes[i] = (char)next++;
            if (outq_try_add(&q, text_from(b->bytes, length), b))
                added = next;
            buffer_unref(&b);
        } else if (!outq_is_empty(&q)) {
            struct iovec iov[3];
            unsigned count = outq_peek(&q, iov, 3);
            size_t gone = 0;
            for (unsigned i = 0; i < count; i++) {
                size_t take = (size_t)rand() % (iov[i].iov_len + 1);
                for (size_t at = 0; at < take; at++)
                    assert_int_equal(((unsigned char *)iov[i].iov_base)[at], expected++);
                gone += take;
                if (take < iov[i].iov_len)
                    break;
            }
            outq_remove(&q, gone);
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(buffers_have_two_sizes), TEST(slices_keep_their_buffer), TEST(neighbours_are_joined),
        TEST(a_full_queue_says_so),   TEST(bytes_stay_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
