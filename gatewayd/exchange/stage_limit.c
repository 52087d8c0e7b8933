/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage_limit.c - takes tokens for a request from every limit it is under, or from none.
 */
#include "gatewayd/exchange/exchange.h"
#include "gatewayd/policy/ratelimit_fields.h"

/* The leases' own timeout, state.redis.timeout, is at most 10 s; past this something is wrong with
 * them. */
#define WAIT_MS 12000

/* All its lines, as where it is matched: a client does not choose a fresh bucket, or another's, by
 * a second line. */
static struct text find_header(void *arg, struct text name)
{
    struct exchange *ex = arg;
    struct text value;
    return headers_join(&ex->request.headers, name, &ex->arena, &value) ? value : TEXT_EMPTY;
}

/* The consumer has its plan already, or yet, while the configuration of this request is another. */
static const struct limiter_set *announced_set(struct exchange *ex)
{
    const struct limiter_set *set = NULL;

    if (ex->announced == NULL) {
        exchanges_enter_turn(ex->all);
        ex->announced = plan_board_take(ex->all->plans);
    }
    return plan_sets_find(ex->announced, ex->credential.plan_id, &set) ? set : NULL;
}

static const struct limiter_set *plan_set(struct exchange *ex)
{
    const struct limiter_set *set = NULL;

    if (!ex->has_credential || !ex->route->route->plan_limits || ex->credential.plan_id == 0)
        return NULL;
    if (LIKELY(plan_sets_find(ex->generation->plans, ex->credential.plan_id, &set)))
        return set;
    return announced_set(ex);
}

static enum limiter_verdict take(struct exchange *ex, const struct limiter_set *plan,
                                 struct limiter_result *result)
{
    const struct clock *clock = &ex->all->loop->clock;
    struct limiter_request request = {
        .route = ex->route->policy,
        .plan = plan,
        .who = { .client = &ex->client, .header = find_header, .arg = ex },
        .wait = &ex->limit_wait,
    };

    request.who.route = ex->route->route->name;
    if (ex->has_credential) {
        request.who.consumer = ex->credential.consumer;
        request.who.key = text_of(ex->credential.id);
    }
    exchanges_enter_turn(ex->all);
    return limiter_take(ex->all->limiter, ex->all->worker, &request,
                        (struct limiter_now){ (int64_t)clock_read_ns(), clock_wall_ms(clock) },
                        &ex->arena, result);
}

static bool remember_fields(struct exchange *ex, const struct limiter_result *result)
{
    struct ratelimit_fields fields;

    if (!ratelimit_fields_print(result, &ex->arena, &fields))
        return false;
    ex->ratelimit = (struct exchange_ratelimit){ fields.policy, fields.limit, fields.retry_after };
    return true;
}

static enum verdict deny(struct exchange *ex, const struct limiter_result *result)
{
    metrics_add(metrics_node(), METRIC_LIMITED, 1);
    metrics_add(ex->route->metrics, METRIC_ROUTE_LIMITED, 1);
    exchange_begin_response(ex, 429);
    exchange_add_response_header(ex, HEADER_RETRY_AFTER, ex->ratelimit.retry_after);
    return exchange_fail(ex, FAILURE_LIMITED, "%.*s", TEXT_ARGS(result->denied->name));
}

enum verdict stage_limit(struct exchange *ex)
{
    const struct limiter_set *plan = plan_set(ex);
    struct limiter_result result;

    if (ex->route->policy == NULL && plan == NULL)
        return VERDICT_NEXT;
    enum limiter_verdict verdict = take(ex, plan, &result);
    if (verdict == LIMITER_WAIT) {
        ex->waiting_on = "limits";
        if (!loop_timer_is_started(&ex->timer))
            loop_timer_start(&ex->timer, WAIT_MS);
        return VERDICT_WAIT;
    }
    if (ex->route->route->timeout == 0)
        loop_timer_stop(&ex->timer);
    if (!remember_fields(ex, &result))
        return exchange_fail(ex, FAILURE_GATEWAY_LIMIT, "limits");
    return verdict == LIMITER_DENIED ? deny(ex, &result) : VERDICT_NEXT;
}
