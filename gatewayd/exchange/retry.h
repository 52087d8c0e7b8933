/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry.h - whether a request that failed may be sent again. Pure, but for the budget, which is
 * one worker's.
 *
 * Never after the first byte of an answer was sent on. A method that is not idempotent only if
 * the upstream cannot have read the request: no connection was made, or the kept connection turned
 * out closed. A body already begun only if all that was sent of it is still here.
 */
#ifndef GATEWAYD_EXCHANGE_RETRY_H
#define GATEWAYD_EXCHANGE_RETRY_H

#include "conf/upstream.h"
#include "gatewayd/http/codec.h"

/* How a try ended. */
struct retry_case {
    bool has_status; /* a head came: .status; else .failure */
    unsigned status;
    enum up_failure failure;
    bool is_idempotent;
    bool is_answering;   /* something of an answer was sent on */
    bool can_send_again; /* no body, none of it sent, or all that was sent is kept */
    bool was_fresh;      /* the failed connection was opened for this try */
    unsigned tries_left; /* of upstream.retries.attempts */
    uint32_t on;         /* UPSTREAM_RETRY_… */
};

enum retry {
    RETRY_NO,
    RETRY_FRESH, /* at once on a new connection to the same target; no try, no budget */
    RETRY_OTHER, /* a further try, if the budget allows it */
};

enum retry retry_decide(const struct retry_case *c);

/* Which bit of `on` the end of a try belongs to; 0: none. */
uint32_t retry_reason(const struct retry_case *c);

/* ---- the budget ----------------------------------------------------------------------------- */

/* Retries are at most `percent` of requests, in hundredths of a retry; a few are there to begin
 * with and one more comes each second, so that a quiet upstream may be retried at all. */
struct retry_budget {
    uint32_t hundredths;
    uint32_t second; /* up to when it was filled */
    bool is_filled;
};

#define RETRY_BUDGET_FLOOR 1000  /* what a second fills it up to */
#define RETRY_BUDGET_MOST  10000 /* what requests fill it up to */

void retry_budget_on_request(struct retry_budget *b, int64_t percent, uint64_t now_ms);
MUST_USE bool retry_budget_try_take(struct retry_budget *b, int64_t percent, uint64_t now_ms);

#endif
