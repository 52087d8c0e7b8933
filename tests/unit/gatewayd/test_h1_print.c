/* SPDX-License-Identifier: Apache-2.0 */
/* test_h1_print.c - heads as bytes: what is passed on, left out and written anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gatewayd/http/h1_print.h"
#include "gatewayd/http/h1_request.h"
#include "gatewayd/http/h1_response.h"

#define LINES 16

static const struct h1_limits limits = { .header_bytes = 4096, .headers = 12, .target_bytes = 512 };

struct request {
    struct header items[LINES];
    struct request_head head;
    struct arena arena;
};

static void parse_request(struct request *r, const char *bytes)
{
    struct h1_request parser;
    memset(&r->head, 0, sizeof(r->head));
    headers_init(&r->head.headers, r->items, LINES);
    arena_init(&r->arena, 4096);
    h1_request_init(&parser, &r->head, &r->arena, &limits);
    assert_int_equal(h1_request_parse(&parser, text_of(bytes)), H1_DONE);
}

static void expect_request(struct request *r, enum h1_connection connection, const char *expected)
{
    char into[1024];
    size_t size = h1_print_request_size(&r->head);
    assert_in_range(size, strlen(expected), sizeof(into));
    size_t length = h1_print_request(&r->head, connection, into, size);
    if (!text_equals(text_from(into, length), text_of(expected)))
        fail_msg("got\n%.*s\nexpected\n%s", (int)length, into, expected);
    for (size_t small = 0; small < length; small++)
        assert_int_equal(h1_print_request(&r->head, connection, into, small), 0);
    assert_int_equal(h1_print_request(&r->head, connection, into, length), length);
}

static void a_request_is_passed_on(void **state)
{
    struct request r;
    parse_request(&r, "GET /a/../b?c HTTP/1.1\r\nHost: H.example\r\nAccept: */*\r\nX:y\r\n"
                      "Via: 1.0 z  \r\nEmpty:\r\nUser-Agent: me\r\n\r\n");
    assert_true(headers_add_named(&r.head.headers, TEXT_OF("Via"), TEXT_OF("1.1 gw")));
    expect_request(&r, H1_PERSIST,
                   "GET /b?c HTTP/1.1\r\nHost: H.example\r\nAccept: */*\r\nX: y\r\n"
                   "Via: 1.0 z\r\nEmpty: \r\nUser-Agent: me\r\nVia: 1.1 gw\r\n\r\n");
    arena_reset(&r.arena);
}

static void hop_by_hop_lines_are_left_out(void **state)
{
    struct request r;
    parse_request(&r, "POST /p? HTTP/1.0\r\nA: 1\r\nHost: h\r\nKeep-Alive: 5\r\nTE: trailers\r\n"
                      "Connection: keep-alive, b\r\nB: 2\r\nC: 3\r\nProxy-Authorization: x\r\n"
                      "Upgrade: h2c\r\nContent-Length: 007\r\nTrailer: x\r\nD: 4\r\n\r\n");
    headers_remove_named(&r.head.headers, TEXT_OF("c"));
    expect_request(&r, H1_PERSIST,
                   "POST /p? HTTP/1.1\r\nHost: h\r\nA: 1\r\nD: 4\r\nContent-Length: 7\r\n\r\n");
    expect_request(&r, H1_CLOSE,
                   "POST /p? HTTP/1.1\r\nHost: h\r\nA: 1\r\nD: 4\r\nContent-Length: 7\r\n"
                   "Connection: close\r\n\r\n");
    arena_reset(&r.arena);
}

