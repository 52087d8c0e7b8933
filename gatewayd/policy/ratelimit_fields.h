/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ratelimit_fields.h - RateLimit-Policy, RateLimit (draft-ietf-httpapi-ratelimit-headers-10) and
 * Retry-After, as values of header fields. Pure.
 */
#ifndef GATEWAYD_POLICY_RATELIMIT_FIELDS_H
#define GATEWAYD_POLICY_RATELIMIT_FIELDS_H

#include "gatewayd/policy/limiter.h"

struct ratelimit_fields {
    struct text policy;      /* "NAME";q=BURST;w=SECONDS, … */
    struct text limit;       /* "NAME";r=N;t=SECONDS, … */
    struct text retry_after; /* empty unless denied */
};

/* In the arena. False: no room. All empty when no limit applied: send none. */
MUST_USE bool ratelimit_fields_print(const struct limiter_result *result, struct arena *arena,
                                     struct ratelimit_fields *out);

#endif
