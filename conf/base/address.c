/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address.c - socket addresses and networks, read and printed.
 */
#include "conf/base/address.h"

#include <arpa/inet.h>

#include "conf/base/must.h"

#define UNIX_PREFIX TEXT_OF("unix:")

static bool parse_port(struct text t, uint16_t *port_out)
{
    uint64_t port;
    if (t.length > 5 || !text_parse_u64(t, &port) || port > UINT16_MAX)
        return false;
    *port_out = (uint16_t)port;
    return true;
}

/* inet_pton with a text; `bytes_out` has 4 or 16 bytes. */
static bool parse_ip(int family, struct text ip, void *bytes_out)
{
    char cstring[INET6_ADDRSTRLEN];
    if (ip.length >= sizeof(cstring) || text_find_byte(ip, '\0') != ip.length)
        return false;
    if (ip.length > 0)
        memcpy(cstring, ip.at, ip.length);
    cstring[ip.length] = '\0';
    return inet_pton(family, cstring, bytes_out) == 1;
}

static struct text without_brackets(struct text ip)
{
    if (ip.length >= 2 && ip.at[0] == '[' && ip.at[ip.length - 1] == ']')
        return text_from(ip.at + 1, ip.length - 2);
    return ip;
}

bool address_parse_ip(struct text ip, uint16_t port, struct address *address_out)
{
    struct address a;
    memset(&a, 0, sizeof(a));
    if (parse_ip(AF_INET, ip, &a.v4.sin_addr)) {
        a.v4.sin_family = AF_INET;
        a.v4.sin_port = htons(port);
        a.length = sizeof(a.v4);
    } else if (parse_ip(AF_INET6, without_brackets(ip), &a.v6.sin6_addr)) {
        a.v6.sin6_family = AF_INET6;
        a.v6.sin6_port = htons(port);
        a.length = sizeof(a.v6);
    } else {
        return false;
    }
    *address_out = a;
    return true;
}

/* Room is kept for the NUL that other programs expect after a path. */
static bool parse_unix(struct text path, struct address *address_out)
{
    struct address a;
    memset(&a, 0, sizeof(a));
    if (path.length >= sizeof(a.local.sun_path))
        return false;
    a.local.sun_family = AF_UNIX;
    memcpy(a.local.sun_path, path.at, path.length);
    a.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.length + 1);
    *address_out = a;
    return true;
}

bool address_parse(struct text t, struct address *address_out)
{
    struct host_port parts;
    if (!address_split(t, &parts))
        return false;
    if (parts.is_unix)
        return parse_unix(parts.host, address_out);
    return address_parse_ip(parts.host, parts.port, address_out);
}

static bool is_host_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

static bool is_host_name(struct text t)
{
    if (t.length == 0 || t.length > 255)
        return false;
    for (size_t i = 0; i < t.length; i++) {
        if (!is_host_byte(t.at[i]))
            return false;
    }
    return true;
}

/* "[v6]:port"; the host comes without brackets. */
static bool split_bracketed(struct text t, struct host_port *parts_out)
{
    struct in6_addr ignored;
    size_t end = text_find_byte(t, ']');
    struct text host = text_from(t.at + 1, end - 1);
    struct text after = text_skip(t, end + 1);
    uint16_t port;
    if (end == t.length || after.length == 0 || after.at[0] != ':')
        return false;
    if (!parse_ip(AF_INET6, host, &ignored) || !parse_port(text_skip(after, 1), &port))
        return false;
    *parts_out = (struct host_port){ .host = host, .port = port };
    return true;
}

static bool split_unix(struct text path, struct host_port *parts_out)
{
    if (path.length < 2 || path.at[0] != '/' || text_find_byte(path, '\0') != path.length)
        return false;
    *parts_out = (struct host_port){ .host = path, .is_unix = true };
    return true;
}

bool address_split(struct text t, struct host_port *parts_out)
{
    if (text_starts_with(t, UNIX_PREFIX))
        return split_unix(text_skip(t, UNIX_PREFIX.length), parts_out);
    if (t.length > 0 && t.at[0] == '[')
        return split_bracketed(t, parts_out);

    size_t colon = text_find_byte(t, ':');
    uint16_t port;
    if (colon == t.length || !is_host_name(text_first(t, colon)) ||
        !parse_port(text_skip(t, colon + 1), &port))
        return false;
    *parts_out = (struct host_port){ .host = text_first(t, colon), .port = port };
    return true;
}

/* The 4 bytes of an IPv4 address, also of one mapped into IPv6 (RFC 4291 §2.5.5.2), or NULL. */
static const unsigned char *v4_bytes(const struct address *a)
{
    if (a->any.sa_family == AF_INET)
        return (const unsigned char *)&a->v4.sin_addr;
    if (a->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr))
        return a->v6.sin6_addr.s6_addr + 12;
    return NULL;
}

