/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory_source.h - a body that is in memory already: the gateway's own answers.
 *
 * The bytes are borrowed and must live until the body was consumed. Lifetime: exchange.
 */
#ifndef GATEWAYD_EXCHANGE_MEMORY_SOURCE_H
#define GATEWAYD_EXCHANGE_MEMORY_SOURCE_H

#include "gatewayd/http/codec.h"

struct memory_source {
    struct source source; /* what a flow is given */
    struct text rest;
};

void memory_source_init(struct memory_source *m, struct text body);

#endif
