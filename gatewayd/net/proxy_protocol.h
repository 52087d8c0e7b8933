/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy_protocol.h - the PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt).
 *
 * Pure and strict: what is not exactly right is refused, and the connection must be closed. Call it
 * with all that was read so far until it says something else than MORE.
 */
#ifndef GATEWAYD_NET_PROXY_PROTOCOL_H
#define GATEWAYD_NET_PROXY_PROTOCOL_H

#include "conf/base/address.h"

enum proxy_protocol_result {
    PROXY_PROTOCOL_DONE,
    PROXY_PROTOCOL_MORE, /* a correct beginning */
    PROXY_PROTOCOL_BAD,
};

/* The longest header that is accepted: version 2 with its type-length-values. */
#define PROXY_PROTOCOL_MAX 4096

struct proxy_protocol {
    /* False: LOCAL, UNKNOWN or UNSPEC: the connection's own addresses count. */
    bool has_addresses;
    struct address source;
    struct address destination;
};

/* DONE: *header_out is filled and *used_out bytes of `input` were the header. Otherwise both are
 * left alone. */
MUST_USE enum proxy_protocol_result proxy_protocol_parse(struct text input,
                                                         struct proxy_protocol *header_out,
                                                         size_t *used_out);

struct socket;

/* Takes the header, and not a byte more, from a plain socket: call it at each on_readable. `memory`
 * holds what was taken so far (*filled of PROXY_PROTOCOL_MAX bytes). BAD: the connection ended or
 * is broken, too. */
MUST_USE enum proxy_protocol_result proxy_protocol_read(struct socket *s, char *memory,
                                                        size_t *filled,
                                                        struct proxy_protocol *header_out);

#endif
