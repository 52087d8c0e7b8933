/* SPDX-License-Identifier: Apache-2.0 */
/* test_h1_response.c - response heads, byte for byte: what is taken, what is refused and why, and
 * that neither depends on how the bytes arrive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "conf/base/mem.h"
#include "gatewayd/http/h1_response.h"
#include "tests/unit/gatewayd/head_dump.h"

#define LINES 24

static const struct h1_limits limits = { .header_bytes = 400, .headers = 20 };

struct reader {
    struct header items[LINES];
    struct response_head head;
    struct h1_response parser;
    char *copy;
};

static void reader_init(struct reader *r, const struct request_head *request)
{
    memset(&r->head, 0, sizeof(r->head));
    headers_init(&r->head.headers, r->items, LINES);
    h1_response_init(&r->parser, &r->head, request, &limits);
    r->copy = NULL;
}

/* Each call gives the parser the bytes at another address, as a buffer that grew would. */
static enum h1_parse feed(struct reader *r, struct text t, size_t length)
{
    char *copy = mem_resize(NULL, length);
    memcpy(copy, t.at, length);
    enum h1_parse parsed = h1_response_parse(&r->parser, text_from(copy, length));
    MEM_FREE(&r->copy);
    r->copy = copy;
    return parsed;
}

static void read_split(struct text t, const struct request_head *request, size_t first, size_t step,
                       struct builder *b)
{
    struct reader r;
    reader_init(&r, request);
    enum h1_parse parsed = H1_MORE;
    for (size_t n = first; parsed == H1_MORE && n <= t.length; n += step)
        parsed = feed(&r, t, n);
    if (parsed == H1_MORE)
        parsed = feed(&r, t, t.length);
    if (parsed == H1_DONE) {
        if (r.parser.is_switch)
            builder_add(b, TEXT_OF("switch "));
        dump_response(&r.head, b);
    } else {
        builder_add(b, parsed == H1_MORE ? TEXT_OF("more") : refusal_name(r.parser.refusal));
    }
    MEM_FREE(&r.copy);
}

static void check_split(struct text t, const struct request_head *request, const char *expected,
                        size_t first, size_t step)
{
    struct builder b;
    builder_init(&b, 8192);
    read_split(t, request, first, step, &b);
    if (!text_equals(builder_text(&b), text_of(expected)))
        fail_msg("fed from %zu by %zu: «%.*s»\nexpected «%s»\ngot «%.*s»", first, step,
                 TEXT_ARGS(t), expected, TEXT_ARGS(builder_text(&b)));
    builder_fini(&b);
}

static void check(struct text t, const struct request_head *request, const char *expected)
{
    check_split(t, request, expected, t.length, 1);
    check_split(t, request, expected, 0, 1);
    for (size_t first = 1; first < t.length; first++)
        check_split(t, request, expected, first, t.length);
}

struct row {
    struct text bytes;
    const char *expected;
};

#define ROW(bytes, expected)                                                                       \
    {                                                                                              \
        TEXT(bytes), expected                                                                      \
    }
#define OK "HTTP/1.1 200 OK\r\n"

static const struct request_head get = { .method = METHOD_GET };
static const struct request_head head = { .method = METHOD_HEAD };
static const struct request_head upgrade = { .method = METHOD_GET, .is_upgrade = true };

static void check_rows(const struct row *rows, size_t count, const struct request_head *request)
{
    for (size_t i = 0; i < count; i++)
        check(rows[i].bytes, request, rows[i].expected);
}

