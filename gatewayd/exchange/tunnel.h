/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel.h - a WebSocket that both sides agreed on (101): bytes both ways, frame headers followed,
 * so that a close can be put in between two frames: 1001 when the node goes away, 1008 when the key
 * was revoked. Nothing said for idle_timeout ends it too.
 *
 * Lifetime: exchange; in its arena.
 */
#ifndef GATEWAYD_EXCHANGE_TUNNEL_H
#define GATEWAYD_EXCHANGE_TUNNEL_H

#include "gatewayd/exchange/exchange.h"

/* ex->response is the upstream's 101. The exchange may be over after. */
void tunnel_start(struct exchange *ex);
void tunnel_fini(struct exchange *ex); /* safe without a tunnel */

/* There are bytes, or room, on that way. The exchange may be over after. */
void tunnel_pump_request(struct exchange *ex);
void tunnel_pump_answer(struct exchange *ex);

/* Closes politely: because of the key, or because the node goes away. */
void tunnel_end(struct exchange *ex);
void tunnel_on_timer(struct exchange *ex);

#endif
