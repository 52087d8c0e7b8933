/* SPDX-License-Identifier: Apache-2.0 */
/* test_h1_request.c - request heads, byte for byte: what is taken, what is refused and why, and
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
#include "gatewayd/http/h1_request.h"
#include "tests/unit/gatewayd/head_dump.h"

#define LINES 24

static const struct h1_limits limits = { .header_bytes = 600, .headers = 20, .target_bytes = 200 };

struct reader {
    struct header items[LINES];
    struct request_head head;
    struct arena arena;
    struct h1_request parser;
    char *copy; /* of what was fed last: exactly as long, so that reading on is found out */
};

static void reader_init(struct reader *r)
{
    memset(&r->head, 0, sizeof(r->head));
    headers_init(&r->head.headers, r->items, LINES);
    arena_init(&r->arena, 4096);
    h1_request_init(&r->parser, &r->head, &r->arena, &limits);
    r->copy = NULL;
}

static void reader_fini(struct reader *r)
{
    arena_reset(&r->arena);
    MEM_FREE(&r->copy);
}

/* Each call gives the parser the bytes at another address, as a buffer that grew would. */
static enum h1_parse feed(struct reader *r, struct text t, size_t length)
{
    char *copy = mem_resize(NULL, length);
    memcpy(copy, t.at, length);
    enum h1_parse parsed = h1_request_parse(&r->parser, text_from(copy, length));
    MEM_FREE(&r->copy);
    r->copy = copy;
    return parsed;
}

static void dump(const struct reader *r, enum h1_parse parsed, struct builder *b)
{
    builder_clear(b);
    if (parsed == H1_DONE)
        dump_request(&r->head, b);
    else
        builder_add(b, parsed == H1_MORE ? TEXT_OF("more") : refusal_name(r->parser.refusal));
}

/* In one piece. */
static void read_whole(struct text t, struct builder *b)
{
    struct reader r;
    reader_init(&r);
    dump(&r, feed(&r, t, t.length), b);
    reader_fini(&r);
}

/* Byte by byte, from the first `first` on. */
static void read_split(struct text t, size_t first, size_t step, struct builder *b)
{
    struct reader r;
    reader_init(&r);
    enum h1_parse parsed = H1_MORE;
    for (size_t n = first; parsed == H1_MORE && n <= t.length; n += step)
        parsed = feed(&r, t, n);
    if (parsed == H1_MORE)
        parsed = feed(&r, t, t.length);
    dump(&r, parsed, b);
    reader_fini(&r);
}

static void check_same(struct text t, const char *expected, size_t first, size_t step)
{
    struct builder b;
    builder_init(&b, 8192);
    read_split(t, first, step, &b);
    if (!text_equals(builder_text(&b), text_of(expected)))
        fail_msg("fed from %zu by %zu: «%.*s»\nexpected «%s»\ngot «%.*s»", first, step,
                 TEXT_ARGS(t), expected, TEXT_ARGS(builder_text(&b)));
    builder_fini(&b);
}

static void check(struct text t, const char *expected)
{
    struct builder b;
    builder_init(&b, 8192);
    read_whole(t, &b);
    if (!text_equals(builder_text(&b), text_of(expected)))
        fail_msg("«%.*s»\nexpected «%s»\ngot «%.*s»", TEXT_ARGS(t), expected,
                 TEXT_ARGS(builder_text(&b)));
    builder_fini(&b);
    check_same(t, expected, 0, 1);
    for (size_t first = 1; first < t.length; first++)
        check_same(t, expected, first, t.length);
}

struct row {
    struct text bytes;
    const char *expected;
};

#define ROW(bytes, expected)                                                                       \
    {                                                                                              \
        TEXT(bytes), expected                                                                      \
    }
#define H   "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n"

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(rows[i].bytes, rows[i].expected);
}

