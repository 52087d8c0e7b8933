/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_redis_reader.c - replies out of bytes, and what is refused.
 */
#include "cluster/redis_reader.h"

#include "cluster/redis_reply.h"
#include "conf/base/mem.h"
#include "tests/unit/gatewayd/cmocka_all.h"

#define MOST 100000

static enum redis_read read_all(struct redis_reader *r, struct text bytes, size_t step,
                                struct redis_reply **reply_out)
{
    enum redis_read result = REDIS_READ_MORE;
    for (size_t at = 0; at < bytes.length && result == REDIS_READ_MORE; at += step) {
        redis_reader_feed(r, text_first(text_skip(bytes, at), step));
        result = redis_reader_next(r, reply_out);
    }
    return result;
}

static void expect_bad(struct text bytes, size_t step, const char *words)
{
    struct redis_reader *r = redis_reader_new(MOST);
    struct redis_reply *reply = NULL;
    assert_int_equal(read_all(r, bytes, step, &reply), REDIS_READ_BAD);
    if (!text_contains(redis_reader_reason(r), text_of(words)))
        fail_msg("%.*s", TEXT_ARGS(redis_reader_reason(r)));
    /* For good. */
    redis_reader_feed(r, TEXT_OF("+OK\r\n"));
    assert_int_equal(redis_reader_next(r, &reply), REDIS_READ_BAD);
    redis_reader_free(&r);
}

static void a_reply_is_the_same_at_every_split(void **state)
{
    static const struct text bytes =
        TEXT("*6\r\n+OK\r\n:-7\r\n$3\r\na\r\n\r\n$-1\r\n*2\r\n$2\r\n12\r\n:3\r\n-ERR why not\r\n");
    for (size_t step = 1; step <= bytes.length; step++) {
        struct redis_reader *r = redis_reader_new(MOST);
        struct redis_reply *reply = NULL;
        int64_t number;
        assert_int_equal(read_all(r, bytes, step, &reply), REDIS_READ_REPLY);
        assert_int_equal(redis_reply_kind(reply), REDIS_REPLY_LIST);
        assert_int_equal(redis_reply_count(reply), 6);
        assert_true(text_equals(redis_reply_text(redis_reply_at(reply, 0)), TEXT_OF("OK")));
        assert_true(redis_reply_integer(redis_reply_at(reply, 1), &number) && number == -7);
        assert_true(text_equals(redis_reply_text(redis_reply_at(reply, 2)), TEXT_OF("a\r\n")));
        assert_int_equal(redis_reply_kind(redis_reply_at(reply, 3)), REDIS_REPLY_NIL);
        const struct redis_reply *inner = redis_reply_at(reply, 4);
        assert_int_equal(redis_reply_count(inner), 2);
        assert_true(redis_reply_integer(redis_reply_at(inner, 0), &number) && number == 12);
        const struct redis_reply *error = redis_reply_at(reply, 5);
        assert_int_equal(redis_reply_kind(error), REDIS_REPLY_ERROR);
        assert_true(redis_reply_is_error(error, "ERR"));
        assert_false(redis_reply_is_error(error, "ER"));
        assert_false(redis_reply_integer(error, &number));
        /* Past the end, and of what is no list: nil. */
        assert_int_equal(redis_reply_kind(redis_reply_at(reply, 6)), REDIS_REPLY_NIL);
        assert_int_equal(redis_reply_kind(redis_reply_at(error, 0)), REDIS_REPLY_NIL);
        assert_int_equal(redis_reply_count(error), 0);
        redis_reader_free_reply(&reply);
        assert_int_equal(redis_reader_next(r, &reply), REDIS_READ_MORE);
        redis_reader_free(&r);
    }
}

static void what_is_no_reply_is_refused(void **state)
{
    expect_bad(TEXT_OF("HTTP/1.1 200 OK\r\n\r\n"), 1, "Protocol error");
    expect_bad(TEXT_OF("*2\r\n+a\r\n?\r\n"), 100, "Protocol error");
}

static void a_reply_has_a_ceiling(void **state)
{
    char *bytes = mem_new(MOST + 100);
    memset(bytes, 'x', MOST + 100);
    memcpy(bytes, "$9999999\r\n", 10);
    expect_bad(text_from(bytes, MOST + 100), 4096, "larger");
    MEM_FREE(&bytes);
    /* What its elements will take counts before they come. */
    expect_bad(TEXT_OF("*2000\r\n"), 100, "larger");
    expect_bad(TEXT_OF("*2000000000\r\n"), 100, "too long");
    expect_bad(TEXT_OF("*-2\r\n"), 100, "");
    /* Many small ones after each other do not add up. */
    struct redis_reader *r = redis_reader_new(MOST);
    for (int i = 0; i < 1000; i++) {
        struct redis_reply *reply = NULL;
        redis_reader_feed(r, TEXT_OF("*3\r\n:1\r\n:2\r\n"));
        assert_int_equal(redis_reader_next(r, &reply), REDIS_READ_MORE);
        redis_reader_feed(r, TEXT_OF(":3\r\n"));
        assert_int_equal(redis_reader_next(r, &reply), REDIS_READ_REPLY);
        redis_reader_free_reply(&reply);
    }
    redis_reader_free(&r);
}

static void lines_have_an_end(void **state)
{
    char *bytes = mem_new(REDIS_READER_LINE_MAX + 100);
    memset(bytes, '1', REDIS_READER_LINE_MAX + 100);
    static const char kinds[] = "+-:$*";
    for (size_t i = 0; i < strlen(kinds); i++) {
        bytes[0] = kinds[i];
        expect_bad(text_from(bytes, REDIS_READER_LINE_MAX + 100), 512, "no end");
    }
    MEM_FREE(&bytes);
}

static void lists_nest_so_deep_and_no_deeper(void **state)
{
    expect_bad(TEXT_OF("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"), 1,
               "");
    struct redis_reader *r = redis_reader_new(MOST);
    struct redis_reply *reply = NULL;
    redis_reader_feed(r, TEXT_OF("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"));
    assert_int_equal(redis_reader_next(r, &reply), REDIS_READ_REPLY);
    redis_reader_free_reply(&reply);
    redis_reader_free(&r);
}

static void a_command_is_printed_with_its_lengths(void **state)
{
    struct text words[100] = { TEXT("SET"), TEXT("a b"), TEXT("\r\n") };
    struct redis_command c = redis_reader_command(words, 3);
    assert_true(text_equals(text_from(c.at, c.length),
                            TEXT_OF("*3\r\n$3\r\nSET\r\n$3\r\na b\r\n$2\r\n\r\n\r\n")));
    redis_reader_free_command(&c);
    c = redis_reader_command(words, 100); /* most of them empty */
    assert_true(text_starts_with(text_from(c.at, c.length), TEXT_OF("*100\r\n$3\r\nSET\r\n")));
    assert_true(text_ends_with(text_from(c.at, c.length), TEXT_OF("$0\r\n\r\n$0\r\n\r\n")));
    redis_reader_free_command(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_the_same_at_every_split),
        cmocka_unit_test(what_is_no_reply_is_refused),
        cmocka_unit_test(a_reply_has_a_ceiling),
        cmocka_unit_test(lines_have_an_end),
        cmocka_unit_test(lists_nest_so_deep_and_no_deeper),
        cmocka_unit_test(a_command_is_printed_with_its_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
