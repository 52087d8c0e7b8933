/* SPDX-License-Identifier: Apache-2.0 */
/* test_map.c - the hash table from text to pointer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "conf/base/map.h"
#include "tests/unit/expect_abort.h"

static int one = 1, two = 2;

static void an_empty_map_has_nothing(void **state)
{
    struct map m;
    struct map_entry *e;
    size_t position = 0;
    map_init(&m);
    assert_null(map_find(&m, TEXT_OF("a")));
    assert_null(map_remove(&m, TEXT_OF("a")));
    assert_false(map_next(&m, &position, &e));
    map_fini(&m);
}

static void setting_finding_replacing_removing(void **state)
{
    struct map m;
    map_init(&m);
    assert_null(map_set(&m, TEXT_OF("a"), &one));
    assert_ptr_equal(map_find(&m, TEXT_OF("a")), &one);
    assert_null(map_find(&m, TEXT_OF("A")));
    assert_ptr_equal(map_set(&m, TEXT_OF("a"), &two), &one);
    assert_int_equal(m.count, 1);
    assert_ptr_equal(map_remove(&m, TEXT_OF("a")), &two);
    assert_null(map_find(&m, TEXT_OF("a")));
    assert_null(map_remove(&m, TEXT_OF("a")));
    assert_int_equal(m.count, 0);
    map_fini(&m);
}

static void the_empty_text_is_a_key(void **state)
{
    struct map m;
    map_init(&m);
    assert_null(map_set(&m, TEXT_EMPTY, &one));
    assert_ptr_equal(map_find(&m, TEXT_OF("")), &one);
    assert_ptr_equal(map_set(&m, TEXT_OF(""), &two), &one);
    assert_ptr_equal(map_remove(&m, TEXT_EMPTY), &two);
    map_fini(&m);
}

static void a_value_is_never_null(void **state)
{
    struct map m;
    map_init(&m);
    EXPECT_ABORT(map_set(&m, TEXT_OF("a"), NULL));
}

#define MANY 2000

struct fixture {
    char names[MANY][16];
    bool in[MANY];
    struct map m;
    size_t count;
};

static void check_all(struct fixture *f)
{
    assert_int_equal(f->m.count, f->count);
    for (int i = 0; i < MANY; i++)
        assert_ptr_equal(map_find(&f->m, text_of(f->names[i])), f->in[i] ? f->names[i] : NULL);

    struct map_entry *e;
    size_t seen = 0;
    for (size_t i = 0; map_next(&f->m, &i, &e); seen++)
        assert_string_equal(e->value, e->key.at);
    assert_int_equal(seen, f->count);
}

/* Long coming and going must neither lose entries nor fill up with removed ones. */
static void coming_and_going(void **state)
{
    static struct fixture f;
    map_init(&f.m);
    for (int i = 0; i < MANY; i++)
        snprintf(f.names[i], sizeof(f.names[i]), "%d", i);

    srand(1);
    for (int turn = 0; turn < 200000; turn++) {
        int i = rand() % MANY;
        struct text key = text_of(f.names[i]);
        if (f.in[i] ? map_remove(&f.m, key) == NULL : map_set(&f.m, key, f.names[i]) != NULL)
            fail();
        f.in[i] = !f.in[i];
        f.count += f.in[i] ? 1 : SIZE_MAX;
    }
    check_all(&f);
    assert_true(f.m.size <= 4 * MANY);
    map_fini(&f.m);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LARGE 20000
#else
#define LARGE 600000
#endif

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* The longest call, in ms. */
static double grow_and_go(void)
{
    char(*names)[8] = malloc(LARGE * sizeof(*names));
    struct map m;
    double longest = 0;
    map_init(&m);
    for (int i = 0; i < LARGE; i++) {
        snprintf(names[i], sizeof(names[i]), "%d", i);
        double before = cpu_ms();
        assert_null(map_set(&m, text_of(names[i]), names[i]));
        double took = cpu_ms() - before;
        longest = took > longest ? took : longest;
        assert_ptr_equal(map_find(&m, text_of(names[i / 2])), names[i / 2]);
    }
    for (int i = 0; i < LARGE; i++)
        assert_ptr_equal(map_find(&m, text_of(names[i])), names[i]);
    assert_int_equal(m.count, LARGE);
    bool has_more = true;
    while (has_more) {
        double before = cpu_ms();
        has_more = map_fini_some(&m);
        double took = cpu_ms() - before;
        longest = took > longest ? took : longest;
    }
    assert_int_equal(m.count, 0);
    assert_null(map_find(&m, text_of(names[1])));
    print_message("longest call %.3f ms\n", longest);
    free(names);
    return longest;
}

/* No single call may pay for all that is there. Processor time passes while the machine under this
 * one does something else, too: what is long here is long each time. */
static void a_large_one_grows_and_goes_bit_by_bit(void **state)
{
    for (int i = 0; i < 3; i++) {
        if (grow_and_go() < 10)
            return;
    }
    fail_msg("a call takes long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_has_nothing),
        cmocka_unit_test(setting_finding_replacing_removing),
        cmocka_unit_test(the_empty_text_is_a_key),
        cmocka_unit_test(a_value_is_never_null),
        cmocka_unit_test(coming_and_going),
        cmocka_unit_test(a_large_one_grows_and_goes_bit_by_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
