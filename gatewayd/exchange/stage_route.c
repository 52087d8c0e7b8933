/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage_route.c - finds the route that takes a request.
 */
#include "gatewayd/exchange/exchange.h"

/* OPTIONS *: about the gateway itself. */
static enum verdict answer_for_all(struct exchange *ex)
{
    exchange_begin_response(ex, 204);
    return VERDICT_REPLY;
}

static enum verdict refuse_method(struct exchange *ex)
{
    enum verdict verdict =
        exchange_fail(ex, FAILURE_METHOD_NOT_ALLOWED, "%.*s", TEXT_ARGS(ex->request.method_name));
    exchange_begin_response(ex, 405);
    exchange_add_response_header(ex, HEADER_ALLOW, ex->match.allow);
    return verdict;
}

static enum verdict take(struct exchange *ex)
{
    ex->route = ex->match.route;
    ex->route_name = ex->route->route->name;
    if (ex->request.has_encoded_slash &&
        ex->route->route->encoded_slash == ROUTE_ENCODED_SLASH_REFUSE)
        return exchange_fail(ex, FAILURE_ENCODED_SLASH, "%s", "");
    if (ex->route->route->timeout > 0)
        loop_timer_start(&ex->timer, (uint64_t)ex->route->route->timeout);
    return VERDICT_NEXT;
}

enum verdict stage_route(struct exchange *ex)
{
    if (ex->all->generation == NULL)
        return exchange_fail(ex, FAILURE_NOT_READY, "%s", "");
    if (ex->request.target_form == TARGET_ASTERISK)
        return answer_for_all(ex);
    ex->generation = generation_use(ex->all->generation);
    switch (router_match(ex->generation->snapshot->router, &ex->request, &ex->arena, &ex->match)) {
    case ROUTER_FOUND:
        return take(ex);
    case ROUTER_NO_ROUTE:
        return exchange_fail(ex, FAILURE_NO_ROUTE, "%s", "");
    case ROUTER_NO_METHOD:
        return refuse_method(ex);
    case ROUTER_GAVE_UP:
        break;
    }
    return exchange_fail(ex, FAILURE_PATTERN_COST, "%s", "");
}