static void framing_is_written_anew(void **state)
{
    struct request r;
    parse_request(&r, "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: CHUNKED\r\n\r\n");
    expect_request(&r, H1_PERSIST,
                   "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    parse_request(&r, "PUT / HTTP/1.1\r\nHost: h\r\n\r\n");
    expect_request(&r, H1_PERSIST, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    parse_request(&r, "DELETE / HTTP/1.1\r\nHost: h\r\n\r\n");
    expect_request(&r, H1_PERSIST, "DELETE / HTTP/1.1\r\nHost: h\r\n\r\n");
    parse_request(&r, "DELETE / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    expect_request(&r, H1_PERSIST, "DELETE / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
}

static void an_absolute_target_becomes_host(void **state)
{
    struct request r;
    parse_request(&r, "GET http://b:8080/x HTTP/1.1\r\nHost: a\r\n\r\n");
    expect_request(&r, H1_PERSIST, "GET /x HTTP/1.1\r\nHost: b:8080\r\n\r\n");
    parse_request(&r, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    expect_request(&r, H1_PERSIST, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
}

static void an_upgrade_names_websocket_only(void **state)
{
    struct request r;
    parse_request(&r, "GET / HTTP/1.1\r\nHost: h\r\nConnection: x, Upgrade\r\nX: 1\r\n"
                      "Upgrade: h2c, websocket\r\nSec-WebSocket-Key: k\r\n\r\n");
    assert_true(r.head.is_upgrade);
    expect_request(&r, H1_UPGRADE,
                   "GET / HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Key: k\r\n"
                   "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

static void expect_response(const char *bytes, const struct request_head *request,
                            enum h1_connection connection, const char *expected)
{
    struct header items[LINES];
    struct response_head head = { 0 };
    struct h1_response parser;
    char into[1024];
    headers_init(&head.headers, items, LINES);
    h1_response_init(&parser, &head, request, &limits);
    assert_int_equal(h1_response_parse(&parser, text_of(bytes)), H1_DONE);
    size_t size = h1_print_response_size(&head);
    assert_in_range(size, strlen(expected), sizeof(into));
    size_t length = h1_print_response(&head, connection, into, size);
    if (!text_equals(text_from(into, length), text_of(expected)))
        fail_msg("got\n%.*s\nexpected\n%s", (int)length, into, expected);
    for (size_t small = 0; small < length; small++)
        assert_int_equal(h1_print_response(&head, connection, into, small), 0);
}

static void responses_are_passed_on(void **state)
{
    static const struct request_head get = { .method = METHOD_GET };
    static const struct request_head head = { .method = METHOD_HEAD };
    static const struct request_head upgrade = { .method = METHOD_GET, .is_upgrade = true };
    expect_response("HTTP/1.0 200 Fine\r\nContent-Length: 5\r\nA: b\r\nConnection: close, c\r\n"
                    "C: d\r\nE: f\r\n\r\n",
                    &get, H1_PERSIST,
                    "HTTP/1.1 200 Fine\r\nA: b\r\nE: f\r\nContent-Length: 5\r\n\r\n");
    expect_response("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\nHost: x\r\n\r\n", &get,
                    H1_PERSIST_SAID,
                    "HTTP/1.1 200 \r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                    "Connection: keep-alive\r\n\r\n");
    expect_response("HTTP/1.1 200 OK\r\nA: b\r\n\r\n", &get, H1_CLOSE,
                    "HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\n\r\n");
    expect_response("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", &head, H1_PERSIST,
                    "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
    expect_response("HTTP/1.1 304 NM\r\nETag: x\r\n\r\n", &get, H1_PERSIST,
                    "HTTP/1.1 304 NM\r\nETag: x\r\n\r\n");
    expect_response("HTTP/1.1 204 NC\r\nContent-Length: 0\r\n\r\n", &get, H1_PERSIST,
                    "HTTP/1.1 204 NC\r\n\r\n");
    expect_response("HTTP/1.1 103 EH\r\nLink: x\r\n\r\n", &get, H1_PERSIST,
                    "HTTP/1.1 103 EH\r\nLink: x\r\n\r\n");
    expect_response("HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", &upgrade,
                    H1_UPGRADE,
                    "HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

/* Lines that lie apart in memory, or only look as if they were printed already. */
static void lines_from_anywhere_are_printed(void **state)
{
    static const char bytes[] = "A: 1\r\nB: 2\nxC: 3\r\nD=4";
    struct header items[LINES];
    struct response_head head = { .status = 200, .framing = BODY_LENGTH, .reason = TEXT_OF("OK") };
    char into[256];
    headers_init(&head.headers, items, LINES);
    assert_true(headers_add_named(&head.headers, text_from(bytes, 1), text_from(bytes + 3, 1)));
    assert_true(headers_add_named(&head.headers, text_from(bytes + 6, 1), text_from(bytes + 9, 1)));
    assert_true(
        headers_add_named(&head.headers, text_from(bytes + 12, 1), text_from(bytes + 15, 1)));
    assert_true(headers_add_named(&head.headers, TEXT_OF("E"), TEXT_EMPTY));
    assert_true(
        headers_add_named(&head.headers, text_from(bytes + 18, 1), text_from(bytes + 20, 1)));
    size_t length = h1_print_response(&head, H1_PERSIST, into, sizeof(into));
    assert_true(text_equals(text_from(into, length),
                            TEXT_OF("HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nC: 3\r\nE: \r\nD: 4\r\n"
                                    "Content-Length: 0\r\n\r\n")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_passed_on),
        cmocka_unit_test(hop_by_hop_lines_are_left_out),
        cmocka_unit_test(framing_is_written_anew),
        cmocka_unit_test(an_absolute_target_becomes_host),
        cmocka_unit_test(an_upgrade_names_websocket_only),
        cmocka_unit_test(responses_are_passed_on),
        cmocka_unit_test(lines_from_anywhere_are_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