static void plain_requests_are_understood(void **state)
{
    static const struct row rows[] = {
        ROW(GET H "\r\n", "GET 1.1 origin none keep [a] a / | Host: a"),
        ROW(GET H "\r\nGET /next HTTP/1.1\r\n", "GET 1.1 origin none keep [a] a / | Host: a"),
        ROW("GET /a/b?c=d&e HTTP/1.1\r\nHost: Example.COM.:8080\r\nAccept:*/*\r\n"
            "X-Long-Name-Of-A-Header:  \t two words\twith a tab \t \r\nEmpty:\r\nBlank:   \r\n\r\n",
            "GET 1.1 origin none keep [Example.COM.:8080] example.com /a/b ?c=d&e"
            " | Host: Example.COM.:8080 | Accept: */*"
            " | X-Long-Name-Of-A-Header: two words\twith a tab | Empty:  | Blank: "),
        ROW("POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n",
            "POST 1.1 origin length=10 keep [a] a /x | host: a | content-length: 10"),
        ROW("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            "POST 1.1 origin length=0 keep [a] a /x | Host: a | Content-Length: 0"),
        ROW("PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
            "PUT 1.1 origin chunked keep [a] a /x | Host: a | Transfer-Encoding: Chunked"),
        ROW("M-SEARCH /? HTTP/1.1\r\n" H "\r\n",
            "M-SEARCH 1.1 origin none keep [a] a / ? | Host: a"),
        ROW("get / HTTP/1.1\r\n" H "\r\n", "get 1.1 origin none keep [a] a / | Host: a"),
        ROW(GET H "!#$%&'*+-.^_`|~09aZ: x\r\n\r\n",
            "GET 1.1 origin none keep [a] a / | Host: a | !#$%&'*+-.^_`|~09aZ: x"),
        ROW(GET H "Utf-8: caf\xc3\xa9 \xff\r\n\r\n",
            "GET 1.1 origin none keep [a] a / | Host: a | Utf-8: caf\xc3\xa9 \xff"),
        ROW("DELETE /a//b/./%7euser/../c%2fd HTTP/1.1\r\n" H "\r\n",
            "DELETE 1.1 origin none keep slash [a] a /a/b/c%2Fd | Host: a"),
    };
    check_rows(rows, ARRAY_LENGTH(rows));
}

static void the_request_line_is_strict(void **state)
{
    static const struct row rows[] = {
        ROW("\r\n\r\n" GET H "\r\n", "GET 1.1 origin none keep [a] a / | Host: a"),
        ROW("\r\n\r\n\r\n\r\n\r\n" GET H "\r\n", "LEADING_LINES"),
        ROW("\n" GET H "\r\n", "BARE_LF"),
        ROW("\r" GET H "\r\n", "BARE_CR"),
        ROW(" " GET H "\r\n", "METHOD"),
        ROW("G\0T / HTTP/1.1\r\n" H "\r\n", "METHOD"),
        ROW("G(T / HTTP/1.1\r\n" H "\r\n", "METHOD"),
        ROW("GET\t/ HTTP/1.1\r\n" H "\r\n", "METHOD"),
        ROW("GET\r\n\r\n", "METHOD"),
        ROW("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "METHOD"),
        ROW("ABCDEFGHIJABCDEFGHIJABCDEFGHIJABC / HTTP/1.1\r\n" H "\r\n", "METHOD_TOO_LONG"),
        ROW("ABCDEFGHIJABCDEFGHIJABCDEFGHIJAB / HTTP/1.1\r\n" H "\r\n",
            "ABCDEFGHIJABCDEFGHIJABCDEFGHIJAB 1.1 origin none keep [a] a / | Host: a"),
        ROW("GET  / HTTP/1.1\r\n" H "\r\n", "REQUEST_LINE"),
        ROW("GET /\r\n" H "\r\n", "REQUEST_LINE"),
        ROW("GET /\n", "REQUEST_LINE"),
        ROW("GET /  HTTP/1.1\r\n" H "\r\n", "VERSION"),
        ROW("GET / x HTTP/1.1\r\n" H "\r\n", "VERSION"),
        ROW("GET /\tHTTP/1.1\r\n" H "\r\n", "TARGET_BYTE"),
        ROW("GET /a\0b HTTP/1.1\r\n" H "\r\n", "TARGET_BYTE"),
        ROW("GET /a\x7f HTTP/1.1\r\n" H "\r\n", "TARGET_BYTE"),
        ROW("GET /caf\xc3\xa9 HTTP/1.1\r\n" H "\r\n", "TARGET_BYTE"),
        ROW("GET /a#b HTTP/1.1\r\n" H "\r\n", "TARGET_BYTE"),
        ROW("GET /a?b#c HTTP/1.1\r\n" H "\r\n", "TARGET_BYTE"),
        ROW("GET /a\\b HTTP/1.1\r\n" H "\r\n", "TARGET_BYTE"),
        ROW("GET /a?b\\c HTTP/1.1\r\n" H "\r\n", "TARGET_BYTE"),
        ROW("GET / HTTP/1.1 \r\n" H "\r\n", "REQUEST_LINE"),
        ROW("GET / HTTP/1.1\n" H "\r\n", "BARE_LF"),
        ROW("GET / HTTP/1.1\r" H "\r\n", "BARE_CR"),
        ROW("GET / HTTP/1.1\r\r\n" H "\r\n", "BARE_CR"),
        ROW("GET / http/1.1\r\n" H "\r\n", "VERSION"),
        ROW("GET / HTTP/1,1\r\n" H "\r\n", "VERSION"),
        ROW("GET / HTTP/11\r\n" H "\r\n", "VERSION"),
        ROW("GET / HTTP/1.\r\n" H "\r\n", "VERSION"),
        ROW("GET / HTTP/1.10\r\n" H "\r\n", "REQUEST_LINE"),
        ROW("GET / HTTPS/1.1\r\n" H "\r\n", "VERSION"),
        ROW("GET / HTT\r\n", "VERSION"),
        ROW("GET / HTTP/1.2\r\n" H "\r\n", "VERSION_NOT_SUPPORTED"),
        ROW("GET / HTTP/0.9\r\n" H "\r\n", "VERSION_NOT_SUPPORTED"),
        ROW("GET / HTTP/2.0\r\n" H "\r\n", "VERSION_NOT_SUPPORTED"),
        ROW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP2_PREFACE"),
        ROW("CONNECT a:443 HTTP/1.1\r\n" H "\r\n", "METHOD_CONNECT"),
    };
    check_rows(rows, ARRAY_LENGTH(rows));
}

static void targets_have_few_forms(void **state)
{
    static const struct row rows[] = {
        ROW("GET http://B.example:80/x?y HTTP/1.1\r\n" H "\r\n",
            "GET 1.1 absolute none keep [B.example:80] b.example /x ?y | Host: a"),
        ROW("GET HTTPS://b HTTP/1.1\r\n" H "\r\n", "GET 1.1 absolute none keep [b] b / | Host: a"),
        ROW("GET http://b?q HTTP/1.1\r\n" H "\r\n",
            "GET 1.1 absolute none keep [b] b / ?q | Host: a"),
        ROW("GET http://b/../c HTTP/1.0\r\n\r\n", "GET 1.0 absolute none [b] b /c"),
        ROW("GET http://b/ HTTP/1.1\r\n\r\n", "HOST_MISSING"),
        ROW("GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n", "HOST_INVALID"),
        ROW("GET http:/// HTTP/1.1\r\n" H "\r\n", "HOST_INVALID"),
        ROW("GET http:// HTTP/1.1\r\n" H "\r\n", "HOST_INVALID"),
        ROW("GET http://u:p@b/ HTTP/1.1\r\n" H "\r\n", "HOST_USER"),
        ROW("GET http://b:x/ HTTP/1.1\r\n" H "\r\n", "HOST_PORT"),
        ROW("GET ftp://b/ HTTP/1.1\r\n" H "\r\n", "TARGET_FORM"),
        ROW("GET http:/b HTTP/1.1\r\n" H "\r\n", "TARGET_FORM"),
        ROW("GET a/b HTTP/1.1\r\n" H "\r\n", "TARGET_FORM"),
        ROW("GET a:80 HTTP/1.1\r\n" H "\r\n", "TARGET_FORM"),
        ROW("GET ?q HTTP/1.1\r\n" H "\r\n", "TARGET_FORM"),
        ROW("GET * HTTP/1.1\r\n" H "\r\n", "TARGET_FORM"),
        ROW("OPTIONS * HTTP/1.1\r\n" H "\r\n", "OPTIONS 1.1 asterisk none keep [a] a * | Host: a"),
        ROW("OPTIONS ** HTTP/1.1\r\n" H "\r\n", "TARGET_FORM"),
        ROW("OPTIONS http://b HTTP/1.1\r\n" H "\r\n",
            "OPTIONS 1.1 absolute none keep [b] b * | Host: a"),
        ROW("OPTIONS http://b/ HTTP/1.1\r\n" H "\r\n",
            "OPTIONS 1.1 absolute none keep [b] b / | Host: a"),
        ROW("GET /%zz HTTP/1.1\r\n" H "\r\n", "PATH_ESCAPE"),
        ROW("GET /%2 HTTP/1.1\r\n" H "\r\n", "PATH_ESCAPE"),
        ROW("GET /%00 HTTP/1.1\r\n" H "\r\n", "PATH_ESCAPED_BYTE"),
        ROW("GET /a%5cb HTTP/1.1\r\n" H "\r\n", "PATH_ESCAPED_BYTE"),
        ROW("GET /..;/x HTTP/1.1\r\n" H "\r\n", "PATH_DOT_SEGMENT"),
        ROW("GET /?%zz HTTP/1.1\r\n" H "\r\n", "GET 1.1 origin none keep [a] a / ?%zz | Host: a"),
    };
    check_rows(rows, ARRAY_LENGTH(rows));
}

static void header_lines_are_strict(void **state)
{
    static const struct row rows[] = {
        ROW(GET H "A: b\r\n c\r\n\r\n", "FOLDED_LINE"),
        ROW(GET H "A: b\r\n\tc\r\n\r\n", "FOLDED_LINE"),
        ROW(GET " " H "\r\n", "FOLDED_LINE"),
        ROW(GET H "A : b\r\n\r\n", "HEADER_COLON"),
        ROW(GET H "A\t: b\r\n\r\n", "HEADER_COLON"),
        ROW(GET H ": b\r\n\r\n", "HEADER_NAME"),
        ROW(GET H "A\r\n\r\n", "HEADER_NAME"),
        ROW(GET H "A B: c\r\n\r\n", "HEADER_COLON"),
        ROW(GET H "A\0: c\r\n\r\n", "HEADER_NAME"),
        ROW(GET H "\0\r\n\r\n", "HEADER_NAME"),
        ROW(GET H "A(): c\r\n\r\n", "HEADER_NAME"),
        ROW(GET H "A\x80: c\r\n\r\n", "HEADER_NAME"),
        ROW(GET H "A: b\0c\r\n\r\n", "CONTROL_BYTE"),
        ROW(GET H "A: b\x01\r\n\r\n", "CONTROL_BYTE"),
        ROW(GET H "A: b\x7f\r\n\r\n", "CONTROL_BYTE"),
        ROW(GET H "A: 0123456789abcdefghijklmnopqrst\x0b\r\n\r\n", "CONTROL_BYTE"),
        ROW(GET H "A: b\rc\r\n\r\n", "BARE_CR"),
        ROW(GET H "A: b\r\r\n\r\n", "BARE_CR"),
        ROW(GET H "A: b\nB: c\r\n\r\n", "BARE_LF"),
        ROW(GET "Host: a\n\r\n", "BARE_LF"),
        ROW(GET H "\n", "BARE_LF"),
        ROW(GET H "Authorization: a\r\nAuthorization: b\r\n\r\n", "SINGLETON_REPEATED"),
        ROW(GET H "\rx", "BARE_CR"),
        ROW(GET H "A: b\r\n\r", "more"),
        ROW(GET H "A: b\r\n", "more"),
        ROW(GET "Host: a", "more"),
        ROW("G", "more"),
        ROW("", "more"),
        ROW("\r", "more"),
    };
    check_rows(rows, ARRAY_LENGTH(rows));
}

static void one_valid_host_is_needed(void **state)
{
    static const struct row rows[] = {
        ROW(GET "\r\n", "HOST_MISSING"),
        ROW(GET H H "\r\n", "HOST_REPEATED"),
        ROW(GET H "hOST: b\r\n\r\n", "HOST_REPEATED"),
        ROW("GET / HTTP/1.0\r\n" H H "\r\n", "HOST_REPEATED"),
        ROW("GET / HTTP/1.0\r\n\r\n", "GET 1.0 origin none []  /"),
        ROW(GET "Host:\r\n\r\n", "GET 1.1 origin none keep []  / | Host: "),
        ROW(GET "Host: 10.0.0.1:80\r\n\r\n",
            "GET 1.1 origin none keep [10.0.0.1:80] 10.0.0.1 / | Host: 10.0.0.1:80"),
        ROW(GET "Host: [2001:DB8:0::1]:80\r\n\r\n",
            "GET 1.1 origin none keep [[2001:DB8:0::1]:80] [2001:db8::1] /"
            " | Host: [2001:DB8:0::1]:80"),
        ROW(GET "Host: a,b\r\n\r\n", "HOST_INVALID"),
        ROW(GET "Host: a/b\r\n\r\n", "HOST_INVALID"),
        ROW(GET "Host: a@b\r\n\r\n", "HOST_USER"),
        ROW(GET "Host: a:65536\r\n\r\n", "HOST_PORT"),
        ROW(GET "Host: http://a\r\n\r\n", "HOST_PORT"),
    };
    check_rows(rows, ARRAY_LENGTH(rows));
}

#define POST "POST / HTTP/1.1\r\n" H

static void the_length_of_a_body_is_beyond_doubt(void **state)
{
    static const struct row rows[] = {
        ROW(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", "LENGTH_REPEATED"),
        ROW(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "LENGTH_REPEATED"),
        ROW(POST "Content-Length: 5, 5\r\n\r\n", "LENGTH_INVALID"),
        ROW(POST "Content-Length: 5,6\r\n\r\n", "LENGTH_INVALID"),
        ROW(POST "Content-Length:\r\n\r\n", "LENGTH_INVALID"),
        ROW(POST "Content-Length: -1\r\n\r\n", "LENGTH_INVALID"),
        ROW(POST "Content-Length: +1\r\n\r\n", "LENGTH_INVALID"),
        ROW(POST "Content-Length: 0x10\r\n\r\n", "LENGTH_INVALID"),
        ROW(POST "Content-Length: 1 2\r\n\r\n", "LENGTH_INVALID"),
        ROW(POST "Content-Length: 9223372036854775808\r\n\r\n", "LENGTH_INVALID"),
        ROW(POST "Content-Length: 18446744073709551617\r\n\r\n", "LENGTH_INVALID"),
        ROW(POST "Content-Length: 9223372036854775807\r\n\r\n",
            "POST 1.1 origin length=9223372036854775807 keep [a] a /"
            " | Host: a | Content-Length: 9223372036854775807"),
        ROW(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "LENGTH_AND_CODING"),
        ROW(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "LENGTH_AND_CODING"),
        ROW(POST "Transfer-Encoding: gzip, chunked\r\n\r\n", "CODING_UNKNOWN"),
        ROW(POST "Transfer-Encoding: chunked, chunked\r\n\r\n", "CODING_UNKNOWN"),
        ROW(POST "Transfer-Encoding: identity\r\n\r\n", "CODING_UNKNOWN"),
        ROW(POST "Transfer-Encoding: xchunked\r\n\r\n", "CODING_UNKNOWN"),
        ROW(POST "Transfer-Encoding: \"chunked\"\r\n\r\n", "CODING_UNKNOWN"),
        ROW(POST "Transfer-Encoding: chunked;q=1\r\n\r\n", "CODING_UNKNOWN"),
        ROW(POST "Transfer-Encoding: \x0b"
                 "chunked\r\n\r\n",
            "CONTROL_BYTE"),
        ROW(POST "Transfer-Encoding:\r\n\r\n", "CODING_UNKNOWN"),
        ROW(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "CODING_REPEATED"),
        ROW(POST "Transfer-Encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n",
            "CODING_REPEATED"),
        ROW(POST "Transfer-Encoding : chunked\r\n\r\n", "HEADER_COLON"),
        ROW("POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n", "CODING_VERSION"),
        ROW("TRACE / HTTP/1.1\r\n" H "Content-Length: 1\r\n\r\n", "TRACE_BODY"),
        ROW("TRACE / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", "TRACE_BODY"),
        ROW(GET H "Content-Length: 3\r\n\r\n",
            "GET 1.1 origin length=3 keep [a] a / | Host: a | Content-Length: 3"),
        ROW("POST / HTTP/1.0\r\n" H "Content-Length: 3\r\n\r\n",
            "POST 1.0 origin length=3 [a] a / | Host: a | Content-Length: 3"),
    };
    check_rows(rows, ARRAY_LENGTH(rows));
}

static void connection_options_are_obeyed(void **state)
{
    static const struct row rows[] = {
        ROW(GET H "Connection: close\r\n\r\n",
            "GET 1.1 origin none [a] a / | Host: a | Connection: close"),
        ROW(GET H "Connection: keep-alive , CLOSE\r\n\r\n",
            "GET 1.1 origin none [a] a / | Host: a | Connection: keep-alive , CLOSE"),
        ROW("GET / HTTP/1.0\r\n" H "Connection: Keep-Alive\r\n\r\n",
            "GET 1.0 origin none keep [a] a / | Host: a | Connection: Keep-Alive"),
        ROW("GET / HTTP/1.0\r\n" H "\r\n", "GET 1.0 origin none [a] a / | Host: a"),
        ROW(GET H "X-Secret: 1\r\nConnection: x-secret\r\nx-SECRET: 2\r\n\r\n",
            "GET 1.1 origin none keep [a] a / | Host: a | -X-Secret | Connection: x-secret"
            " | -x-SECRET"),
        ROW(GET H "Connection: a\r\nConnection: b,,c\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n",
            "GET 1.1 origin none keep [a] a / | Host: a | Connection: a | Connection: b,,c"
            " | -A | -B | -C | D: 4"),
        ROW(POST "Content-Length: 1\r\nAuthorization: x\r\nX-API-Key: y\r\nX-Forwarded-For: z\r\n"
                 "Cookie: c\r\nConnection: host, content-length, authorization, x-api-key,"
                 " x-forwarded-for, cookie\r\n\r\n",
            "POST 1.1 origin length=1 keep [a] a / | Host: a | Content-Length: 1"
            " | Authorization: x | X-API-Key: y | X-Forwarded-For: z | Cookie: c"
            " | Connection: host, content-length, authorization, x-api-key, x-forwarded-for,"
            " cookie"),
        ROW(GET H
            "Connection: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n"
            "\r\n",
            "CONNECTION_OPTIONS"),
        ROW(GET H "Connection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n",
            "GET 1.1 origin none keep upgrade [a] a / | Host: a | Connection: Upgrade"
            " | Upgrade: WebSocket"),
        ROW(GET H "Connection: keep-alive, upgrade\r\nUpgrade: foo, websocket\r\n\r\n",
            "GET 1.1 origin none keep upgrade [a] a / | Host: a"
            " | Connection: keep-alive, upgrade | Upgrade: foo, websocket"),
        ROW(GET H "Upgrade: websocket\r\n\r\n",
            "GET 1.1 origin none keep [a] a / | Host: a | Upgrade: websocket"),
        ROW(GET H "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n",
            "GET 1.1 origin none keep [a] a / | Host: a | Connection: upgrade | Upgrade: h2c"),
        ROW(POST "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            "POST 1.1 origin none keep [a] a / | Host: a | Connection: upgrade"
            " | Upgrade: websocket"),
        ROW(GET H "Content-Length: 1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            "GET 1.1 origin length=1 keep [a] a / | Host: a | Content-Length: 1"
            " | Connection: upgrade | Upgrade: websocket"),
        ROW("GET / HTTP/1.0\r\n" H "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            "GET 1.0 origin none [a] a / | Host: a | Connection: upgrade | Upgrade: websocket"),
    };
    check_rows(rows, ARRAY_LENGTH(rows));
}

static void expectations_are_known_or_refused(void **state)
{
    static const struct row rows[] = {
        ROW(POST "Content-Length: 1\r\nExpect: 100-Continue\r\n\r\n",
            "POST 1.1 origin length=1 keep expect [a] a / | Host: a | Content-Length: 1"
            " | Expect: 100-Continue"),
        ROW(POST "Content-Length: 0\r\nExpect: 100-continue\r\n\r\n",
            "POST 1.1 origin length=0 keep [a] a / | Host: a | Content-Length: 0"
            " | Expect: 100-continue"),
        ROW("POST / HTTP/1.0\r\n" H "Content-Length: 1\r\nExpect: 100-continue\r\n\r\n",
            "POST 1.0 origin length=1 [a] a / | Host: a | Content-Length: 1"
            " | Expect: 100-continue"),
        ROW(POST "Content-Length: 1\r\nExpect: 200-ok\r\n\r\n", "EXPECTATION"),
        ROW(POST "Content-Length: 1\r\nExpect: 100-continue\r\nExpect: x\r\n\r\n", "EXPECTATION"),
    };
    check_rows(rows, ARRAY_LENGTH(rows));
}

/* `before`, then `count` times `filling`, then `after`. */
static struct text grow(char *into, const char *before, const char *filling, size_t count,
                        const char *after)
{
    size_t length = 0;
    memcpy(into, before, strlen(before));
    length += strlen(before);
    for (size_t i = 0; i < count; i++, length += strlen(filling))
        memcpy(into + length, filling, strlen(filling));
    memcpy(into + length, after, strlen(after));
    return text_from(into, length + strlen(after));
}

static void first_word(struct text t, const char *expected)
{
    struct builder b;
    builder_init(&b, 8192);
    read_whole(t, &b);
    struct text got = builder_text(&b);
    assert_memory_equal(got.at, expected, strlen(expected));
    for (size_t step = 1; step < 40; step += 13) {
        struct builder split;
        builder_init(&split, 8192);
        read_split(t, 1, step, &split);
        if (!text_equals(got, builder_text(&split)))
            fail_msg("by %zu: %.*s, not %.*s", step, TEXT_ARGS(builder_text(&split)),
                     TEXT_ARGS(got));
        builder_fini(&split);
    }
    builder_fini(&b);
}

static void limits_hold_to_the_byte(void **state)
{
    char into[4096];
    first_word(grow(into, "GET /", "x", 199, " HTTP/1.1\r\n" H "\r\n"), "GET");
    first_word(grow(into, "GET /", "x", 200, " HTTP/1.1\r\n" H "\r\n"), "TARGET_TOO_LONG");
    first_word(grow(into, "GET /", "x", 2000, " HTTP/1.1\r\n" H "\r\n"), "TARGET_TOO_LONG");
    first_word(grow(into, "GET /", "x", 2000, ""), "TARGET_TOO_LONG");
    first_word(grow(into, GET H, "A: b\r\n", 19, "\r\n"), "GET");
    first_word(grow(into, GET H, "A: b\r\n", 20, "\r\n"), "TOO_MANY_HEADERS");

    size_t beside = strlen(GET H "A: \r\n\r\n");
    first_word(grow(into, GET H "A: ", "x", 600 - beside, "\r\n\r\n"), "GET");
    first_word(grow(into, GET H "A: ", "x", 600 - beside, "\r\n\r\nmore to come"), "GET");
    first_word(grow(into, GET H "A: ", "x", 601 - beside, "\r\n\r\n"), "HEAD_TOO_LARGE");
    first_word(grow(into, GET H "A: ", "x", 3000, ""), "HEAD_TOO_LARGE");
    first_word(grow(into, GET H "A: ", "x", 3000, "\x01"), "HEAD_TOO_LARGE");
    first_word(grow(into, GET H "A: ", "x", 100, "\x01 and what would be too long"),
               "CONTROL_BYTE");
    first_word(grow(into, GET H, "a", 3000, ""), "HEAD_TOO_LARGE");
}

/* Reading byte by byte costs each byte a bounded number of looks: a long line in single bytes must
 * not take noticeably longer per byte than a short one. */
static void slow_senders_cost_no_more_than_their_bytes(void **state)
{
    static char bytes[1 << 20];
    struct h1_limits wide = { .header_bytes = sizeof(bytes), .headers = 20, .target_bytes = 64 };
    struct header items[LINES];
    struct request_head head = { 0 };
    struct arena arena;
    struct h1_request parser;
    headers_init(&head.headers, items, LINES);
    arena_init(&arena, 4096);
    h1_request_init(&parser, &head, &arena, &wide);
    memset(bytes, 'x', sizeof(bytes));
    memcpy(bytes, GET H "A: ", strlen(GET H "A: "));
    memcpy(bytes + sizeof(bytes) - 4, "\r\n\r\n", 4);
    enum h1_parse parsed = H1_MORE;
    for (size_t n = 1; n <= sizeof(bytes) && parsed == H1_MORE; n++)
        parsed = h1_request_parse(&parser, text_from(bytes, n));
    assert_int_equal(parsed, H1_DONE);
    assert_int_equal(parser.length, sizeof(bytes));
    arena_reset(&arena);
}

static void an_idle_connection_is_told_from_a_slow_one(void **state)
{
    struct reader r;
    reader_init(&r);
    assert_int_equal(feed(&r, TEXT_OF("\r\n"), 2), H1_MORE);
    assert_false(h1_request_has_begun(&r.parser));
    assert_int_equal(feed(&r, TEXT_OF("\r\nG"), 3), H1_MORE);
    assert_true(h1_request_has_begun(&r.parser));
    reader_fini(&r);
}

static void a_head_moves_with_its_buffer(void **state)
{
    static const char bytes[] = "GET http://H.example/a?b HTTP/1.1\r\nHost: x\r\nC: d\r\n\r\n";
    struct reader r;
    struct builder before, after;
    builder_init(&before, 4096);
    builder_init(&after, 4096);
    reader_init(&r);
    assert_int_equal(feed(&r, text_of(bytes), strlen(bytes)), H1_DONE);
    assert_int_equal(r.parser.length, strlen(bytes));
    dump(&r, H1_DONE, &before);
    char moved[sizeof(bytes)];
    memcpy(moved, bytes, sizeof(bytes));
    h1_request_move(&r.head, r.copy, strlen(bytes), moved);
    memset(r.copy, '!', strlen(bytes));
    dump(&r, H1_DONE, &after);
    assert_true(text_equals(builder_text(&before), builder_text(&after)));
    builder_fini(&before);
    builder_fini(&after);
    reader_fini(&r);
}

static void every_refusal_has_a_status_and_a_sentence(void **state)
{
    for (enum refusal r = REFUSAL_NONE + 1; r < REFUSAL_COUNT; r++) {
        assert_in_range(refusal_status(r), 400, 505);
        struct text sentence = refusal_sentence(r);
        assert_true(sentence.length > 10 && sentence.at[sentence.length - 1] == '.');
        assert_true(refusal_name(r).length > 0);
    }
    assert_int_equal(refusal_status(REFUSAL_HEAD_TOO_LARGE), 431);
    assert_int_equal(refusal_status(REFUSAL_TARGET_TOO_LONG), 414);
    assert_int_equal(refusal_status(REFUSAL_EXPECTATION), 417);
    assert_int_equal(refusal_status(REFUSAL_CODING_UNKNOWN), 501);
    assert_int_equal(refusal_status(REFUSAL_HTTP2_PREFACE), 505);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_requests_are_understood),
        cmocka_unit_test(the_request_line_is_strict),
        cmocka_unit_test(targets_have_few_forms),
        cmocka_unit_test(header_lines_are_strict),
        cmocka_unit_test(one_valid_host_is_needed),
        cmocka_unit_test(the_length_of_a_body_is_beyond_doubt),
        cmocka_unit_test(connection_options_are_obeyed),
        cmocka_unit_test(expectations_are_known_or_refused),
        cmocka_unit_test(limits_hold_to_the_byte),
        cmocka_unit_test(slow_senders_cost_no_more_than_their_bytes),
        cmocka_unit_test(an_idle_connection_is_told_from_a_slow_one),
        cmocka_unit_test(a_head_moves_with_its_buffer),
        cmocka_unit_test(every_refusal_has_a_status_and_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
