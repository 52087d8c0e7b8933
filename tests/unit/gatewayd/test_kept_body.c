/* SPDX-License-Identifier: Apache-2.0 */
/* kept_body.c: a body that can be sent again while it is short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gatewayd/exchange/kept_body.h"
#include "gatewayd/exchange/memory_source.h"

struct world {
    struct buffer_pool buffers;
    struct memory_source inner;
    struct kept_body kept;
    char *bytes;
    size_t length;
};

static void make(struct world *w, size_t length)
{
    buffer_pool_init(&w->buffers, BUFFER_SIZE, 16);
    w->bytes = malloc(length + 1);
    w->length = length;
    for (size_t i = 0; i < length; i++)
        w->bytes[i] = (char)('a' + i % 23);
    memory_source_init(&w->inner, text_from(w->bytes, length));
    kept_body_init(&w->kept, &w->inner.source, &w->buffers);
}

static void end(struct world *w)
{
    kept_body_fini(&w->kept);
    buffer_pool_fini(&w->buffers);
    free(w->bytes);
}

/* Pulls up to `most` bytes, `step` at a time, and compares them with those from `at` on. */
static size_t pull(struct world *w, size_t at, size_t most, size_t step)
{
    struct source *s = &w->kept.source;
    size_t pulled = 0;

    while (pulled < most) {
        struct text piece;
        bool is_last = false;
        if (s->type->peek(s, &piece, &is_last) != PULL_READY)
            break;
        size_t n = piece.length < step ? piece.length : step;
        if (n > most - pulled)
            n = most - pulled;
        assert_memory_equal(piece.at, w->bytes + at + pulled, n);
        s->type->consume(s, n);
        pulled += n;
    }
    return pulled;
}

static void a_short_body_comes_again(void **state)
{
    struct world w;

    make(&w, 40000);
    assert_int_equal(pull(&w, 0, 30000, 7000), 30000);
    assert_true(kept_body_can_rewind(&w.kept));
    kept_body_rewind(&w.kept);
    assert_int_equal(pull(&w, 0, SIZE_MAX, 999), 40000);
    kept_body_rewind(&w.kept);
    assert_int_equal(pull(&w, 0, SIZE_MAX, 100000), 40000);
    end(&w);
}

static void past_64k_it_is_let_go(void **state)
{
    struct world w;

    make(&w, 100000);
    assert_int_equal(pull(&w, 0, KEPT_BODY_MOST, 5000), KEPT_BODY_MOST);
    assert_true(kept_body_can_rewind(&w.kept));
    assert_int_equal(pull(&w, KEPT_BODY_MOST, 1, 1), 1);
    assert_false(kept_body_can_rewind(&w.kept));
    assert_int_equal(w.buffers.common.used, 0);
    assert_int_equal(pull(&w, KEPT_BODY_MOST + 1, SIZE_MAX, 4096), 100000 - KEPT_BODY_MOST - 1);
    end(&w);
}

static void dropped_in_the_middle_of_a_second_try(void **state)
{
    struct world w;

    make(&w, 20000);
    pull(&w, 0, 18000, 6000);
    kept_body_rewind(&w.kept);
    pull(&w, 0, 5000, 5000);
    kept_body_drop(&w.kept);
    assert_false(kept_body_can_rewind(&w.kept));
    assert_int_equal(pull(&w, 5000, SIZE_MAX, 6000), 15000);
    assert_int_equal(w.buffers.common.used, 0);
    end(&w);
}

static void an_empty_body_just_ends(void **state)
{
    struct world w;

    make(&w, 0);
    assert_int_equal(pull(&w, 0, SIZE_MAX, 1), 0);
    assert_true(kept_body_can_rewind(&w.kept));
    kept_body_rewind(&w.kept);
    assert_int_equal(pull(&w, 0, SIZE_MAX, 1), 0);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_body_comes_again),
        cmocka_unit_test(past_64k_it_is_let_go),
        cmocka_unit_test(dropped_in_the_middle_of_a_second_try),
        cmocka_unit_test(an_empty_body_just_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