static void plain_responses_are_understood(void **state)
{
    static const struct row rows[] = {
        ROW(OK "Content-Length: 5\r\nX: y\r\n\r\nhello",
            "200 1.1 length=5 keep [OK] | Content-Length: 5 | X: y"),
        ROW(OK "Transfer-Encoding: chunked\r\n\r\n",
            "200 1.1 chunked keep [OK] | Transfer-Encoding: chunked"),
        ROW(OK "\r\n", "200 1.1 close [OK]"),
        ROW(OK "Content-Length: 5\r\nConnection: close\r\n\r\n",
            "200 1.1 length=5 [OK] | Content-Length: 5 | Connection: close"),
        ROW("HTTP/1.1 404 Not  Found \xe9\r\nContent-Length: 0\r\n\r\n",
            "404 1.1 length=0 keep [Not  Found \xe9] | Content-Length: 0"),
        ROW("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
            "200 1.1 length=0 keep [] | Content-Length: 0"),
        ROW("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
            "200 1.1 length=0 keep [] | Content-Length: 0"),
        ROW("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n",
            "200 1.0 length=1 [OK] | Content-Length: 1"),
        ROW("HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n",
            "200 1.0 length=1 keep [OK] | Content-Length: 1 | Connection: keep-alive"),
        ROW("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n",
            "200 1.0 close [OK] | Connection: keep-alive"),
        ROW(OK "X-Hop: 1\r\nContent-Type: a\r\nConnection: x-hop, content-type\r\n"
               "Content-Length: 1\r\n\r\n",
            "200 1.1 length=1 keep [OK] | -X-Hop | Content-Type: a"
            " | Connection: x-hop, content-type | Content-Length: 1"),
        ROW(OK "Set-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 1\r\n\r\n",
            "200 1.1 length=1 keep [OK] | Set-Cookie: a | Set-Cookie: b | Content-Length: 1"),
    };
    check_rows(rows, ARRAY_LENGTH(rows), &get);
}

