/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listen_private.h - between the table, the budget and the acceptors.
 */
#ifndef GATEWAYD_NET_LISTEN_PRIVATE_H
#define GATEWAYD_NET_LISTEN_PRIVATE_H

#include "gatewayd/net/listen.h"

/* Connections that the kernel queues for one descriptor. */
#define LISTEN_BACKLOG 4096

static inline bool listen_is_unix(const struct address *a)
{
    return a->any.sa_family == AF_UNIX;
}

/* False: all are in use. */
MUST_USE bool listen_budget_try_take(struct listen_budget *b);

/* No handshake begins on a listening TCP socket; where filters are refused (listen_hold.c). */
void listen_hold_by_hops(int fd);

/* A connection that was accepted, perhaps from such a socket. Any thread; free before the first. */
void listen_hold_take_over(int fd);

#endif
