/* SPDX-License-Identifier: Apache-2.0 */
/* test_h1_chunked.c - chunked bodies, byte for byte, however they arrive; and printing them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "conf/base/mem.h"
#include "gatewayd/http/h1_chunked.h"
#include "tests/unit/gatewayd/head_dump.h"

struct body {
    struct header items[8];
    struct headers trailers;
    struct arena arena;
    struct h1_chunked chunked;
    struct builder data;
    enum h1_chunked_step step;
    size_t left; /* bytes that were not of the body */
};

static void body_init(struct body *body)
{
    headers_init(&body->trailers, body->items, ARRAY_LENGTH(body->items));
    arena_init(&body->arena, 20000);
    h1_chunked_init(&body->chunked, &body->trailers, &body->arena);
    builder_init(&body->data, 1 << 20);
    body->step = H1_CHUNKED_MORE;
    body->left = 0;
}

static void body_fini(struct body *body)
{
    builder_fini(&body->data);
    arena_reset(&body->arena);
}

/* The piece is gone after the call. */
static void feed(struct body *body, struct text piece)
{
    char *copy = mem_resize(NULL, piece.length);
    memcpy(copy, piece.at, piece.length);
    struct text bytes = text_from(copy, piece.length), data;
    while ((body->step = h1_chunked_parse(&body->chunked, &bytes, &data)) == H1_CHUNKED_DATA) {
        assert_true(data.length > 0);
        builder_add(&body->data, data);
    }
    if (body->step == H1_CHUNKED_MORE)
        assert_int_equal(bytes.length, 0);
    body->left = bytes.length;
    MEM_FREE(&copy);
}

/* "DATA|trailers" and what was left over, or the refusal, or "more:DATA". */
static void dump(struct body *body, size_t unfed, struct builder *b)
{
    if (body->step == H1_CHUNKED_BAD) {
        builder_add(b, refusal_name(body->chunked.refusal));
        return;
    }
    if (body->step == H1_CHUNKED_MORE)
        builder_add(b, TEXT_OF("more:"));
    builder_add(b, builder_text(&body->data));
    dump_headers(&body->trailers, b);
    if (body->left + unfed > 0)
        builder_addf(b, " +%zu", body->left + unfed);
}

static void check_split(struct text t, const char *expected, size_t first, size_t step)
{
    struct body body;
    struct builder b;
    body_init(&body);
    builder_init(&b, 1 << 20);
    size_t fed = first < t.length ? first : t.length;
    feed(&body, text_first(t, fed));
    while (body.step == H1_CHUNKED_MORE && fed < t.length) {
        size_t n = step < t.length - fed ? step : t.length - fed;
        feed(&body, text_from(t.at + fed, n));
        fed += n;
    }
    dump(&body, t.length - fed, &b);
    if (!text_equals(builder_text(&b), text_of(expected)))
        fail_msg("fed %zu, then by %zu: «%.*s»\nexpected «%s»\ngot «%.*s»", first, step,
                 TEXT_ARGS(t), expected, TEXT_ARGS(builder_text(&b)));
    builder_fini(&b);
    body_fini(&body);
}

static void check(struct text t, const char *expected)
{
    check_split(t, expected, 1, 1);
    for (size_t first = 0; first <= t.length; first++)
        check_split(t, expected, first, t.length);
}

struct row {
    struct text bytes;
    const char *expected;
};

#define ROW(bytes, expected)                                                                       \
    {                                                                                              \
        TEXT(bytes), expected                                                                      \
    }

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(rows[i].bytes, rows[i].expected);
}

