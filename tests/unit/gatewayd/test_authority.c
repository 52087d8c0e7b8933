/* SPDX-License-Identifier: Apache-2.0 */
/* test_authority.c - hosts and ports, and the hosts that are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gatewayd/http/authority.h"

static void expect(const char *raw, const char *host, int port)
{
    struct arena arena;
    struct authority a;
    arena_init(&arena, 4096);
    enum refusal r = authority_parse(text_of(raw), &arena, &a);
    if (r != REFUSAL_NONE)
        fail_msg("%s: %s", raw, refusal_name(r).at);
    if (!text_equals(a.host, text_of(host)))
        fail_msg("%s: %.*s", raw, TEXT_ARGS(a.host));
    assert_int_equal(a.has_port, port >= 0);
    if (port >= 0)
        assert_int_equal(a.port, port);
    arena_reset(&arena);
}

static void refuse(struct text raw, enum refusal expected)
{
    struct arena arena;
    struct authority a = { .port = 7 };
    arena_init(&arena, 4096);
    enum refusal r = authority_parse(raw, &arena, &a);
    if (r != expected)
        fail_msg("%.*s: %.*s", TEXT_ARGS(raw), TEXT_ARGS(refusal_name(r)));
    assert_int_equal(a.port, 7);
    arena_reset(&arena);
}

static void hosts_are_made_comparable(void **state)
{
    expect("", "", -1);
    expect("example.com", "example.com", -1);
    expect("Example.COM", "example.com", -1);
    expect("example.com.", "example.com", -1);
    expect("example.com.:80", "example.com", 80);
    expect("a", "a", -1);
    expect("a:", "a", -1);
    expect("a:0", "a", 0);
    expect("a:65535", "a", 65535);
    expect("a_b-c.x9", "a_b-c.x9", -1);
    expect("10.1.2.3", "10.1.2.3", -1);
    expect("10.1.2.3:8080", "10.1.2.3", 8080);
    expect("1a.2b", "1a.2b", -1);
    expect("[::1]", "[::1]", -1);
    expect("[::1]:443", "[::1]", 443);
    expect("[2001:DB8:0:0:0:0:0:1]", "[2001:db8::1]", -1);
    expect("[::ffff:1.2.3.4]:1", "[::ffff:1.2.3.4]", 1);
}

static void a_normal_host_stays_where_it_is(void **state)
{
    struct arena arena;
    struct authority a;
    struct text raw = TEXT_OF("example.com.:80");
    arena_init(&arena, 0);
    assert_int_equal(authority_parse(raw, &arena, &a), REFUSAL_NONE);
    assert_ptr_equal(a.host.at, raw.at);
    assert_int_equal(authority_parse(TEXT_OF("Example.com"), &arena, &a), REFUSAL_HEAD_TOO_LARGE);
    assert_int_equal(authority_parse(TEXT_OF("[::1]"), &arena, &a), REFUSAL_HEAD_TOO_LARGE);
    arena_reset(&arena);
}

static void other_hosts_are_refused(void **state)
{
    static const struct {
        struct text raw;
        enum refusal expected;
    } rows[] = {
        { TEXT("u@a"), REFUSAL_HOST_USER },
        { TEXT("u:p@a"), REFUSAL_HOST_USER },
        { TEXT("a@"), REFUSAL_HOST_USER },
        { TEXT("a:65536"), REFUSAL_HOST_PORT },
        { TEXT("a:99999999999999999999"), REFUSAL_HOST_PORT },
        { TEXT("a:-1"), REFUSAL_HOST_PORT },
        { TEXT("a:+1"), REFUSAL_HOST_PORT },
        { TEXT("a:8 0"), REFUSAL_HOST_PORT },
        { TEXT("a:80:80"), REFUSAL_HOST_PORT },
        { TEXT("::1"), REFUSAL_HOST_PORT },
        { TEXT("a:http"), REFUSAL_HOST_PORT },
        { TEXT(":80"), REFUSAL_HOST_INVALID },
        { TEXT("."), REFUSAL_HOST_INVALID },
        { TEXT(".a"), REFUSAL_HOST_INVALID },
        { TEXT("a..b"), REFUSAL_HOST_INVALID },
        { TEXT("a.."), REFUSAL_HOST_INVALID },
        { TEXT("a b"), REFUSAL_HOST_INVALID },
        { TEXT("a,b"), REFUSAL_HOST_INVALID },
        { TEXT("a/b"), REFUSAL_HOST_INVALID },
        { TEXT("a?b"), REFUSAL_HOST_INVALID },
        { TEXT("a%41"), REFUSAL_HOST_INVALID },
        { TEXT("a\0b"), REFUSAL_HOST_INVALID },
        { TEXT("*.a"), REFUSAL_HOST_INVALID },
        { TEXT("caf\xc3\xa9"), REFUSAL_HOST_INVALID },
        { TEXT("1.2.3"), REFUSAL_HOST_INVALID },
        { TEXT("1.2.3.256"), REFUSAL_HOST_INVALID },
        { TEXT("1.2.3.4.5"), REFUSAL_HOST_INVALID },
        { TEXT("a.1"), REFUSAL_HOST_INVALID },
        { TEXT("2130706433"), REFUSAL_HOST_INVALID },
        { TEXT("[::1"), REFUSAL_HOST_INVALID },
        { TEXT("[]"), REFUSAL_HOST_INVALID },
        { TEXT("["), REFUSAL_HOST_INVALID },
        { TEXT("[::1]x"), REFUSAL_HOST_INVALID },
        { TEXT("[::1]:x"), REFUSAL_HOST_PORT },
        { TEXT("[::1%25eth0]"), REFUSAL_HOST_INVALID },
        { TEXT("[1.2.3.4]"), REFUSAL_HOST_INVALID },
        { TEXT("[v1.a]"), REFUSAL_HOST_INVALID },
        { TEXT("[::1\0]"), REFUSAL_HOST_INVALID },
        { TEXT("[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]"),
          REFUSAL_HOST_INVALID },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        refuse(rows[i].raw, rows[i].expected);
}

static void long_hosts_are_refused(void **state)
{
    char bytes[300];
    memset(bytes, 'a', sizeof(bytes));
    struct arena arena;
    struct authority a;
    arena_init(&arena, 0);
    assert_int_equal(authority_parse(text_from(bytes, 255), &arena, &a), REFUSAL_NONE);
    assert_int_equal(authority_parse(text_from(bytes, 256), &arena, &a), REFUSAL_HOST_INVALID);
    arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_made_comparable),
        cmocka_unit_test(a_normal_host_stays_where_it_is),
        cmocka_unit_test(other_hosts_are_refused),
        cmocka_unit_test(long_hosts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
