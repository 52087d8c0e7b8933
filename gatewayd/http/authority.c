/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authority.c - host and port taken apart and made comparable.
 */
#include "gatewayd/http/authority.h"

#include <arpa/inet.h>

#include "gatewayd/http/chars.h"

#define HOST_LENGTH_MAX 255

static enum refusal parse_port(struct text t, struct authority *a)
{
    uint64_t port;
    if (t.length == 0)
        return REFUSAL_NONE; /* "host:" is "host" (RFC 3986 §3.2.3) */
    if (!text_parse_u64(t, &port) || port > UINT16_MAX)
        return REFUSAL_HOST_PORT;
    a->has_port = true;
    a->port = (uint16_t)port;
    return REFUSAL_NONE;
}

/* "[v6]" or "[v6]:port". */
static enum refusal parse_ipv6(struct text t, struct arena *arena, struct authority *a)
{
    char bare[INET6_ADDRSTRLEN], canonical[INET6_ADDRSTRLEN];
    size_t end = text_find_byte(t, ']');
    struct in6_addr address;
    if (end == t.length || end - 1 >= sizeof(bare))
        return REFUSAL_HOST_INVALID;
    memcpy(bare, t.at + 1, end - 1);
    bare[end - 1] = '\0';
    if (strlen(bare) != end - 1 || inet_pton(AF_INET6, bare, &address) != 1)
        return REFUSAL_HOST_INVALID;
    MUST(inet_ntop(AF_INET6, &address, canonical, sizeof(canonical)) != NULL);
    size_t length = strlen(canonical);
    char *host = arena_try_alloc(arena, length + 2);
    if (host == NULL)
        return REFUSAL_HEAD_TOO_LARGE;
    host[0] = '[';
    memcpy(host + 1, canonical, length);
    host[length + 1] = ']';
    a->host = text_from(host, length + 2);
    struct text rest = text_skip(t, end + 1);
    if (rest.length == 0)
        return REFUSAL_NONE;
    return rest.at[0] == ':' ? parse_port(text_skip(rest, 1), a) : REFUSAL_HOST_INVALID;
}

/* Four decimal numbers below 256, none with a zero in front. The labels are not empty and the last
 * one is a number. */
static bool is_ipv4(struct text t)
{
    unsigned dots = 0, value = 0, digits = 0;
    for (size_t i = 0; i < t.length; i++) {
        if (t.at[i] == '.') {
            dots++;
            value = digits = 0;
            continue;
        }
        if (!chars_is(t.at[i], CHARS_DIGIT) || (digits > 0 && value == 0))
            return false;
        value = value * 10 + (unsigned)(t.at[i] - '0');
        digits++;
        if (value > 255)
            return false;
    }
    return dots == 3;
}

/* No empty label; and what ends in a number is an IPv4 address, whole and decimal. */
static bool is_host(struct text t)
{
    bool is_number = false, is_empty = true;
    for (size_t i = 0; i < t.length; i++) {
        if (t.at[i] == '.') {
            if (is_empty)
                return false;
            is_empty = true;
            continue;
        }
        is_number = (is_empty || is_number) && chars_is(t.at[i], CHARS_DIGIT);
        is_empty = false;
    }
    return !is_empty && (!is_number || is_ipv4(t));
}

static enum refusal lower(struct text *host, struct arena *arena)
{
    size_t i = 0;
    while (i < host->length && !chars_is(host->at[i], CHARS_UPPER))
        i++;
    if (LIKELY(i == host->length))
        return REFUSAL_NONE;
    char *copy = arena_try_alloc(arena, host->length);
    if (copy == NULL)
        return REFUSAL_HEAD_TOO_LARGE;
    for (i = 0; i < host->length; i++)
        copy[i] = (char)(chars_is(host->at[i], CHARS_UPPER) ? host->at[i] | 0x20 : host->at[i]);
    host->at = copy;
    return REFUSAL_NONE;
}

static enum refusal parse_name(struct text t, struct arena *arena, struct authority *a)
{
    const char *end = t.at + t.length, *stop = chars_skip(t.at, end, CHARS_HOST);
    struct text host = text_from(t.at, (size_t)(stop - t.at));
    if (stop < end) {
        if (*stop != ':')
            return REFUSAL_HOST_INVALID;
        enum refusal r = parse_port(text_skip(t, host.length + 1), a);
        if (r != REFUSAL_NONE)
            return r;
    }
    if (host.length > 0 && host.at[host.length - 1] == '.')
        host.length--;
    if (host.length > HOST_LENGTH_MAX || !is_host(host))
        return REFUSAL_HOST_INVALID;
    a->host = host;
    return lower(&a->host, arena);
}

enum refusal authority_parse(struct text t, struct arena *arena, struct authority *authority_out)
{
    struct authority a = { .host = text_from(t.at, 0) };
    enum refusal r = REFUSAL_NONE;
    if (t.length > 0) {
        if (text_find_byte(t, '@') < t.length)
            return REFUSAL_HOST_USER;
        r = t.at[0] == '[' ? parse_ipv6(t, arena, &a) : parse_name(t, arena, &a);
    }
    if (r == REFUSAL_NONE)
        *authority_out = a;
    return r;
}
