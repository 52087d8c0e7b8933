/* SPDX-License-Identifier: Apache-2.0 */
/* test_address.c - socket addresses and networks, read strictly, printed as read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "conf/base/address.h"

static void assert_round_trip(const char *t, const char *printed, const char *ip)
{
    struct address a;
    char into[ADDRESS_TEXT_SIZE];
    assert_true(address_parse(text_of(t), &a));
    assert_true(text_equals(address_print(&a, into), text_of(printed)));
    assert_true(text_equals(address_print_ip(&a, into), text_of(ip)));
}

static void addresses_print_as_read(void **state)
{
    assert_round_trip("127.0.0.1:80", "127.0.0.1:80", "127.0.0.1");
    assert_round_trip("255.255.255.255:65535", "255.255.255.255:65535", "255.255.255.255");
    assert_round_trip("0.0.0.0:0", "0.0.0.0:0", "0.0.0.0");
    assert_round_trip("[::1]:80", "[::1]:80", "::1");
    assert_round_trip("[2001:DB8:0:0::1]:443", "[2001:db8::1]:443", "2001:db8::1");
    assert_round_trip("[::ffff:10.1.2.3]:80", "10.1.2.3:80", "10.1.2.3");
    assert_round_trip("unix:/run/x.sock", "unix:/run/x.sock", "unix:/run/x.sock");
}

static void assert_no_address(struct text t)
{
    struct address a = { .length = 4711 };
    assert_false(address_parse(t, &a));
    assert_int_equal(a.length, 4711);
}

static void what_is_no_address(void **state)
{
    assert_no_address(TEXT_EMPTY);
    assert_no_address(TEXT_OF("127.0.0.1"));
    assert_no_address(TEXT_OF("127.0.0.1:"));
    assert_no_address(TEXT_OF("127.0.0.1:65536"));
    assert_no_address(TEXT_OF("127.0.0.1:000080"));
    assert_no_address(TEXT_OF("127.0.0.1:80 "));
    assert_no_address(TEXT_OF(":80"));
    assert_no_address(TEXT_OF("127.1:80"));
    assert_no_address(TEXT_OF("127.0.0.01:80"));
    assert_no_address(TEXT_OF("localhost:80"));
    assert_no_address(TEXT_OF("::1:80"));
    assert_no_address(TEXT_OF("[::1]"));
    assert_no_address(TEXT_OF("[::1]80"));
    assert_no_address(TEXT_OF("[::1:80"));
    assert_no_address(TEXT_OF("[127.0.0.1]:80"));
    assert_no_address(TEXT_OF("[fe80::1%lo]:80"));
    assert_no_address(TEXT_OF("unix:"));
    assert_no_address(TEXT_OF("unix:relative"));
    assert_no_address(TEXT_OF("unix:/a\0b"));
    assert_no_address(TEXT_OF("127.0.0.1\0:80"));
}

static void a_unix_path_must_fit(void **state)
{
    char t[200] = "unix:/";
    struct address a;
    char into[ADDRESS_TEXT_SIZE];
    memset(t + 6, 'x', 106);
    assert_true(address_parse(text_from(t, 5 + 107), &a));
    assert_int_equal(address_print(&a, into).length, 5 + 107);
    assert_no_address(text_from(t, 5 + 108));
}

static void names_can_be_split_too(void **state)
{
    struct host_port parts;
    assert_true(address_split(TEXT_OF("api.example.com:8080"), &parts));
    assert_true(text_equals(parts.host, TEXT_OF("api.example.com")));
    assert_int_equal(parts.port, 8080);
    assert_false(parts.is_unix);
    assert_true(address_split(TEXT_OF("[::1]:9"), &parts));
    assert_true(text_equals(parts.host, TEXT_OF("::1")));
    assert_true(address_split(TEXT_OF("unix:/a"), &parts));
    assert_true(parts.is_unix);
    assert_true(text_equals(parts.host, TEXT_OF("/a")));
    assert_int_equal(parts.port, 0);

    assert_false(address_split(TEXT_OF("http://a:80"), &parts));
    assert_false(address_split(TEXT_OF("a b:80"), &parts));
    assert_false(address_split(TEXT_OF("a"), &parts));
    assert_false(address_split(TEXT_OF("a:80:81"), &parts));
    assert_false(address_split(TEXT_OF("[]:80"), &parts));
    assert_false(address_split(TEXT_OF("[:80"), &parts));
}

static struct address address_of(const char *t)
{
    struct address a = { 0 };
    assert_true(address_parse(text_of(t), &a));
    return a;
}

static void literals_without_port(void **state)
{
    struct address a;
    assert_true(address_parse_ip(TEXT_OF("10.0.0.1"), 53, &a));
    assert_int_equal(address_port(&a), 53);
    assert_true(address_parse_ip(TEXT_OF("::1"), 53, &a));
    assert_true(address_parse_ip(TEXT_OF("[::1]"), 53, &a));
    assert_int_equal(address_port(&a), 53);
    assert_false(address_parse_ip(TEXT_OF("[10.0.0.1]"), 53, &a));
    assert_false(address_parse_ip(TEXT_OF("[::1"), 53, &a));
    assert_false(address_parse_ip(TEXT_OF("example.com"), 53, &a));
    assert_false(
        address_parse_ip(TEXT_OF("1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa"), 53, &a));
}

static bool equal(const char *a, const char *b)
{
    struct address x = address_of(a), y = address_of(b);
    return address_equals(&x, &y);
}

static void equality_includes_the_port(void **state)
{
    assert_true(equal("10.0.0.1:80", "10.0.0.1:80"));
    assert_false(equal("10.0.0.1:80", "10.0.0.1:81"));
    assert_false(equal("10.0.0.1:80", "10.0.0.2:80"));
    assert_true(equal("[::1]:80", "[0:0::1]:80"));
    assert_false(equal("[::1]:80", "[::2]:80"));
    assert_false(equal("[::1]:80", "127.0.0.1:80"));
    assert_true(equal("unix:/a", "unix:/a"));
    assert_false(equal("unix:/a", "unix:/ab"));
}

static void kinds_of_address(void **state)
{
    struct address a = address_of("127.9.9.9:1");
    assert_true(address_is_loopback(&a));
    a = address_of("[::ffff:127.0.0.1]:1");
    assert_true(address_is_loopback(&a));
    a = address_of("[::1]:1");
    assert_true(address_is_loopback(&a));
    a = address_of("unix:/a");
    assert_true(address_is_loopback(&a));
    assert_false(address_is_any(&a));
    a = address_of("10.0.0.1:1");
    assert_false(address_is_loopback(&a));
    assert_false(address_is_any(&a));
    a = address_of("0.0.0.0:1");
    assert_true(address_is_any(&a));
    a = address_of("[::]:1");
    assert_true(address_is_any(&a));
    assert_false(address_is_loopback(&a));
}

static void an_unset_address_is_nothing(void **state)
{
    struct address a = { 0 };
    char into[ADDRESS_TEXT_SIZE];
    assert_int_equal(address_print(&a, into).length, 0);
    assert_int_equal(address_print_ip(&a, into).length, 0);
    assert_int_equal(address_port(&a), 0);
    assert_false(address_is_loopback(&a));
    assert_false(address_is_any(&a));
}

static void a_nameless_unix_socket_prints(void **state)
{
    struct address a = { .length = sizeof(sa_family_t) };
    char into[ADDRESS_TEXT_SIZE];
    a.any.sa_family = AF_UNIX;
    assert_true(text_equals(address_print(&a, into), TEXT_OF("unix:")));
}

static struct text subject(const char *t, char into[8])
{
    struct address a = address_of(t);
    return address_subject(&a, into);
}

static void limits_count_v4_whole_and_v6_by_64_bits(void **state)
{
    char one[8], other[8];
    assert_true(text_equals(subject("10.0.0.1:80", one), subject("10.0.0.1:99", other)));
    assert_false(text_equals(subject("10.0.0.1:80", one), subject("10.0.0.2:80", other)));
    assert_true(text_equals(subject("10.0.0.1:80", one), subject("[::ffff:10.0.0.1]:80", other)));
    assert_int_equal(subject("10.0.0.1:80", one).length, 4);
    assert_true(text_equals(subject("[2001:db8:1:2::1]:80", one),
                            subject("[2001:db8:1:2:ffff::9]:80", other)));
    assert_false(
        text_equals(subject("[2001:db8:1:2::1]:80", one), subject("[2001:db8:1:3::1]:80", other)));
    assert_int_equal(subject("unix:/a", one).length, 0);
}

static bool contains(const char *network, const char *address)
{
    struct network n = { { 0 }, 0, false };
    struct address a = address_of(address);
    assert_true(network_parse(text_of(network), &n));
    return network_contains(&n, &a);
}

static void networks_contain(void **state)
{
    assert_true(contains("10.0.0.0/8", "10.255.0.1:1"));
    assert_false(contains("10.0.0.0/8", "11.0.0.1:1"));
    assert_true(contains("10.1.2.3", "10.1.2.3:1"));
    assert_false(contains("10.1.2.3", "10.1.2.4:1"));
    assert_true(contains("10.1.2.130/25", "10.1.2.129:1"));
    assert_false(contains("10.1.2.130/25", "10.1.2.127:1"));
    assert_true(contains("0.0.0.0/0", "1.2.3.4:1"));
    assert_true(contains("0.0.0.0/0", "[::ffff:1.2.3.4]:1"));
    assert_false(contains("0.0.0.0/0", "[::1]:1"));
    assert_true(contains("::/0", "[2001:db8::1]:1"));
    assert_false(contains("::/0", "1.2.3.4:1"));
    assert_true(contains("2001:db8::/33", "[2001:db8:7fff::]:1"));
    assert_false(contains("2001:db8::/33", "[2001:db8:8000::]:1"));
    assert_true(contains("::1/128", "[::1]:1"));
    assert_true(contains("::ffff:10.0.0.0/104", "10.9.9.9:1"));
    assert_false(contains("0.0.0.0/0", "unix:/a"));
}

static void what_is_no_network(void **state)
{
    struct network n;
    assert_false(network_parse(TEXT_OF(""), &n));
    assert_false(network_parse(TEXT_OF("10.0.0.0/"), &n));
    assert_false(network_parse(TEXT_OF("10.0.0.0/33"), &n));
    assert_false(network_parse(TEXT_OF("10.0.0.0/-1"), &n));
    assert_false(network_parse(TEXT_OF("10.0.0.0/8/8"), &n));
    assert_false(network_parse(TEXT_OF("::1/129"), &n));
    assert_false(network_parse(TEXT_OF("::ffff:10.0.0.0/8"), &n));
    assert_false(network_parse(TEXT_OF("10.0.0/8"), &n));
    assert_false(network_parse(TEXT_OF("example.com"), &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_print_as_read),
        cmocka_unit_test(what_is_no_address),
        cmocka_unit_test(a_unix_path_must_fit),
        cmocka_unit_test(names_can_be_split_too),
        cmocka_unit_test(literals_without_port),
        cmocka_unit_test(equality_includes_the_port),
        cmocka_unit_test(kinds_of_address),
        cmocka_unit_test(an_unset_address_is_nothing),
        cmocka_unit_test(a_nameless_unix_socket_prints),
        cmocka_unit_test(limits_count_v4_whole_and_v6_by_64_bits),
        cmocka_unit_test(networks_contain),
        cmocka_unit_test(what_is_no_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
