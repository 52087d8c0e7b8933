/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authority.h - host and port, as in Host, :authority and absolute-form targets (RFC 9110 §4.2).
 */
#ifndef GATEWAYD_HTTP_AUTHORITY_H
#define GATEWAYD_HTTP_AUTHORITY_H

#include "conf/base/arena.h"
#include "gatewayd/http/refusal.h"

struct authority {
    struct text host; /* lower case, without one trailing dot; IPv6 canonical, in brackets */
    bool has_port;
    uint16_t port;
};

/* A name (letters, digits, '-', '_', '.'), an IPv4 address or [IPv6], and perhaps a port. The empty
 * text is an empty host. The host is a slice of `t` where nothing had to change, else in the arena.
 * *authority_out is untouched unless REFUSAL_NONE is returned. Serves hosts of routes, too. */
MUST_USE enum refusal authority_parse(struct text t, struct arena *arena,
                                      struct authority *authority_out);

#endif
