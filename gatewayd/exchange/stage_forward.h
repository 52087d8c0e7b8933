/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage_forward.h - what the forward stage and those that feed it share.
 */
#ifndef GATEWAYD_EXCHANGE_STAGE_FORWARD_H
#define GATEWAYD_EXCHANGE_STAGE_FORWARD_H

#include "gatewayd/exchange/exchange.h"

/* Lets the body of the request flow on; the exchange may be over after. Nothing if there is no
 * upstream to send it to. */
void stage_forward_pump(struct exchange *ex);

/* The largest body this request may have. */
uint64_t stage_transform_max_body(const struct exchange *ex);

#endif
