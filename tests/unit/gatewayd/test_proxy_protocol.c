/* SPDX-License-Identifier: Apache-2.0 */
/* test_proxy_protocol.c - PROXY headers of both versions, and everything that is nearly one. */
#include "tests/unit/gatewayd/cmocka_all.h"

#include <stdio.h>

#include "gatewayd/net/proxy_protocol.h"
#include "tests/unit/gatewayd/socket_pair.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static struct text address_text(const struct address *a)
{
    static char into[ADDRESS_TEXT_SIZE];
    return address_print(a, into);
}

static void assert_address(const struct address *a, const char *expected)
{
    struct text text = address_text(a);
    if (!text_equals(text, text_of(expected)))
        fail_msg("%.*s instead of %s", TEXT_ARGS(text), expected);
}

/* A good header, alone and with bytes behind; each shorter one wants more. */
static struct proxy_protocol read_good(struct text input)
{
    struct proxy_protocol header;
    char longer[PROXY_PROTOCOL_MAX + 16];
    size_t used = 0;
    for (size_t length = 0; length < input.length; length++)
        assert_int_equal(proxy_protocol_parse(text_first(input, length), &header, &used),
                         PROXY_PROTOCOL_MORE);
    assert_int_equal(used, 0);
    memcpy(longer, input.at, input.length);
    memcpy(longer + input.length, "GET / HTTP/1.1\n", 15);
    struct text with_rest = text_from(longer, input.length + 15);
    assert_int_equal(proxy_protocol_parse(with_rest, &header, &used), PROXY_PROTOCOL_DONE);
    assert_int_equal(used, input.length);
    return header;
}

static void refuse(struct text input)
{
    struct proxy_protocol header;
    size_t used = 77;
    if (proxy_protocol_parse(input, &header, &used) != PROXY_PROTOCOL_BAD)
        fail_msg("not refused: %.*s", TEXT_ARGS(input));
    assert_int_equal(used, 77);
}

static void version_1_carries_addresses(void **state)
{
    struct proxy_protocol h = read_good(TEXT_OF("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"));
    assert_true(h.has_addresses);
    assert_address(&h.source, "192.0.2.1:56324");
    assert_address(&h.destination, "198.51.100.2:443");
    h = read_good(TEXT_OF("PROXY TCP6 2001:db8::1 ::1 0 65535\r\n"));
    assert_address(&h.source, "[2001:db8::1]:0");
    assert_address(&h.destination, "[::1]:65535");
}

static void version_1_may_know_nothing(void **state)
{
    assert_false(read_good(TEXT_OF("PROXY UNKNOWN\r\n")).has_addresses);
    assert_false(read_good(TEXT_OF("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n")).has_addresses);
}

