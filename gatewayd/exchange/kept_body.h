/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kept_body.h - the body of a request on its way to an upstream, with what was sent of it kept as
 * long as that is at most KEPT_BODY_MOST bytes, so that it can be sent again to another target.
 *
 * A source around the client's. Lifetime: exchange.
 */
#ifndef GATEWAYD_EXCHANGE_KEPT_BODY_H
#define GATEWAYD_EXCHANGE_KEPT_BODY_H

#include "gatewayd/http/codec.h"

#define KEPT_BODY_MOST    65536
#define KEPT_BODY_BUFFERS (KEPT_BODY_MOST / BUFFER_SIZE)

struct kept_body {
    struct source source; /* what a flow is given */
    struct source *inner;
    struct buffer_pool *buffers;
    struct buffer *kept[KEPT_BODY_BUFFERS];
    size_t length;      /* bytes kept */
    size_t at;          /* of them, those given out again */
    struct text peeked; /* what the inner source showed last */
    bool is_keeping;    /* else what was consumed is gone */
};

void kept_body_init(struct kept_body *k, struct source *inner, struct buffer_pool *buffers);

/* No further try will be made: lets go of what was kept once it was given out again. Idempotent. */
void kept_body_drop(struct kept_body *k);

/* Lets go of everything now; the source is not to be used after. Idempotent. */
void kept_body_fini(struct kept_body *k);

/* Everything consumed so far is still here. */
bool kept_body_can_rewind(const struct kept_body *k);

/* From the first byte again. */
void kept_body_rewind(struct kept_body *k);

#endif
