/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forwarded.h - who the client is, and what the upstream is told about it: X-Forwarded-For, -Proto,
 * -Host, Forwarded (RFC 7239) and Via.
 *
 * What an untrusted peer says in these is dropped; what a trusted one says is kept and our hop put
 * behind it. Pure; any thread.
 */
#ifndef GATEWAYD_HTTP_FORWARDED_H
#define GATEWAYD_HTTP_FORWARDED_H

#include "conf/base/address.h"
#include "conf/base/arena.h"
#include "gatewayd/http/message.h"

struct forwarded_networks {
    const struct network *items;
    size_t count;
};

/* Unix sockets are in no network: say so beside it where they are trusted. */
bool forwarded_is_trusted(const struct forwarded_networks *trusted, const struct address *a);

/* The client by the rightmost-untrusted rule: X-Forwarded-For (or, if absent, Forwarded) is read
 * from the right as long as who says it is trusted. What cannot be read as an address ends the
 * walk. An untrusted peer is the client itself. */
struct address forwarded_find_client(const struct headers *headers, const struct address *peer,
                                     bool peer_is_trusted,
                                     const struct forwarded_networks *trusted);

/* The hop that this node is. The texts live as long as the headers: slices of them are added. */
struct forwarded_hop {
    struct text peer_ip; /* as address_print_ip prints it; empty for a unix socket */
    bool peer_is_trusted;
    bool is_tls;           /* how the peer reached us */
    struct text authority; /* what it asked for */
    struct text node;      /* the name in Via */
    enum http_version version;
};

/* Rewrites the five in `headers`. False when the headers or the arena are full. */
MUST_USE bool forwarded_apply(struct headers *headers, const struct forwarded_hop *hop,
                              struct arena *arena);

/* "https" or "http": of a trusted peer's X-Forwarded-Proto, else by is_tls. */
struct text forwarded_scheme(const struct headers *headers, bool peer_is_trusted, bool is_tls);

#endif
