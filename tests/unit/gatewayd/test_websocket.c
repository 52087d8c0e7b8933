/* SPDX-License-Identifier: Apache-2.0 */
/* test_websocket.c - frames are followed over any cut, and close frames fit between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gatewayd/http/websocket.h"

/* "used/total" and flags: B at a boundary, M in a message, C closed; or "bad at N". */
static void follow(struct text bytes, enum websocket_sender sender, size_t step, char *into)
{
    struct websocket ws;
    websocket_init(&ws, sender);
    size_t at = 0;
    while (at < bytes.length) {
        size_t n = step < bytes.length - at ? step : bytes.length - at, used;
        bool is_right = websocket_follow(&ws, text_from(bytes.at + at, n), false, &used);
        at += used;
        if (!is_right) {
            snprintf(into, 64, "bad at %zu%s", at, websocket_is_at_boundary(&ws) ? "B" : "");
            return;
        }
        assert_int_equal(used, n);
    }
    snprintf(into, 64, "%s%s%s", websocket_is_at_boundary(&ws) ? "B" : "", ws.in_message ? "M" : "",
             ws.has_closed ? "C" : "");
}

static void check(struct text bytes, enum websocket_sender sender, const char *expected)
{
    char got[64];
    for (size_t step = 1; step <= bytes.length + 1; step++) {
        follow(bytes, sender, step, got);
        if (strcmp(got, expected) != 0)
            fail_msg("by %zu: %s, not %s", step, got, expected);
    }
}

/* Wrong is the byte at `byte`, in the header of the frame that begins at `frame`: nothing of that
 * frame has passed, or all before the byte when the header came in pieces. */
static void check_bad(struct text bytes, enum websocket_sender sender, size_t frame, size_t byte)
{
    char whole[64], pieces[64], got[64];
    snprintf(whole, sizeof(whole), "bad at %zuB", frame);
    snprintf(pieces, sizeof(pieces), "bad at %zu", byte);
    for (size_t step = 1; step <= bytes.length + 1; step++) {
        follow(bytes, sender, step, got);
        bool is_split = (byte / step) != (frame / step);
        if (strcmp(got, is_split ? pieces : whole) != 0)
            fail_msg("by %zu: %s, not %s", step, got, is_split ? pieces : whole);
    }
}

#define BAD_SERVER(bytes, frame, byte) check_bad(TEXT_OF(bytes), WEBSOCKET_SERVER, frame, byte)
#define BAD_CLIENT(bytes, frame, byte) check_bad(TEXT_OF(bytes), WEBSOCKET_CLIENT, frame, byte)
#define SERVER(bytes, expected)        check(TEXT_OF(bytes), WEBSOCKET_SERVER, expected)
#define CLIENT(bytes, expected)        check(TEXT_OF(bytes), WEBSOCKET_CLIENT, expected)
#define MASK                           "\x01\x02\x03\x04"

static void frames_are_followed(void **state)
{
    SERVER("", "B");
    SERVER("\x81\x05hello", "B");
    SERVER("\x81\x05hell", "");
    SERVER("\x81", "");
    SERVER("\x81\x00", "B");
    SERVER("\x82\x01x\x81\x01y", "B");
    SERVER("\x01\x03one", "BM");
    SERVER("\x01\x03one\x80\x03two", "B");
    SERVER("\x01\x03one\x00\x03two", "BM");
    SERVER("\x01\x03one\x89\x00\x80\x03two", "B");
    SERVER("\x01\x03one\x8a\x02zz", "BM");
    SERVER("\x88\x02\x03\xe8", "BC");
    SERVER("\x88\x00", "BC");
    SERVER("\xc1\x01x", "B");
    CLIENT("\x81\x85" MASK "hello", "B");
    CLIENT("\x81\x80" MASK, "B");
    CLIENT("\x81\x80\x01\x02\x03", "");
    CLIENT("\x88\x82" MASK "xy", "BC");
}

static void long_frames_are_counted(void **state)
{
    static char bytes[70000];
    memcpy(bytes, "\x82\x7e\x00\x7e", 4);
    char got[64];
    follow(text_from(bytes, 4 + 126), WEBSOCKET_SERVER, 7, got);
    assert_string_equal(got, "B");
    follow(text_from(bytes, 4 + 125), WEBSOCKET_SERVER, 7, got);
    assert_string_equal(got, "");
    memcpy(bytes, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10);
    follow(text_from(bytes, 10 + 65536), WEBSOCKET_SERVER, 1000, got);
    assert_string_equal(got, "B");
    memcpy(bytes, "\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00" MASK, 14);
    follow(text_from(bytes, 14 + 65536), WEBSOCKET_CLIENT, 1000, got);
    assert_string_equal(got, "B");
    SERVER("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xffx", "");
}