static void some_responses_have_no_body(void **state)
{
    static const struct row rows[] = {
        ROW("HTTP/1.1 204 No Content\r\n\r\n", "204 1.1 none keep [No Content]"),
        ROW("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
            "204 1.1 none keep [No Content] | Content-Length: 0"),
        ROW("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
            "204 1.1 none [No Content] | Content-Length: 5"),
        ROW("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
            "204 1.1 none [No Content] | Transfer-Encoding: chunked"),
        ROW("HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n",
            "304 1.1 none=500 keep [Not Modified] | Content-Length: 500"),
        ROW("HTTP/1.1 304 Not Modified\r\n\r\n", "304 1.1 none keep [Not Modified]"),
        ROW("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "100 1.1 none keep [Continue]"),
        ROW("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
            "103 1.1 none keep [Early Hints] | Link: x"),
        ROW("HTTP/1.1 103 Early Hints\r\nContent-Length: 1\r\n\r\n", "INTERIM_BODY"),
        ROW("HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n", "INTERIM_BODY"),
    };
    check_rows(rows, ARRAY_LENGTH(rows), &get);
    check(TEXT_OF(OK "Content-Length: 500\r\n\r\n"), &head,
          "200 1.1 none=500 keep [OK] | Content-Length: 500");
    check(TEXT_OF(OK "Transfer-Encoding: chunked\r\n\r\n"), &head,
          "200 1.1 none keep [OK] | Transfer-Encoding: chunked");
    check(TEXT_OF(OK "\r\n"), &head, "200 1.1 none keep [OK]");
}

static void a_switch_happens_only_when_asked_for(void **state)
{
#define SWITCH "HTTP/1.1 101 Switching\r\n"
    check(TEXT_OF(SWITCH "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81"), &upgrade,
          "switch 101 1.1 none [Switching] | Upgrade: websocket | Connection: Upgrade");
    check(TEXT_OF(SWITCH "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n"), &upgrade,
          "SWITCH_UNASKED");
    check(TEXT_OF(SWITCH "Upgrade: websocket\r\n\r\n"), &upgrade, "SWITCH_UNASKED");
    check(TEXT_OF(SWITCH "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), &get,
          "SWITCH_UNASKED");
    check(TEXT_OF(SWITCH "\r\n"), &get, "SWITCH_UNASKED");
    check(TEXT_OF("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno"), &upgrade,
          "403 1.1 length=2 keep [No] | Content-Length: 2");
}

static void what_can_be_read_two_ways_is_refused(void **state)
{
    static const struct row rows[] = {
        ROW(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "LENGTH_AND_CODING"),
        ROW(OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", "LENGTH_REPEATED"),
        ROW(OK "Content-Length: 5, 5\r\n\r\n", "LENGTH_INVALID"),
        ROW(OK "Content-Length: -5\r\n\r\n", "LENGTH_INVALID"),
        ROW(OK "Content-Length: 99999999999999999999\r\n\r\n", "LENGTH_INVALID"),
        ROW(OK "Transfer-Encoding: gzip, chunked\r\n\r\n", "CODING_UNKNOWN"),
        ROW(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "CODING_REPEATED"),
        ROW("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "CODING_VERSION"),
        ROW(OK "A: b\r\n c\r\n\r\n", "FOLDED_LINE"),
        ROW(OK "A : b\r\n\r\n", "HEADER_COLON"),
        ROW(OK "A: b\nSet-Cookie: c\r\n\r\n", "BARE_LF"),
        ROW(OK "A: b\rSet-Cookie: c\r\n\r\n", "BARE_CR"),
        ROW(OK "A: b\0c\r\n\r\n", "CONTROL_BYTE"),
        ROW(OK "\n", "BARE_LF"),
        ROW("HTTP/1.1 200 O\nK\r\n\r\n", "BARE_LF"),
        ROW("HTTP/1.1 200 O\rK\r\n\r\n", "BARE_CR"),
        ROW("HTTP/1.1 200 O\0K\r\n\r\n", "CONTROL_BYTE"),
        ROW("HTTP/1.1 200\n\r\n", "BARE_LF"),
        ROW("HTTP/1.1 200\tOK\r\n\r\n", "STATUS_LINE"),
        ROW("HTTP/1.1 2000\r\n\r\n", "STATUS_LINE"),
        ROW("HTTP/1.1  200 OK\r\n\r\n", "STATUS_LINE"),
        ROW("HTTP/1.1 20 OK\r\n\r\n", "STATUS_LINE"),
        ROW("HTTP/1.1 099 x\r\n\r\n", "STATUS_RANGE"),
        ROW("HTTP/1.1 600 x\r\n\r\n", "STATUS_RANGE"),
        ROW("HTTP/1.1 999 x\r\n\r\n", "STATUS_RANGE"),
        ROW("HTTP/2.0 200 OK\r\n\r\n", "STATUS_LINE"),
        ROW("HTTP/1.2 200 OK\r\n\r\n", "STATUS_LINE"),
        ROW("http/1.1 200 OK\r\n\r\n", "STATUS_LINE"),
        ROW("\r\nHTTP/1.1 200 OK\r\n\r\n", "STATUS_LINE"),
        ROW("<html>", "STATUS_LINE"),
        ROW("SSH-2.0-OpenSSH\r\n", "STATUS_LINE"),
        ROW("HTTP/1.1 200 OK\r\nA: b\r\n", "more"),
        ROW("HTTP/1.1 200", "more"),
    };
    check_rows(rows, ARRAY_LENGTH(rows), &get);
}

static void limits_hold(void **state)
{
    char bytes[1000];
    memset(bytes, 'x', sizeof(bytes));
    memcpy(bytes, OK "A: ", strlen(OK "A: "));
    check(text_from(bytes, 500), &get, "HEAD_TOO_LARGE");
    memset(bytes, 'x', sizeof(bytes));
    memcpy(bytes, "HTTP/1.1 200 ", 13);
    check(text_from(bytes, 500), &get, "HEAD_TOO_LARGE");
    size_t length = strlen(OK);
    memcpy(bytes, OK, length);
    for (int i = 0; i < 21; i++, length += 6)
        memcpy(bytes + length, "A: b\r\n", 6);
    check(text_from(bytes, length), &get, "TOO_MANY_HEADERS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_responses_are_understood),
        cmocka_unit_test(some_responses_have_no_body),
        cmocka_unit_test(a_switch_happens_only_when_asked_for),
        cmocka_unit_test(what_can_be_read_two_ways_is_refused),
        cmocka_unit_test(limits_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