/* Faster than inet_ntop, which prints through a format; every access record has one of these. */
static size_t print_v4(const unsigned char bytes[4], char *into)
{
    char *at = into;
    for (int i = 0; i < 4; i++) {
        unsigned value = bytes[i];
        if (value >= 100)
            *at++ = (char)('0' + value / 100);
        if (value >= 10)
            *at++ = (char)('0' + value / 10 % 10);
        *at++ = (char)('0' + value % 10);
        *at++ = '.';
    }
    *--at = '\0';
    return (size_t)(at - into);
}

static size_t print_v6(const struct address *a, char *into)
{
    MUST(inet_ntop(AF_INET6, &a->v6.sin6_addr, into, INET6_ADDRSTRLEN) != NULL);
    return strlen(into);
}

/* "unix:/path", "unix:" for a socket without a name. */
static struct text print_unix(const struct address *a, char *into)
{
    size_t start = offsetof(struct sockaddr_un, sun_path);
    size_t room = a->length > start ? a->length - start : 0;
    size_t length = strnlen(a->local.sun_path, room);
    memcpy(into, UNIX_PREFIX.at, UNIX_PREFIX.length);
    memcpy(into + UNIX_PREFIX.length, a->local.sun_path, length);
    into[UNIX_PREFIX.length + length] = '\0';
    return text_from(into, UNIX_PREFIX.length + length);
}

static struct text print_nothing(char *into)
{
    into[0] = '\0';
    return text_from(into, 0);
}

struct text address_print_ip(const struct address *a, char into[ADDRESS_TEXT_SIZE])
{
    if (a->any.sa_family == AF_UNIX)
        return print_unix(a, into);
    const unsigned char *v4 = v4_bytes(a);
    if (v4 != NULL)
        return text_from(into, print_v4(v4, into));
    if (a->any.sa_family == AF_INET6)
        return text_from(into, print_v6(a, into));
    return print_nothing(into);
}

struct text address_print(const struct address *a, char into[ADDRESS_TEXT_SIZE])
{
    if (a->any.sa_family == AF_UNIX)
        return print_unix(a, into);
    if (a->any.sa_family != AF_INET && a->any.sa_family != AF_INET6)
        return print_nothing(into);

    size_t length;
    const unsigned char *v4 = v4_bytes(a);
    if (v4 != NULL) {
        length = print_v4(v4, into);
    } else {
        into[0] = '[';
        length = 1 + print_v6(a, into + 1);
        into[length++] = ']';
    }
    into[length++] = ':';
    length += text_print_u64(address_port(a), into + length).length;
    return text_from(into, length);
}

static bool equal_v6(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
    return a->sin6_port == b->sin6_port && a->sin6_scope_id == b->sin6_scope_id &&
           memcmp(&a->sin6_addr, &b->sin6_addr, sizeof(a->sin6_addr)) == 0;
}

bool address_equals(const struct address *a, const struct address *b)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    if (a->any.sa_family == AF_INET)
        return a->v4.sin_port == b->v4.sin_port && a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    if (a->any.sa_family == AF_INET6)
        return equal_v6(&a->v6, &b->v6);
    if (a->any.sa_family == AF_UNIX) {
        char one[ADDRESS_TEXT_SIZE], other[ADDRESS_TEXT_SIZE];
        return text_equals(print_unix(a, one), print_unix(b, other));
    }
    return true;
}

uint16_t address_port(const struct address *a)
{
    if (a->any.sa_family == AF_INET)
        return ntohs(a->v4.sin_port);
    if (a->any.sa_family == AF_INET6)
        return ntohs(a->v6.sin6_port);
    return 0;
}

bool address_is_loopback(const struct address *a)
{
    const unsigned char *v4 = v4_bytes(a);
    if (v4 != NULL)
        return v4[0] == 127;
    if (a->any.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
    return a->any.sa_family == AF_UNIX;
}

bool address_is_any(const struct address *a)
{
    const unsigned char *v4 = v4_bytes(a);
    if (v4 != NULL)
        return memcmp(v4, "\0\0\0\0", 4) == 0;
    return a->any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr);
}

struct text address_subject(const struct address *a, char into[8])
{
    const unsigned char *v4 = v4_bytes(a);
    if (v4 != NULL)
        return text_from(memcpy(into, v4, 4), 4);
    if (a->any.sa_family == AF_INET6)
        return text_from(memcpy(into, &a->v6.sin6_addr, 8), 8);
    return TEXT_EMPTY;
}
