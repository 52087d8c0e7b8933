/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow.h - moves a body from a source to a sink, as fast as the slower side and no faster.
 *
 * Pulls what the source has, gives it to the sink, consumes what was taken; stops when the source
 * waits or the sink is full, and goes on when flow_run is called from on_body or on_writable. When
 * both sides are plain and nothing is between, large bodies are spliced by the kernel. A follower
 * looks at the bytes on their way (WebSocket frames) without changing them. Lifetime: exchange.
 */
#ifndef GATEWAYD_EXCHANGE_FLOW_H
#define GATEWAYD_EXCHANGE_FLOW_H

#include "gatewayd/http/codec.h"

enum flow_result {
    FLOW_WAIT, /* called again by on_body or on_writable */
    FLOW_DONE, /* the last byte was taken by the sink */
    FLOW_SOURCE_BROKEN,
    FLOW_SINK_BROKEN,
    FLOW_TOO_LARGE, /* more than the limit: nothing past it was passed on */
    FLOW_REFUSED,   /* the follower said no */
};

/* Looks at a piece before it is passed on; how many of its bytes may pass now (0: none), or
 * SIZE_MAX for a violation. */
typedef size_t flow_follow_fn(void *arg, struct text piece);

struct flow {
    struct source *source;
    struct sink *sink;
    uint64_t moved;         /* bytes passed on */
    uint64_t limit;         /* UINT64_MAX: none */
    flow_follow_fn *follow; /* NULL: none */
    void *follow_arg;
    struct socket_pipes *pipes; /* set after flow_init to allow splicing; NULL: copy */
    struct socket_pipe *pipe;   /* in use, or NULL */
    bool is_done;
    bool is_waiting_for_sink; /* the last run stopped because the sink was full */
};

void flow_init(struct flow *f, struct source *source, struct sink *sink, uint64_t limit);

/* Gives the pipe back. Safe on a zeroed flow. */
void flow_fini(struct flow *f);

/* Moves what can be moved now. Sources read a bounded number of times per event, so one large body
 * cannot keep the loop. Not to be called again after a result other than FLOW_WAIT. */
MUST_USE enum flow_result flow_run(struct flow *f);

#endif
