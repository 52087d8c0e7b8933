/* SPDX-License-Identifier: Apache-2.0 */
/* test_forwarded.c - who the client is, and what the upstream is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gatewayd/http/forwarded.h"

struct fixture {
    struct header items[16];
    struct headers headers;
    struct arena arena;
};

static void init(struct fixture *f)
{
    headers_init(&f->headers, f->items, ARRAY_LENGTH(f->items));
    arena_init(&f->arena, 4096);
}

static void add(struct fixture *f, const char *name, const char *value)
{
    assert_true(headers_add_named(&f->headers, text_of(name), text_of(value)));
}

static void expect(const struct fixture *f, const char *name, const char *value)
{
    const struct header *h = headers_find_named(&f->headers, text_of(name));
    assert_non_null(h);
    if (!text_equals(h->value, text_of(value)))
        fail_msg("%s: %.*s, not %s", name, TEXT_ARGS(h->value), value);
    h = headers_find_next(&f->headers, h);
    assert_null(h);
}

static struct network networks[3];
static const struct forwarded_networks trusted = { networks, ARRAY_LENGTH(networks) };

static int parse_networks(void **state)
{
    return network_parse(TEXT_OF("10.0.0.0/8"), &networks[0]) &&
                   network_parse(TEXT_OF("127.0.0.1"), &networks[1]) &&
                   network_parse(TEXT_OF("fd00::/8"), &networks[2])
               ? 0
               : -1;
}

/* The client behind 10.0.0.1, given one header line. */
static void expect_client(const char *name, const char *value, const char *client)
{
    struct fixture f;
    struct address peer;
    char text[ADDRESS_TEXT_SIZE];
    init(&f);
    add(&f, name, value);
    assert_true(address_parse_ip(TEXT_OF("10.0.0.1"), 99, &peer));
    struct address found = forwarded_find_client(&f.headers, &peer, true, &trusted);
    struct text got = address_print_ip(&found, text);
    if (!text_equals(got, text_of(client)))
        fail_msg("%s: %s: %.*s, not %s", name, value, TEXT_ARGS(got), client);
    arena_reset(&f.arena);
}

static void the_rightmost_untrusted_hop_is_the_client(void **state)
{
    expect_client("X-Forwarded-For", "1.1.1.1", "1.1.1.1");
    expect_client("X-Forwarded-For", "6.6.6.6, 1.1.1.1", "1.1.1.1");
    expect_client("X-Forwarded-For", "6.6.6.6, 1.1.1.1, 10.0.0.2 ,10.9.9.9", "1.1.1.1");
    expect_client("X-Forwarded-For", "10.0.0.3, 10.0.0.2", "10.0.0.3");
    expect_client("X-Forwarded-For", "1.1.1.1, junk, 10.0.0.2", "10.0.0.2");
    expect_client("X-Forwarded-For", "unknown", "10.0.0.1");
    expect_client("X-Forwarded-For", "", "10.0.0.1");
    expect_client("X-Forwarded-For", "1.1.1.1,", "10.0.0.1");
    expect_client("X-Forwarded-For", "1.1.1.1:8080", "1.1.1.1");
    expect_client("X-Forwarded-For", "2001:db8::7", "2001:db8::7");
    expect_client("X-Forwarded-For", "[2001:db8::7]:9, fd00::1", "2001:db8::7");
    expect_client("X-Forwarded-For", "unix:/etc/passwd", "10.0.0.1");
}

static void forwarded_is_read_where_the_other_is_absent(void **state)
{
    expect_client("Forwarded", "for=1.1.1.1", "1.1.1.1");
    expect_client("Forwarded", "for=6.6.6.6, proto=http;For=\"1.1.1.1:80\";by=x, for=10.0.0.4",
                  "1.1.1.1");
    expect_client("Forwarded", "for=\"[2001:db8::7]:4711\"", "2001:db8::7");
    expect_client("Forwarded", "for=1.1.1.1;host=\"a,b\", for=10.0.0.2", "1.1.1.1");
    expect_client("Forwarded", "for=unknown, for=10.0.0.2", "10.0.0.2");
    expect_client("Forwarded", "for=_hidden", "10.0.0.1");
    expect_client("Forwarded", "proto=https", "10.0.0.1");
    expect_client("Forwarded", "", "10.0.0.1");
}

static void several_lines_are_one_list(void **state)
{
    struct fixture f;
    struct address peer;
    char text[ADDRESS_TEXT_SIZE];
    init(&f);
    add(&f, "X-Forwarded-For", "6.6.6.6, 1.1.1.1");
    add(&f, "Forwarded", "for=7.7.7.7");
    add(&f, "X-Forwarded-For", "10.0.0.2");
    assert_true(address_parse_ip(TEXT_OF("127.0.0.1"), 1, &peer));
    struct address client = forwarded_find_client(&f.headers, &peer, true, &trusted);
    assert_true(text_equals(address_print_ip(&client, text), TEXT_OF("1.1.1.1")));
    client = forwarded_find_client(&f.headers, &peer, false, &trusted);
    assert_true(text_equals(address_print_ip(&client, text), TEXT_OF("127.0.0.1")));
    arena_reset(&f.arena);
}