static void version_1_is_read_strictly(void **state)
{
    static const char *const bad[] = {
        "GET / HTTP/1.1\r\n",
        "proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
        "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
        "PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP6 [::1] [::1] 1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r\n",
        "PROXY UNKNOWNX\r\n",
        "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY \r\n",
        "PROXY TCP4\r\n",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        refuse(text_of(bad[i]));
    char endless[200];
    memset(endless, 'x', sizeof(endless));
    memcpy(endless, "PROXY UNKNOWN ", 14);
    refuse(text_from(endless, sizeof(endless)));
    refuse(text_from(endless, 107));
}

static const char v2_ipv4[] = SIGNATURE "\x21\x11\x00\x0c"
                                        "\xc0\x00\x02\x01"
                                        "\xc6\x33\x64\x02"
                                        "\xdc\x04"
                                        "\x01\xbb";

static void version_2_carries_addresses(void **state)
{
    static const char v6[] = SIGNATURE "\x21\x21\x00\x24"
                                       "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
                                       "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
                                       "\x00\x50\x1f\x90";
    struct proxy_protocol h = read_good(text_from(v2_ipv4, sizeof(v2_ipv4) - 1));
    assert_true(h.has_addresses);
    assert_address(&h.source, "192.0.2.1:56324");
    assert_address(&h.destination, "198.51.100.2:443");
    h = read_good(text_from(v6, sizeof(v6) - 1));
    assert_address(&h.source, "[2001:db8::1]:80");
    assert_address(&h.destination, "[::1]:8080");
}

static void version_2_carries_paths(void **state)
{
    char header[16 + 216] = SIGNATURE "\x21\x31\x00\xd8";
    snprintf(header + 16, 108, "/run/from");
    snprintf(header + 16 + 108, 108, "/run/to");
    struct proxy_protocol h = read_good(text_from(header, sizeof(header)));
    assert_address(&h.source, "unix:/run/from");
    assert_address(&h.destination, "unix:/run/to");
}

static void version_2_may_carry_more(void **state)
{
    char header[16 + 12 + 100] = "";
    memcpy(header, v2_ipv4, sizeof(v2_ipv4) - 1);
    header[15] = 112;
    struct proxy_protocol h = read_good(text_from(header, sizeof(header)));
    assert_address(&h.source, "192.0.2.1:56324");
}

static void version_2_may_be_local(void **state)
{
    static const char local[] = SIGNATURE "\x20\x00\x00\x00";
    static const char local_with_bytes[] = SIGNATURE "\x20\x11\x00\x03"
                                                     "abc";
    static const char unspecified[] = SIGNATURE "\x21\x00\x00\x03"
                                                "abc";
    assert_false(read_good(text_from(local, sizeof(local) - 1)).has_addresses);
    assert_false(
        read_good(text_from(local_with_bytes, sizeof(local_with_bytes) - 1)).has_addresses);
    assert_false(read_good(text_from(unspecified, sizeof(unspecified) - 1)).has_addresses);
}

static void refuse_changed(size_t at, char byte)
{
    char header[sizeof(v2_ipv4)];
    memcpy(header, v2_ipv4, sizeof(header));
    header[at] = byte;
    refuse(text_from(header, sizeof(header) - 1));
}

static void version_2_is_read_strictly(void **state)
{
    refuse_changed(4, 1);     /* signature */
    refuse_changed(12, 0x11); /* version 1 */
    refuse_changed(12, 0x22); /* no such command */
    refuse_changed(13, 0x12); /* datagrams */
    refuse_changed(13, 0x41); /* no such family */
    refuse_changed(13, 0x21); /* too short for IPv6 */
    refuse_changed(15, 11);   /* too short for IPv4 */
    refuse_changed(14, 0x10); /* longer than we accept */
}

/* ---- off a socket --------------------------------------------------------------------------- */

static struct socket_pair pair;

static int start(void **state)
{
    socket_pair_init(&pair);
    return 0;
}

static int stop(void **state)
{
    socket_pair_fini(&pair);
    return 0;
}

static void what_follows_stays_on_the_socket(void **state)
{
    static const char line[] = "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n";
    char memory[PROXY_PROTOCOL_MAX];
    size_t filled = 0;
    struct proxy_protocol h = { 0 };
    socket_pair_connect(&pair);
    pair.server.reads = false;
    assert_int_equal(proxy_protocol_read(&pair.server.socket, memory, &filled, &h),
                     PROXY_PROTOCOL_MORE);
    socket_pair_write(&pair, &pair.client, text_from(line, 10));
    socket_pair_run_ms(&pair, 5);
    assert_int_equal(proxy_protocol_read(&pair.server.socket, memory, &filled, &h),
                     PROXY_PROTOCOL_MORE);
    assert_int_equal(filled, 10);
    unsigned readable = pair.server.readable;
    socket_pair_run_ms(&pair, 5);
    assert_int_equal(pair.server.readable, readable); /* it does not spin on what was seen */
    socket_pair_write(&pair, &pair.client, text_of(line + 10));
    socket_pair_write(&pair, &pair.client, TEXT_OF("hello"));
    socket_pair_run_ms(&pair, 5);
    assert_int_equal(proxy_protocol_read(&pair.server.socket, memory, &filled, &h),
                     PROXY_PROTOCOL_DONE);
    assert_address(&h.source, "192.0.2.1:56324");
    pair.server.reads = true;
    assert_true(socket_pair_read(&pair, &pair.server, 5));
    assert_memory_equal(pair.server.got, "hello", 5);
}

static void a_connection_that_ends_is_bad(void **state)
{
    char memory[PROXY_PROTOCOL_MAX];
    size_t filled = 0;
    struct proxy_protocol h;
    socket_pair_connect(&pair);
    pair.server.reads = false;
    socket_close(&pair.client.socket);
    socket_pair_run_ms(&pair, 5);
    assert_int_equal(proxy_protocol_read(&pair.server.socket, memory, &filled, &h),
                     PROXY_PROTOCOL_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_1_carries_addresses),
        cmocka_unit_test(version_1_may_know_nothing),
        cmocka_unit_test(version_1_is_read_strictly),
        cmocka_unit_test(version_2_carries_addresses),
        cmocka_unit_test(version_2_carries_paths),
        cmocka_unit_test(version_2_may_carry_more),
        cmocka_unit_test(version_2_may_be_local),
        cmocka_unit_test(version_2_is_read_strictly),
        cmocka_unit_test_setup_teardown(what_follows_stays_on_the_socket, start, stop),
        cmocka_unit_test_setup_teardown(a_connection_that_ends_is_bad, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