static void malformed_frames_are_found_at_once(void **state)
{
    BAD_CLIENT("\x81\x05hello", 0, 1);
    BAD_SERVER("\x81\x85" MASK "hello", 0, 1);
    BAD_SERVER("\x83\x00", 0, 1);
    BAD_SERVER("\x8b\x00", 0, 1);
    BAD_SERVER("\x09\x00", 0, 1);
    BAD_SERVER("\x89\x7e", 0, 1);
    BAD_SERVER("\x80\x00", 0, 1);
    BAD_SERVER("\x01\x00\x81\x00", 2, 3);
    BAD_SERVER("\x81\x7e\x00\x7d", 0, 3);
    BAD_SERVER("\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff", 0, 9);
    BAD_SERVER("\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x00", 0, 9);
}

static void after_a_malformed_frame_nothing_is_followed(void **state)
{
    struct websocket ws;
    size_t used = 99;

    websocket_init(&ws, WEBSOCKET_SERVER);
    for (unsigned i = 0; i < 40; i++) {
        assert_false(websocket_follow(&ws, TEXT_OF("\x81\xff\xff\xff\xff\xff\xff"), false, &used));
        assert_true(used <= 1);
    }
}

static void following_stops_at_a_boundary_when_asked(void **state)
{
    struct websocket ws;
    struct text bytes = TEXT_OF("\x81\x05hello\x81\x01x\x81\x03"
                                "a");
    size_t used;
    websocket_init(&ws, WEBSOCKET_SERVER);
    assert_true(websocket_follow(&ws, text_first(bytes, 3), true, &used));
    assert_int_equal(used, 3);
    assert_false(websocket_is_at_boundary(&ws));
    assert_true(websocket_follow(&ws, text_skip(bytes, 3), true, &used));
    assert_int_equal(used, 4);
    assert_true(websocket_is_at_boundary(&ws));
    assert_true(websocket_follow(&ws, text_skip(bytes, 7), true, &used));
    assert_int_equal(used, 3);
    assert_true(websocket_follow(&ws, text_skip(bytes, 10), true, &used));
    assert_int_equal(used, 3);
    assert_false(websocket_is_at_boundary(&ws));
}

static void close_frames_are_frames(void **state)
{
    char into[WEBSOCKET_CLOSE_SIZE];
    struct text frame =
        websocket_print_close(WEBSOCKET_SERVER, WEBSOCKET_GOING_AWAY, TEXT_OF("bye"), into);
    assert_true(text_equals(frame, TEXT_OF("\x88\x05\x03\xe9"
                                           "bye")));
    check(frame, WEBSOCKET_SERVER, "BC");

    frame = websocket_print_close(WEBSOCKET_CLIENT, WEBSOCKET_POLICY, TEXT_OF("no"), into);
    check(frame, WEBSOCKET_CLIENT, "BC");
    assert_int_equal(frame.length, 2 + 4 + 4);
    char payload[4];
    for (int i = 0; i < 4; i++)
        payload[i] = (char)(frame.at[6 + i] ^ frame.at[2 + i]);
    assert_memory_equal(payload, "\x03\xf0no", 4);
}

static void long_reasons_are_cut_between_characters(void **state)
{
    char into[WEBSOCKET_CLOSE_SIZE], reason[200];
    for (size_t i = 0; i < sizeof(reason); i += 2)
        memcpy(reason + i, "\xc3\xa9", 2);
    struct text frame =
        websocket_print_close(WEBSOCKET_CLIENT, 1008, text_from(reason, sizeof(reason)), into);
    check(frame, WEBSOCKET_CLIENT, "BC");
    assert_int_equal(frame.length, 6 + 2 + 122);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_followed),
        cmocka_unit_test(long_frames_are_counted),
        cmocka_unit_test(malformed_frames_are_found_at_once),
        cmocka_unit_test(after_a_malformed_frame_nothing_is_followed),
        cmocka_unit_test(following_stops_at_a_boundary_when_asked),
        cmocka_unit_test(close_frames_are_frames),
        cmocka_unit_test(long_reasons_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
