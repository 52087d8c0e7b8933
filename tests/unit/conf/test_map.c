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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_has_nothing),
        cmocka_unit_test(setting_finding_replacing_removing),
        cmocka_unit_test(the_empty_text_is_a_key),
        cmocka_unit_test(a_value_is_never_null),
        cmocka_unit_test(coming_and_going),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