static void add_claims(struct fixture *f)
{
    init(f);
    add(f, "X-Forwarded-For", "6.6.6.6");
    add(f, "X-Forwarded-For", "7.7.7.7");
    add(f, "X-Forwarded-Proto", "https");
    add(f, "X-Forwarded-Host", "first.example");
    add(f, "Forwarded", "for=6.6.6.6");
}

static void nobody_untrusted_is_believed(void **state)
{
    struct fixture f;
    add_claims(&f);
    const struct forwarded_hop hop = { .peer_ip = TEXT_OF("1.2.3.4"),
                                       .authority = TEXT_OF("a.example:80"),
                                       .node = TEXT_OF("gw-a"),
                                       .version = HTTP_1_1 };
    assert_true(forwarded_apply(&f.headers, &hop, &f.arena));
    expect(&f, "X-Forwarded-For", "1.2.3.4");
    expect(&f, "X-Forwarded-Proto", "http");
    expect(&f, "X-Forwarded-Host", "a.example:80");
    expect(&f, "Forwarded", "for=1.2.3.4;host=\"a.example:80\";proto=http");
    expect(&f, "Via", "1.1 gw-a");
    arena_reset(&f.arena);
}

static void a_trusted_proxy_is_extended(void **state)
{
    struct fixture f;
    add_claims(&f);
    const struct forwarded_hop hop = { .peer_ip = TEXT_OF("fd00::1"),
                                       .peer_is_trusted = true,
                                       .authority = TEXT_OF("a.example"),
                                       .node = TEXT_OF("gw-a"),
                                       .version = HTTP_1_0 };
    assert_true(forwarded_apply(&f.headers, &hop, &f.arena));
    expect(&f, "X-Forwarded-For", "6.6.6.6, 7.7.7.7, fd00::1");
    expect(&f, "X-Forwarded-Proto", "https");
    expect(&f, "X-Forwarded-Host", "first.example");
    expect(&f, "Forwarded", "for=6.6.6.6, for=\"[fd00::1]\";host=\"a.example\";proto=http");
    expect(&f, "Via", "1.0 gw-a");
    arena_reset(&f.arena);
}

static void a_trusted_proxy_that_says_nothing_is_the_first_hop(void **state)
{
    struct fixture f;
    init(&f);
    const struct forwarded_hop hop = { .peer_ip = TEXT_OF("10.0.0.1"),
                                       .peer_is_trusted = true,
                                       .is_tls = true,
                                       .authority = TEXT_OF("a"),
                                       .node = TEXT_OF("n"),
                                       .version = HTTP_2 };
    assert_true(forwarded_apply(&f.headers, &hop, &f.arena));
    expect(&f, "X-Forwarded-For", "10.0.0.1");
    expect(&f, "X-Forwarded-Proto", "https");
    expect(&f, "Forwarded", "for=10.0.0.1;host=\"a\";proto=https");
    expect(&f, "Via", "2.0 n");
    arena_reset(&f.arena);
}

static void a_socket_without_an_address_is_unknown(void **state)
{
    struct fixture f;
    add_claims(&f);
    const struct forwarded_hop hop = { .node = TEXT_OF("n"), .version = HTTP_1_1 };
    assert_true(forwarded_apply(&f.headers, &hop, &f.arena));
    expect(&f, "X-Forwarded-For", "unknown");
    assert_null(headers_find(&f.headers, HEADER_X_FORWARDED_HOST));
    expect(&f, "Forwarded", "for=unknown;proto=http");
    arena_reset(&f.arena);
}

static void fullness_is_told(void **state)
{
    struct fixture f;
    const struct forwarded_hop hop = { .peer_ip = TEXT_OF("1.2.3.4"),
                                       .node = TEXT_OF("n"),
                                       .version = HTTP_1_1 };
    init(&f);
    f.headers.capacity = 2;
    assert_false(forwarded_apply(&f.headers, &hop, &f.arena));
    arena_reset(&f.arena);
    init(&f);
    f.arena.ceiling = 8;
    assert_false(forwarded_apply(&f.headers, &hop, &f.arena));
    arena_reset(&f.arena);
}

static void the_scheme_is_the_clients(void **state)
{
    struct fixture f;
    init(&f);
    assert_true(text_equals(forwarded_scheme(&f.headers, true, true), TEXT_OF("https")));
    add(&f, "X-Forwarded-Proto", "HTTP");
    assert_true(text_equals(forwarded_scheme(&f.headers, true, true), TEXT_OF("http")));
    assert_true(text_equals(forwarded_scheme(&f.headers, false, true), TEXT_OF("https")));
    headers_remove(&f.headers, HEADER_X_FORWARDED_PROTO);
    add(&f, "X-Forwarded-Proto", "javascript");
    assert_true(text_equals(forwarded_scheme(&f.headers, true, false), TEXT_OF("http")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rightmost_untrusted_hop_is_the_client),
        cmocka_unit_test(forwarded_is_read_where_the_other_is_absent),
        cmocka_unit_test(several_lines_are_one_list),
        cmocka_unit_test(nobody_untrusted_is_believed),
        cmocka_unit_test(a_trusted_proxy_is_extended),
        cmocka_unit_test(a_trusted_proxy_that_says_nothing_is_the_first_hop),
        cmocka_unit_test(a_socket_without_an_address_is_unknown),
        cmocka_unit_test(fullness_is_told),
        cmocka_unit_test(the_scheme_is_the_clients),
    };
    return cmocka_run_group_tests(tests, parse_networks, NULL);
}
