/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits_port.h - what the limiter asks of whoever keeps the buckets that several nodes share.
 *
 * Where the buckets are kept in this process (the embedded store), there is no port: the limiter
 * serves them itself (limits_local.h). With a port each node takes tokens in small leases
 * (lease.h), and an ask changes the bucket as bucket.h says.
 *
 * All calls on one thread: that of the port (the store's).
 */
#ifndef GATEWAYD_POLICY_LIMITS_PORT_H
#define GATEWAYD_POLICY_LIMITS_PORT_H

#include "gatewayd/policy/bucket.h"

enum limits_outcome {
    LIMITS_ANSWERED,
    LIMITS_REFUSED, /* refused (bucket_ask was false), or lost: ask again. One lost answer is no
                       reason to divide: limits hold exactly as long as the bucket is reached */
    LIMITS_AWAY,    /* not reachable: divide */
    LIMITS_OUTCOMES
};

struct limits_answer {
    enum limits_outcome outcome;
    struct bucket_answer bucket; /* LIMITS_ANSWERED */
    uint64_t run;                /* of the server; changes when its memory was lost */
    unsigned nodes;              /* known members not gone for good, at least 1 */
};

/* The answer to one ask. Never called from within the ask. */
typedef void limits_answered_fn(void *arg, uint64_t seq, const struct limits_answer *answer);

struct limits_port;

struct limits_port_type {
    const char *name;

    /* Sends the ask and answers true; `answered` is called later on the same thread exactly once,
     * within the port's timeout. Or false: *answer_out is known at once (often LIMITS_AWAY).
     * `identity` (printable, at most 320 bytes) and `ask` are copied; the port fills in not_after
     * and the server's idea of time. */
    bool (*ask)(struct limits_port *port, struct text identity, const struct bucket_ask *ask,
                limits_answered_fn *answered, void *arg, struct limits_answer *answer_out);
};

struct limits_port {
    const struct limits_port_type *type;
};

#endif
