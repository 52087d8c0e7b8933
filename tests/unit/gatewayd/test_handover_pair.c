/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gatewayd/handover_pair.h"

static void pairs_come_out_as_they_went_in(void **state)
{
    struct builder b;
    struct text key;
    struct text value;

    builder_init(&b, 256);
    handover_pair_print(TEXT_OF("r/l 1"), TEXT_OF("3 4"), &b);
    handover_pair_print(TEXT_EMPTY, TEXT_EMPTY, &b);
    handover_pair_print(TEXT_OF("k"), text_from("\0\n", 2), &b);
    struct text rest = builder_text(&b);
    assert_true(handover_pair_cut(&rest, &key, &value));
    assert_true(text_equals(key, TEXT_OF("r/l 1")) && text_equals(value, TEXT_OF("3 4")));
    assert_true(handover_pair_cut(&rest, &key, &value));
    assert_true(text_is_empty(key) && text_is_empty(value));
    assert_true(handover_pair_cut(&rest, &key, &value));
    assert_true(text_equals(value, text_from("\0\n", 2)));
    assert_false(handover_pair_cut(&rest, &key, &value));
    builder_fini(&b);
}

static void what_is_not_whole_is_none(void **state)
{
    static const struct text wrong[] = {
        TEXT(""),
        TEXT("1"),
        TEXT("1 1"),
        TEXT("1 1 k"),
        TEXT("1  kv"),
        TEXT("-1 1 kvw"),
        TEXT("1 -1 kv"),
        TEXT("3 1 kv"),
        TEXT("18446744073709551615 1 kv"),
        TEXT("1 18446744073709551615 kv"),
    };

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        struct text rest = wrong[i];
        struct text key;
        struct text value;
        assert_false(handover_pair_cut(&rest, &key, &value));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_come_out_as_they_went_in),
        cmocka_unit_test(what_is_not_whole_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
