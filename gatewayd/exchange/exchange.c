/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange.c - the parts that stages are put together from, and the end of an exchange.
 */
#include "gatewayd/exchange/exchange.h"

#include "gatewayd/exchange/access.h"
#include "gatewayd/exchange/tunnel.h"

/* ---- fields --------------------------------------------------------------------------------- */

bool exchange_make_room(struct exchange *ex, struct headers *headers, unsigned extra)
{
    if (headers->capacity - headers->count >= extra)
        return true;
    unsigned capacity = headers->count + extra;
    struct header *items = arena_try_alloc(&ex->arena, capacity * sizeof(*items));
    if (items == NULL)
        return false;
    memcpy(items, headers->items, headers->count * sizeof(*items));
    headers->items = items;
    headers->capacity = capacity;
    return true;
}

void exchange_begin_response(struct exchange *ex, unsigned status)
{
    struct headers headers = ex->response.headers;

    headers_init(&headers, headers.items, headers.capacity);
    ex->response = (struct response_head){
        .status = status,
        .version = HTTP_1_1,
        .headers = headers,
    };
    ex->is_response_begun = true;
}

void exchange_add_response_header(struct exchange *ex, enum header_id id, struct text value)
{
    if (!headers_add(&ex->response.headers, id, header_id_name(id), value))
        log_warn(&ex->log, "%.*s left out: too many header fields", TEXT_ARGS(header_id_name(id)));
}

static void replace(struct exchange *ex, enum header_id id, struct text value)
{
    if (headers_has(&ex->response.headers, id))
        headers_remove(&ex->response.headers, id);
    exchange_add_response_header(ex, id, value);
}

void exchange_dress_response(struct exchange *ex)
{
    if (!exchange_make_room(ex, &ex->response.headers, 4))
        return;
    /* Who forwards an answer without a Date says when it came (RFC 9110 section 6.6.1). */
    if (!headers_has(&ex->response.headers, HEADER_DATE))
        exchange_add_response_header(ex, HEADER_DATE, clock_date(&ex->all->loop->clock));
    replace(ex, HEADER_X_REQUEST_ID, ex->request_id);
    if (ex->ratelimit.policy.length == 0)
        return;
    replace(ex, HEADER_RATELIMIT_POLICY, ex->ratelimit.policy);
    replace(ex, HEADER_RATELIMIT, ex->ratelimit.limit);
}

/* ---- the answer ----------------------------------------------------------------------------- */

static void count_answer(struct exchange *ex)
{
    unsigned class = ex->status / 100;

    MUST(class >= 1 && class <= 5);
    metrics_add(metrics_node(), METRIC_RESPONSES_1XX + class - 1, 1);
    if (ex->route != NULL)
        metrics_add(ex->route->metrics, METRIC_ROUTE_RESPONSES_1XX + class - 1, 1);
}

void exchange_answer(struct exchange *ex, bool close)
{
    MUST(!ex->is_answering);
    ex->is_answering = true;
    ex->status = ex->response.status;
    count_answer(ex);
    ex->down->type->answer(ex->down, &ex->response, close || exchange_is_draining(ex));
}

static void fail_answer(struct exchange *ex, enum failure failure)
{
    exchange_fail(ex, failure, "%s", "");
    ex->down->type->cut(ex->down);
    exchange_finish(ex);
}

void exchange_pump_answer(struct exchange *ex)
{
    switch (flow_run(&ex->answer_flow)) {
    case FLOW_WAIT:
        return;
    case FLOW_DONE:
        exchange_finish(ex);
        return;
    case FLOW_SOURCE_BROKEN:
        fail_answer(ex, FAILURE_UPSTREAM_TRUNCATED);
        return;
    case FLOW_SINK_BROKEN:
    case FLOW_TOO_LARGE:
    case FLOW_REFUSED:
        fail_answer(ex, FAILURE_CLIENT_GONE);
        return;
    }
}

/* ---- letting go ----------------------------------------------------------------------------- */

/* What belongs to somebody who may end before us. */
static void keep_text(struct exchange *ex, struct text *text)
{
    if (!arena_try_copy(&ex->arena, *text, text))
        *text = TEXT_EMPTY;
}

void exchange_let_go(struct exchange *ex)
{
    if (ex->generation == NULL)
        return;
    keep_text(ex, &ex->route_name);
    keep_text(ex, &ex->upstream_name);
    ex->route = NULL;
    ex->backend = NULL;
    ex->fleet = NULL;
    ex->match = (struct router_match){ 0 };
    generation_leave(&ex->generation);
    plan_sets_unref(&ex->announced);
    if (ex->has_credential && !holders_add(&ex->all->holders, &ex->holder, ex->credential.handle,
                                           clock_wall_ms(&ex->all->loop->clock))) {
        ex->is_key_ended = true;
        loop_defer(ex->all->loop, &ex->task);
    }
}

void exchange_release_upstream(struct exchange *ex)
{
    if (ex->up != NULL) {
        struct up *up = ex->up;
        ex->up = NULL;
        up->type->release(up);
    }
    flow_fini(&ex->request_flow);
    ex->is_sending = false;
    if (ex->target != NULL) {
        if (!ex->is_over)
            keep_text(ex, &ex->target_name);
        target_give(ex->target);
        target_unref(&ex->target);
    }
}

/* Where the time of a request that outlived its snapshot is counted: the route of that name now. */
static const struct route_piece *route_by_name(const struct exchange *ex)
{
    if (ex->route != NULL || ex->route_name.length == 0 || ex->all->generation == NULL)
        return ex->route;
    return snapshot_find_route(ex->all->generation->snapshot, ex->route_name);
}

static void count_end(struct exchange *ex)
{
    struct metrics_block *node = metrics_node();
    uint64_t us = exchange_now_us(ex) - ex->begun_us;
    const struct route_piece *route = route_by_name(ex);

    metrics_observe(node, METRIC_REQUEST_DURATION, us);
    metrics_add(node, METRIC_BYTES_RECEIVED, ex->request_flow.moved);
    metrics_add(node, METRIC_BYTES_SENT, ex->answer_flow.moved);
    metrics_sub(node, METRIC_EXCHANGES, 1);
    if (ex->place != NULL)
        metrics_sub(ex->place, METRIC_ADDRESS_EXCHANGES, 1);
    if (ex->failure != FAILURE_NONE)
        metrics_add_at(node, METRIC_FAILURES, ex->failure);
    if (route != NULL)
        metrics_observe(route->metrics, METRIC_ROUTE_DURATION, us);
}

static void log_failure(const struct exchange *ex)
{
    const struct failure_row *row = failure_get(ex->failure);

    LOG_AT(row->level, &ex->log, "%.*s (%.*s)", TEXT_ARGS(row->sentence), TEXT_ARGS(ex->detail));
}

void exchange_finish(struct exchange *ex)
{
    MUST(!ex->is_over);
    ex->is_over = true;
    if (ex->failure != FAILURE_NONE)
        log_failure(ex);
    access_record(ex);
    count_end(ex);
    limiter_stop_waiting(ex->all->limiter, ex->all->worker, &ex->limit_wait);
    loop_timer_stop(&ex->timer);
    loop_task_cancel(&ex->task);
    holders_remove(&ex->all->holders, &ex->holder);
    tunnel_fini(ex);
    exchange_release_upstream(ex);
    flow_fini(&ex->answer_flow);
    kept_body_fini(&ex->kept);
    if (!ex->is_released) {
        ex->is_released = true;
        ex->down->type->release(ex->down);
    }
    exchanges_give(ex->all, ex);
}
