/* SPDX-License-Identifier: Apache-2.0 */
/* failure.c: every row is whole, and every end of a codec has one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "gatewayd/exchange/failure.h"

static void every_row_is_whole(void **state)
{
    assert_true(FAILURE_COUNT <= 64); /* cells of METRIC_FAILURES */
    for (enum failure f = FAILURE_NONE + 1; f < FAILURE_COUNT; f++) {
        const struct failure_row *row = failure_get(f);
        assert_true(row->name.length > 0);
        assert_true(row->status >= 400 && row->status <= 599);
        assert_true(text_ends_with(row->type, row->name));
        assert_true(row->title.length > 0);
        assert_true(text_ends_with(row->sentence, TEXT_OF(".")));
        assert_string_equal(failure_names()[f], row->name.at);
    }
}

static void names_are_told_apart(void **state)
{
    for (enum failure f = FAILURE_NONE + 1; f < FAILURE_COUNT; f++) {
        for (enum failure other = f + 1; other < FAILURE_COUNT; other++)
            assert_false(text_equals(failure_get(f)->name, failure_get(other)->name));
    }
}

/* A client is told what it did, the gateway and upstreams have 5xx. */
static void blame_fits_the_status(void **state)
{
    for (enum failure f = FAILURE_NONE + 1; f < FAILURE_COUNT; f++) {
        const struct failure_row *row = failure_get(f);
        if (row->blame != FAILURE_BLAME_CLIENT)
            assert_true(row->status >= 500);
    }
}

static void codecs_ends_have_rows(void **state)
{
    static const unsigned statuses[] = { 400, 408, 413, 414, 417, 431, 501, 505 };

    for (size_t i = 0; i < ARRAY_LENGTH(statuses); i++)
        assert_int_equal(failure_get(failure_of_status(statuses[i]))->status, statuses[i]);
    for (int why = UP_CONNECT_REFUSED; why <= UP_IDLE; why++)
        assert_int_equal(failure_get(failure_of_upstream(why))->blame, FAILURE_BLAME_UPSTREAM);
    assert_int_equal(failure_get(failure_of_upstream(UP_NO_RESOURCE))->blame,
                     FAILURE_BLAME_GATEWAY);
    assert_int_equal(failure_get(failure_of_upstream(UP_NO_RESOURCE))->status, 503);
    assert_int_equal(failure_get(failure_of_upstream(UP_TIMEOUT))->status, 504);
    assert_int_equal(failure_get(failure_of_upstream(UP_CONNECT_REFUSED))->status, 502);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(names_are_told_apart),
        cmocka_unit_test(blame_fits_the_status),
        cmocka_unit_test(codecs_ends_have_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
