/* SPDX-License-Identifier: Apache-2.0 */
/* test_handover.c - frames between two processes of a node, and all that is none. */
#include "tests/unit/gatewayd/cmocka_all.h"

#include "gatewayd/handover.h"

#define TEST(name) cmocka_unit_test(name)

static struct builder printed;

static struct text print(const struct handover_frame *frame)
{
    builder_fini(&printed);
    builder_init(&printed, HANDOVER_FRAME_MOST);
    handover_print(frame, &printed);
    assert_false(builder_is_full(&printed));
    return builder_text(&printed);
}

static struct handover_frame full_frame(void)
{
    struct handover_frame frame = { .kind = HANDOVER_LISTENERS };
    frame.fields[HANDOVER_NUMBER] = TEXT_OF("17");
    frame.fields[HANDOVER_SCOPE] = TEXT_OF("client");
    frame.fields[HANDOVER_NAME] = TEXT_OF("http");
    frame.fields[HANDOVER_ADDRESS] = TEXT_OF("127.0.0.1:8080");
    frame.fields[HANDOVER_FLAGS] = TEXT_OF(HANDOVER_FLAG_GIVEN);
    frame.fields[HANDOVER_SECRET_BYTES] = TEXT_OF("\0\1\2");
    return frame;
}

static void what_is_printed_is_parsed(void **state)
{
    struct handover_frame before = full_frame();
    struct handover_frame after;
    uint64_t number = 0;
    assert_true(handover_parse(print(&before), &after));
    assert_int_equal(after.kind, HANDOVER_LISTENERS);
    for (int tag = 0; tag < HANDOVER_TAGS; tag++)
        assert_true(text_equals(before.fields[tag], after.fields[tag]));
    assert_true(handover_number(&after, &number));
    assert_int_equal(number, 17);
}

static void a_part_of_a_frame_is_none_or_has_whole_fields(void **state)
{
    struct handover_frame before = full_frame();
    struct text whole = print(&before);
    for (size_t length = 0; length < whole.length; length++) {
        struct handover_frame after;
        if (!handover_parse(text_first(whole, length), &after))
            continue;
        for (int tag = 0; tag < HANDOVER_TAGS; tag++)
            assert_true(text_is_empty(after.fields[tag]) ||
                        text_equals(before.fields[tag], after.fields[tag]));
    }
    struct handover_frame after;
    assert_false(handover_parse(text_first(whole, 4), &after));
    assert_false(handover_parse(TEXT_OF("GWUX\7"), &after));
    assert_false(handover_parse(TEXT_OF("GWUP\0"), &after));
    assert_false(handover_parse(TEXT_OF("GWUP\7\2\5\0abcd"), &after));
}

/* A newer version may say more. */
static void what_is_not_known_is_passed_over(void **state)
{
    struct handover_frame after;
    assert_true(handover_parse(TEXT_OF("GWUP\7\x63\2\0ab\2\1\0x"), &after));
    assert_int_equal(after.kind, HANDOVER_CAN);
    assert_true(text_equals(after.fields[HANDOVER_TEXT], TEXT_OF("x")));
    assert_true(handover_parse(TEXT_OF("GWUP\xf0"), &after));
    assert_int_equal(after.kind, HANDOVER_KINDS);
}

static void a_long_text_is_cut(void **state)
{
    char *at = test_malloc(20000);
    memset(at, 'x', 20000);
    struct handover_frame before = { .kind = HANDOVER_REFUSED };
    struct handover_frame after;
    before.fields[HANDOVER_TEXT] = text_from(at, 20000);
    assert_true(handover_parse(print(&before), &after));
    assert_int_equal(after.fields[HANDOVER_TEXT].length, 4096);
    test_free(at);
}

static void a_number_is_decimal_or_none(void **state)
{
    struct handover_frame frame = { .kind = HANDOVER_HELLO };
    uint64_t number = 5;
    assert_false(handover_number(&frame, &number));
    frame.fields[HANDOVER_NUMBER] = TEXT_OF("1x");
    assert_false(handover_number(&frame, &number));
    assert_int_equal(number, 5);
}

static int tidy(void **state)
{
    builder_fini(&printed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_printed_is_parsed),        TEST(a_part_of_a_frame_is_none_or_has_whole_fields),
        TEST(what_is_not_known_is_passed_over), TEST(a_long_text_is_cut),
        TEST(a_number_is_decimal_or_none),
    };
    builder_init(&printed, HANDOVER_FRAME_MOST);
    return cmocka_run_group_tests(tests, NULL, tidy);
}
