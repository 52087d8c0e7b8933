/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address.h - socket addresses, networks, and the text forms of both. No look-ups, no I/O.
 */
#ifndef CONF_BASE_ADDRESS_H
#define CONF_BASE_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "conf/base/text.h"

/* A socket address by value; .any.sa_family is AF_UNSPEC when unset. */
struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    };
    socklen_t length;
};

/* "127.0.0.1:80", "[::1]:80", "unix:/path". A host name is not an address: false. */
MUST_USE bool address_parse(struct text t, struct address *address_out);

/* An IP literal without port (IPv6 with or without brackets), and a port. */
MUST_USE bool address_parse_ip(struct text ip, uint16_t port, struct address *address_out);

/* "host:port" or "[v6]:port" or "unix:/path", split, for names as well as literals. Unix: host is
 * the path and port 0. */
struct host_port {
    struct text host;
    uint16_t port;
    bool is_unix;
};
MUST_USE bool address_split(struct text t, struct host_port *parts_out);

#define ADDRESS_TEXT_SIZE (sizeof(struct sockaddr_un) + 8)

/* Prints with port ("[::1]:80") or the bare IP; returns the text in `into`. IPv4-mapped IPv6 is
 * printed as IPv4. */
struct text address_print(const struct address *a, char into[ADDRESS_TEXT_SIZE]);
struct text address_print_ip(const struct address *a, char into[ADDRESS_TEXT_SIZE]);

bool address_equals(const struct address *a, const struct address *b); /* port included */
uint16_t address_port(const struct address *a);                        /* 0 for unix */
bool address_is_loopback(const struct address *a);                     /* unix counts as loopback */
bool address_is_any(const struct address *a);

/* What limits by ip count: IPv4 whole (4 bytes), IPv6 by /64 (8 bytes), unix none. The text is in
 * `into` (8 bytes). */
struct text address_subject(const struct address *a, char into[8]);

/* A network "10.0.0.0/8", "::1/128", or a bare IP. */
struct network {
    unsigned char bytes[16];
    unsigned char bits; /* of the prefix */
    bool is_v6;
};
MUST_USE bool network_parse(struct text t, struct network *network_out);
bool network_contains(const struct network *n, const struct address *a); /* unix: false */

#endif