static void bodies_are_decoded(void **state)
{
    static const struct row rows[] = {
        ROW("0\r\n\r\n", ""),
        ROW("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ROW("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"),
        ROW("00000000000000000005\r\nhello\r\n000\r\n\r\n", "hello"),
        ROW("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\nGET /", "01234567890123456789 +5"),
        ROW("4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"),
        ROW("5;a=b;c=\"d;\\\"\\\\e\" ; f\r\nhello\r\n0;last\r\n\r\n", "hello"),
        ROW("5 \t;a\r\nhello\r\n0\r\n\r\n", "hello"),
        ROW("0\r\nX: y\r\nChecksum:  abc \r\n\r\n!", " | X: y | Checksum: abc +1"),
        ROW("1\r\nx\r\n0\r\nTransfer-Encoding: x\r\nA: b\r\nAuthorization: y\r\nContent-Length: "
            "5\r\n"
            "Host: h\r\nConnection: a\r\nX-Consumer: me\r\nSet-Cookie: a\r\n\r\n",
            "x | A: b"),
        ROW("5\r\nhel", "more:hel"),
        ROW("5\r\nhello\r\n0\r\n", "more:hello"),
        ROW("5\r\nhello\r\n0\r\nA: b\r\n", "more:hello"),
    };
    check_rows(rows, ARRAY_LENGTH(rows));
}

static void what_can_be_read_two_ways_is_refused(void **state)
{
    static const struct row rows[] = {
        ROW("\r\n", "CHUNK_SIZE"),
        ROW("g\r\n", "CHUNK_SIZE"),
        ROW(";a\r\n", "CHUNK_SIZE"),
        ROW(" 5\r\nhello\r\n", "CHUNK_SIZE"),
        ROW("+5\r\nhello\r\n", "CHUNK_SIZE"),
        ROW("-5\r\nhello\r\n", "CHUNK_SIZE"),
        ROW("0x5\r\nhello\r\n", "CHUNK_SIZE"),
        ROW("5_\r\nhello\r\n", "CHUNK_SIZE"),
        ROW("5 \r\nhello\r\n", "CHUNK_SIZE"),
        ROW("5 5\r\nhello\r\n", "CHUNK_SIZE"),
        ROW("5,\r\nhello\r\n", "CHUNK_SIZE"),
        ROW("5\0\r\nhello\r\n", "CHUNK_SIZE"),
        ROW("5\nhello\r\n", "BARE_LF"),
        ROW("5\rhello\r\n", "BARE_CR"),
        ROW("5;a\nhello\r\n", "BARE_LF"),
        ROW("5;a\rb\r\nhello\r\n", "BARE_CR"),
        ROW("5;a\0\r\nhello\r\n", "CHUNK_EXTENSION"),
        ROW("5;\"a\r\nhello\r\n", "CHUNK_EXTENSION"),
        ROW("5;\"a\nb\"\r\nhello\r\n", "CHUNK_EXTENSION"),
        ROW("5;\"\\\n\"\r\nhello\r\n", "CHUNK_EXTENSION"),
        ROW("5;caf\xc3\xa9\r\nhello\r\n", "CHUNK_EXTENSION"),
        ROW("7fffffffffffffff\r\nx", "more:x"),
        ROW("8000000000000000\r\nx", "CHUNK_SIZE_TOO_LARGE"),
        ROW("10000000000000000\r\nx", "CHUNK_SIZE_TOO_LARGE"),
        ROW("100000000000000000000000000000005\r\nx", "CHUNK_SIZE_TOO_LARGE"),
        ROW("5\r\nhello0\r\n\r\n", "CHUNK_END"),
        ROW("5\r\nhello\n0\r\n\r\n", "CHUNK_END"),
        ROW("5\r\nhello\rx", "CHUNK_END"),
        ROW("5\r\nhelloo\r\n0\r\n\r\n", "CHUNK_END"),
        ROW("5\r\nhell\r\n0\r\n\r\n", "CHUNK_END"),
        ROW("0\r\nA: b\n\r\n", "BARE_LF"),
        ROW("0\r\n\nA", "BARE_LF"),
        ROW("0\r\nA: b\rc\r\n\r\n", "BARE_CR"),
        ROW("0\r\n A: b\r\n\r\n", "FOLDED_LINE"),
        ROW("0\r\nA : b\r\n\r\n", "HEADER_COLON"),
        ROW("0\r\nA\r\n\r\n", "HEADER_NAME"),
        ROW("0\r\nA: \0\r\n\r\n", "CONTROL_BYTE"),
    };
    check_rows(rows, ARRAY_LENGTH(rows));
}

static void first_step(struct body *body, const char *before, const char *filling, size_t count,
                       const char *after)
{
    body_init(body);
    feed(body, text_of(before));
    for (size_t i = 0; i < count && body->step == H1_CHUNKED_MORE; i++)
        feed(body, text_of(filling));
    if (body->step == H1_CHUNKED_MORE)
        feed(body, text_of(after));
}

static void lengths_are_bounded(void **state)
{
    struct body body;
    first_step(&body, "1;", "x", 1000, "\r\nx\r\n");
    assert_int_equal(body.step, H1_CHUNKED_MORE);
    body_fini(&body);
    first_step(&body, "1;", "x", 1100, "\r\nx\r\n");
    assert_int_equal(body.chunked.refusal, REFUSAL_CHUNK_EXTENSION_TOO_LONG);
    body_fini(&body);
    first_step(&body, "", "1;0123456789012345678901234567890123456789\r\nx\r\n", 1000, "");
    assert_int_equal(body.chunked.refusal, REFUSAL_CHUNK_EXTENSION_TOO_LONG);
    body_fini(&body);
    first_step(&body, "0\r\n", "A: 0123456789012345678901234567890123456789\r\n", 1000, "\r\n");
    assert_int_equal(body.chunked.refusal, REFUSAL_TRAILERS_TOO_LARGE);
    body_fini(&body);
    first_step(&body, "0\r\n", "A: b\r\n", 9, "\r\n");
    assert_int_equal(body.chunked.refusal, REFUSAL_TRAILERS_TOO_LARGE);
    body_fini(&body);
}

static void data_pays_for_extensions(void **state)
{
    struct body body;
    first_step(&body, "",
               "40;sig=012345678901234567890123456789\r\n"
               "0123456789012345678901234567890123456789012345678901234567890123\r\n",
               2000, "0\r\n\r\n");
    assert_int_equal(body.step, H1_CHUNKED_DONE);
    body_fini(&body);
}

static void trailers_can_be_forgotten(void **state)
{
    struct arena arena;
    struct h1_chunked c;
    struct text bytes = TEXT_OF("0\r\nA: b\r\n\r\n"), data;
    arena_init(&arena, 20000);
    h1_chunked_init(&c, NULL, &arena);
    assert_int_equal(h1_chunked_parse(&c, &bytes, &data), H1_CHUNKED_DONE);
    assert_int_equal(bytes.length, 0);
    arena_reset(&arena);
}

static void sizes_are_printed(void **state)
{
    char into[H1_CHUNKED_PREFIX_SIZE];
    static const struct {
        uint64_t size;
        const char *first;
        const char *later;
    } rows[] = {
        { 1, "1\r\n", "\r\n1\r\n" },
        { 0xf, "f\r\n", "\r\nf\r\n" },
        { 0x10, "10\r\n", "\r\n10\r\n" },
        { 65536, "10000\r\n", "\r\n10000\r\n" },
        { UINT64_MAX, "ffffffffffffffff\r\n", "\r\nffffffffffffffff\r\n" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct text printed = h1_chunked_print_size(rows[i].size, true, into);
        assert_true(text_equals(printed, text_of(rows[i].first)));
        printed = h1_chunked_print_size(rows[i].size, false, into);
        assert_true(text_equals(printed, text_of(rows[i].later)));
    }
}

static void the_end_is_printed(void **state)
{
    char into[64];
    struct header items[3];
    struct headers trailers;
    headers_init(&trailers, items, 3);
    assert_int_equal(h1_chunked_print_last(NULL, true, into, 7), 5);
    assert_memory_equal(into, "0\r\n\r\n", 5);
    assert_int_equal(h1_chunked_print_last(NULL, false, into, 7), 7);
    assert_memory_equal(into, "\r\n0\r\n\r\n", 7);
    assert_true(headers_add_named(&trailers, TEXT_OF("A"), TEXT_OF("b")));
    assert_true(headers_add_named(&trailers, TEXT_OF("C"), TEXT_OF("d")));
    assert_true(headers_add_named(&trailers, TEXT_OF("E"), TEXT_EMPTY));
    headers_remove_named(&trailers, TEXT_OF("c"));
    size_t length = h1_chunked_print_last(&trailers, false, into, sizeof(into));
    assert_true(text_equals(text_from(into, length), TEXT_OF("\r\n0\r\nA: b\r\nE: \r\n\r\n")));
    assert_int_equal(h1_chunked_print_last(&trailers, false, into, 10), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_decoded),
        cmocka_unit_test(what_can_be_read_two_ways_is_refused),
        cmocka_unit_test(lengths_are_bounded),
        cmocka_unit_test(data_pays_for_extensions),
        cmocka_unit_test(trailers_can_be_forgotten),
        cmocka_unit_test(sizes_are_printed),
        cmocka_unit_test(the_end_is_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
