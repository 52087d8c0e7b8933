/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listen_private.h - between the table, the budget and the acceptors.
 */
#ifndef GATEWAYD_NET_LISTEN_PRIVATE_H
#define GATEWAYD_NET_LISTEN_PRIVATE_H

#include "gatewayd/net/listen.h"

/* Connections that the kernel queues for one descriptor. */
#define LISTEN_BACKLOG 4096

/* False: all are in use. */
MUST_USE bool listen_budget_try_take(struct listen_budget *b);

#endif
