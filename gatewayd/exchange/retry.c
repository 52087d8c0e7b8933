/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry.c - whether a request that failed may be sent again.
 */
#include "gatewayd/exchange/retry.h"

static uint32_t reason_of_status(unsigned status)
{
    switch (status) {
    case 502:
        return UPSTREAM_RETRY_502;
    case 503:
        return UPSTREAM_RETRY_503;
    case 504:
        return UPSTREAM_RETRY_504;
    default:
        return 0;
    }
}

static uint32_t reason_of_failure(enum up_failure failure)
{
    switch (failure) {
    case UP_NO_RESOURCE: /* ports may be left towards another target */
    case UP_CONNECT_REFUSED:
    case UP_CONNECT_TIMEOUT:
    case UP_TLS:
        return UPSTREAM_RETRY_CONNECT;
    case UP_STALE:
    case UP_RESET:
        return UPSTREAM_RETRY_RESET;
    case UP_MALFORMED:
        return UPSTREAM_RETRY_502;
    case UP_TIMEOUT:
        return UPSTREAM_RETRY_504;
    case UP_TRUNCATED:
    case UP_IDLE:
        return 0;
    }
    return 0;
}

uint32_t retry_reason(const struct retry_case *c)
{
    return c->has_status ? reason_of_status(c->status) : reason_of_failure(c->failure);
}

/* The upstream cannot have acted on the request. */
static bool is_unread(const struct retry_case *c)
{
    if (c->has_status)
        return false;
    return c->failure == UP_STALE || reason_of_failure(c->failure) == UPSTREAM_RETRY_CONNECT;
}

enum retry retry_decide(const struct retry_case *c)
{
    if (c->is_answering || !c->can_send_again)
        return RETRY_NO;
    if (!c->has_status && c->failure == UP_STALE && !c->was_fresh)
        return RETRY_FRESH;
    if (!c->is_idempotent && !is_unread(c))
        return RETRY_NO;
    if (c->tries_left == 0 || (c->on & retry_reason(c)) == 0)
        return RETRY_NO;
    return RETRY_OTHER;
}

/* ---- the budget ----------------------------------------------------------------------------- */

static void fill_by_time(struct retry_budget *b, uint64_t now_ms)
{
    uint32_t second = (uint32_t)(now_ms / 1000);

    if (!b->is_filled) {
        b->is_filled = true;
        b->hundredths = RETRY_BUDGET_FLOOR;
        b->second = second;
        return;
    }
    uint32_t passed = second - b->second;
    b->second = second;
    if (b->hundredths >= RETRY_BUDGET_FLOOR || passed == 0)
        return;
    uint64_t filled = b->hundredths + (uint64_t)passed * 100;
    b->hundredths = filled < RETRY_BUDGET_FLOOR ? (uint32_t)filled : RETRY_BUDGET_FLOOR;
}

void retry_budget_on_request(struct retry_budget *b, int64_t percent, uint64_t now_ms)
{
    fill_by_time(b, now_ms);
    b->hundredths += (uint32_t)percent;
    if (b->hundredths > RETRY_BUDGET_MOST)
        b->hundredths = RETRY_BUDGET_MOST;
}

bool retry_budget_try_take(struct retry_budget *b, int64_t percent, uint64_t now_ms)
{
    if (percent == 0)
        return false;
    fill_by_time(b, now_ms);
    if (b->hundredths < 100)
        return false;
    b->hundredths -= 100;
    return true;
}
