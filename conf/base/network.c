/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network.c - networks: an address and how many of its leading bits count.
 */
#include "conf/base/address.h"

#include <netinet/in.h>

/* The address bytes that a network is compared with: 4 or 16 of them, 0 for unix. An IPv4 address
 * mapped into IPv6 is the IPv4 address. */
static size_t ip_bytes(const struct address *a, const unsigned char **bytes_out)
{
    if (a->any.sa_family == AF_INET) {
        *bytes_out = (const unsigned char *)&a->v4.sin_addr;
        return 4;
    }
    if (a->any.sa_family != AF_INET6)
        return 0;
    bool mapped = IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr);
    *bytes_out = a->v6.sin6_addr.s6_addr + (mapped ? 12 : 0);
    return mapped ? 4 : 16;
}

/* The bits of byte `i` that belong to a prefix of `bits`. */
static unsigned char prefix_mask(size_t i, unsigned bits)
{
    if (bits >= (i + 1) * 8)
        return 0xff;
    if (bits <= i * 8)
        return 0;
    return (unsigned char)(0xff << (8 - bits % 8));
}

bool network_parse(struct text t, struct network *network_out)
{
    struct address a;
    size_t slash = text_find_byte(t, '/');
    if (!address_parse_ip(text_first(t, slash), 0, &a))
        return false;

    const unsigned char *bytes = NULL;
    size_t size = ip_bytes(&a, &bytes);
    uint64_t most = a.any.sa_family == AF_INET ? 32 : 128;
    uint64_t bits = most;
    if (slash != t.length && (!text_parse_u64(text_skip(t, slash + 1), &bits) || bits > most))
        return false;

    /* ::ffff:10.0.0.0/104 is 10.0.0.0/8; a shorter prefix of a mapped address makes no sense. */
    if (most == 128 && size == 4) {
        if (bits < 96)
            return false;
        bits -= 96;
    }
    struct network n = { .bits = (unsigned char)bits, .is_v6 = size == 16 };
    for (size_t i = 0; i < size; i++)
        n.bytes[i] = bytes[i] & prefix_mask(i, n.bits);
    *network_out = n;
    return true;
}

bool network_contains(const struct network *n, const struct address *a)
{
    const unsigned char *bytes = NULL;
    size_t size = ip_bytes(a, &bytes);
    if (size != (n->is_v6 ? 16u : 4u))
        return false;
    for (size_t i = 0; i < size; i++) {
        if (((bytes[i] ^ n->bytes[i]) & prefix_mask(i, n->bits)) != 0)
            return false;
    }
    return true;
}
