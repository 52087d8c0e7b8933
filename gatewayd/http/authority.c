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

/* What a name is made of, found in one pass. */
struct shape {
    const char *stop;   /* behind its last byte */
    unsigned seen;      /* classes of its bytes */
    bool has_gap;       /* an empty label, other than behind a dot at the end */
    bool is_number;     /* the last label consists of digits */
    bool ends_with_dot; /* which does not count */
};

static struct shape look_at(struct text t)
{
    struct shape s = { .stop = t.at };
    const char *end = t.at + t.length, *label = t.at;
    unsigned in_all = CHARS_DIGIT; /* of the label at hand */
    for (; s.stop < end && chars_is(*s.stop, CHARS_HOST); s.stop++) {
        if (*s.stop != '.') {
            unsigned classes = chars_class[(unsigned char)*s.stop];
            s.seen |= classes;
            in_all &= classes;
            continue;
        }
        s.has_gap |= s.stop == label;
        s.ends_with_dot = s.stop + 1 == end || s.stop[1] == ':';
        if (s.ends_with_dot)
            continue;
        label = s.stop + 1;
        in_all = CHARS_DIGIT;
    }
    s.has_gap |= s.stop == label;
    s.is_number = in_all != 0;
    return s;
}

static enum refusal lower(struct text *host, struct arena *arena)
{
    char *copy = arena_try_alloc(arena, host->length);
    if (copy == NULL)
        return REFUSAL_HEAD_TOO_LARGE;
    for (size_t i = 0; i < host->length; i++)
        copy[i] = (char)(chars_is(host->at[i], CHARS_UPPER) ? host->at[i] | 0x20 : host->at[i]);
    host->at = copy;
    return REFUSAL_NONE;
}

/* No label is empty; and what ends in a number is an IPv4 address, whole and decimal. */
static enum refusal parse_name(struct text t, struct arena *arena, struct authority *a)
{
    struct shape s = look_at(t);
    struct text host = text_from(t.at, (size_t)(s.stop - t.at));
    if (host.length < t.length) {
        if (*s.stop != ':')
            return REFUSAL_HOST_INVALID;
        enum refusal r = parse_port(text_skip(t, host.length + 1), a);
        if (r != REFUSAL_NONE)
            return r;
    }
    host.length -= s.ends_with_dot;
    if (host.length > HOST_LENGTH_MAX || s.has_gap || (s.is_number && !is_ipv4(host)))
        return REFUSAL_HOST_INVALID;
    a->host = host;
    return LIKELY((s.seen & CHARS_UPPER) == 0) ? REFUSAL_NONE : lower(&a->host, arena);
}

enum refusal authority_parse(struct text t, struct arena *arena, struct authority *authority_out)
{
    struct authority a = { .host = text_from(t.at, 0) };
    enum refusal r = REFUSAL_NONE;
    if (t.length > 0)
        r = t.at[0] == '[' ? parse_ipv6(t, arena, &a) : parse_name(t, arena, &a);
    if (LIKELY(r == REFUSAL_NONE)) {
        *authority_out = a;
        return r;
    }
    /* Nothing right has one. */
    return text_find_byte(t, '@') < t.length ? REFUSAL_HOST_USER : r;
}
