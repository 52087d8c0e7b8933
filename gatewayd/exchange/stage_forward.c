/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage_forward.c - sends a request to its target and the answer back: opens or borrows a
 * connection, lets the body of the request flow up, takes the head of the answer, lets its body
 * flow down. Decides what a failure means: another try, or an answer of our own.
 *
 * The stage itself only begins; everything else arrives from the loop through up_user.
 * Expect: 100-continue is not passed on: our codec asks the client for its body when that is pulled
 * the first time, which is when a connection to the upstream is there.
 */
#include "gatewayd/exchange/stage_forward.h"

#include "gatewayd/exchange/tunnel.h"
#include "gatewayd/route/outlier.h"

/* Between two lines of the log about missing resources, per worker. */
#define SHORTAGE_QUIET_MS 10000

static const struct up_user up_user;

/* ---- beginning ------------------------------------------------------------------------------ */

static void on_opened(void *key)
{
    struct target *target = key;

    target_ref(target);
    atomic_fetch_add_explicit(&target->connections, 1, memory_order_relaxed);
    metrics_add(target->metrics, METRIC_TARGET_CONNECTIONS, 1);
    metrics_add(target->metrics, METRIC_TARGET_CONNECTS, 1);
}

static void on_closed(void *key)
{
    struct target *target = key;

    metrics_sub(target->metrics, METRIC_TARGET_CONNECTIONS, 1);
    atomic_fetch_sub_explicit(&target->connections, 1, memory_order_relaxed);
    target_unref(&target);
}

/* The target may have left, or its TLS context have been replaced, since this request got its
 * configuration: what it opens is not for others then. */
static unsigned keep_idle(const struct exchange *ex)
{
    const struct generation *now = ex->all->generation;

    if (ex->generation != now && (ex->backend->slot >= now->snapshot->fleet_slots ||
                                  now->snapshot->fleets[ex->backend->slot] != ex->fleet))
        return 0;
    return (unsigned)ex->fleet->upstream->keepalive.idle;
}

static struct up_origin origin_of(const struct exchange *ex)
{
    const struct upstream *upstream = ex->fleet->upstream;

    return (struct up_origin){
        .key = ex->target,
        .address = ex->target->address,
        .tls = ex->fleet->tls,
        .server_name = upstream->tls != NULL && upstream->tls->server_name.length > 0
                           ? TEXT_EMPTY /* the context's */
                           : ex->target->host,
        .connect_timeout_ms = upstream->connect_timeout,
        .response_timeout_ms = upstream->response_timeout,
        .idle_timeout_ms = upstream->idle_timeout,
        .keep_idle = keep_idle(ex),
        .keep_timeout_ms = upstream->keepalive.timeout,
        .keep_requests = (uint64_t)upstream->keepalive.requests,
        .on_opened = on_opened,
        .on_closed = on_closed,
    };
}

/* The body of a first try is the client's; of a further one, what was kept of it and the rest. */
static void prepare_body(struct exchange *ex)
{
    struct source *source = &ex->no_body.source;

    if (!ex->has_body)
        memory_source_init(&ex->no_body, TEXT_EMPTY);
    else if (ex->kept.inner == NULL)
        kept_body_init(&ex->kept, ex->down->request_body, ex->all->buffers);
    else
        kept_body_rewind(&ex->kept);
    if (ex->has_body)
        source = &ex->kept.source;
    flow_init(&ex->request_flow, source, ex->up->request_body, stage_transform_max_body(ex));
    ex->request_flow.pipes = ex->all->pipes;
    ex->is_sending = true;
}

static void prepare_answer(struct exchange *ex)
{
    exchange_begin_response(ex, 0);
    ex->is_response_begun = false;
    ex->up->head = &ex->response;
    ex->up->arena = &ex->arena;
}

static void count_try(struct exchange *ex)
{
    ex->tries++;
    ex->sent_us = exchange_now_us(ex);
    ex->connected_us = ex->up->is_reused ? ex->sent_us : 0;
    ex->target_name = ex->target->shown;
    metrics_add(ex->fleet->metrics, METRIC_UPSTREAM_REQUESTS, 1);
    metrics_add(ex->target->metrics, METRIC_TARGET_REQUESTS, 1);
}

/* A client of HTTP/1.0 may have named no host; the upstream needs one. */
static void give_authority(struct exchange *ex)
{
    if (ex->request.authority.length == 0)
        ex->request.authority =
            ex->target->host.length > 0 ? ex->target->host : TEXT_OF("localhost");
}

enum verdict stage_forward(struct exchange *ex)
{
    struct up_origin origin = origin_of(ex);

    ex->up = up_open(ex->all->ups, &origin, ex->wants_fresh, &up_user, ex);
    ex->wants_fresh = false;
    give_authority(ex);
    count_try(ex);
    prepare_answer(ex);
    ex->up->type->send(ex->up, &ex->request);
    prepare_body(ex);
    ex->waiting_on = "upstream";
    /* Nothing of the client's body is asked for before there is somebody to send it to. */
    if (ex->up->is_reused || !ex->has_body)
        stage_forward_pump(ex);
    return ex->failure == FAILURE_NONE || ex->is_over ? VERDICT_WAIT : VERDICT_FAIL;
}

/* ---- failing -------------------------------------------------------------------------------- */

static void report_outlier(struct exchange *ex)
{
    metrics_add(ex->target->metrics, METRIC_TARGET_FAILURES, 1);
    if (!outlier_on_failure(ex->fleet, ex->target, (int64_t)loop_now_ms(ex->all->loop)))
        return;
    metrics_add(ex->target->metrics, METRIC_TARGET_EJECTIONS, 1);
    log_warn(&ex->log, "target %.*s is put out for a while: too many failures",
             TEXT_ARGS(ex->target->shown));
}

/* Nothing that the target did: it is not counted against it. An operator must act, and is told now
 * and then. */
static void report_shortage(struct exchange *ex, const char *sentence)
{
    struct exchanges *all = ex->all;
    uint64_t now = loop_now_ms(all->loop);

    metrics_add(metrics_node(), METRIC_CONNECTS_NO_RESOURCE, 1);
    all->shortages.count++;
    if (now < all->shortages.quiet_until_ms)
        return;
    log_error(&ex->log,
              "no connection to target %.*s could be made: %s (%llu since the last such line)",
              TEXT_ARGS(ex->target->shown), sentence, (unsigned long long)all->shortages.count);
    all->shortages.quiet_until_ms = now + SHORTAGE_QUIET_MS;
    all->shortages.count = 0;
}

static void count_failure(struct exchange *ex, enum up_failure failure, const char *sentence)
{
    if (failure == UP_NO_RESOURCE) {
        report_shortage(ex, sentence);
        return;
    }
    if (failure != UP_STALE)
        report_outlier(ex);
    if (failure == UP_CONNECT_REFUSED || failure == UP_CONNECT_TIMEOUT || failure == UP_TLS)
        metrics_add(ex->target->metrics, METRIC_TARGET_CONNECT_FAILURES, 1);
}

/* Everything that was sent of the body is still here. */
static bool can_send_again(const struct exchange *ex)
{
    return !ex->has_body || kept_body_can_rewind(&ex->kept);
}

static struct retry_case describe(const struct exchange *ex)
{
    const struct upstream_retries *retries = &ex->fleet->upstream->retries;

    return (struct retry_case){
        .is_idempotent = method_is_idempotent(ex->request.method),
        .is_answering = ex->is_answering,
        .can_send_again = can_send_again(ex),
        .was_fresh = !ex->up->is_reused,
        .tries_left = ex->retries < (uint64_t)retries->attempts
                          ? (unsigned)retries->attempts - ex->retries
                          : 0,
        .on = retries->on,
    };
}

static bool is_retry_paid(struct exchange *ex)
{
    if (retry_budget_try_take(exchanges_budget(ex->all, ex->backend->slot),
                              ex->fleet->upstream->retries.budget, loop_now_ms(ex->all->loop))) {
        metrics_add(ex->fleet->metrics, METRIC_UPSTREAM_RETRIES, 1);
        return true;
    }
    metrics_add(ex->fleet->metrics, METRIC_UPSTREAM_RETRIES_REFUSED, 1);
    return false;
}

static void avoid(struct exchange *ex)
{
    if (ex->tried_count < EXCHANGE_AVOIDS)
        ex->tried[ex->tried_count++] = ex->target;
}

/* The same target at once, on a connection of its own: its seat is kept. */
static void try_fresh(struct exchange *ex)
{
    struct up *up = ex->up;

    ex->up = NULL;
    up->type->release(up);
    flow_fini(&ex->request_flow);
    ex->wants_fresh = true;
    exchange_resume(ex);
}

static void try_other(struct exchange *ex)
{
    avoid(ex);
    exchange_release_upstream(ex);
    ex->retries++;
    exchange_enter(ex, STAGE_balance);
    exchange_run(ex);
}

/* True: another try was begun, or the exchange ended in it. */
static bool try_again(struct exchange *ex, const struct retry_case *c)
{
    switch (retry_decide(c)) {
    case RETRY_FRESH:
        try_fresh(ex);
        return true;
    case RETRY_OTHER:
        if (!is_retry_paid(ex))
            return false;
        try_other(ex);
        return true;
    case RETRY_NO:
        break;
    }
    return false;
}

static void on_failed(struct up *u, enum up_failure failure, const char *sentence)
{
    struct exchange *ex = exchange_of(u->owner);

    if (ex->is_answering) {
        exchange_fail(ex, failure_of_upstream(failure), "%s", sentence);
        exchange_end_badly(ex);
        return;
    }
    struct retry_case c = describe(ex);
    c.failure = failure;
    count_failure(ex, failure, sentence);
    if (try_again(ex, &c))
        return;
    exchange_fail(ex, failure_of_upstream(failure), "%.*s: %s", TEXT_ARGS(ex->target_name),
                  sentence);
    exchange_end_badly(ex);
}

/* ---- the request's body --------------------------------------------------------------------- */

static void end(struct exchange *ex)
{
    /* Inside the stage the runner goes on to respond. */
    if (!ex->is_running)
        exchange_end_badly(ex);
}

static void client_broke(struct exchange *ex)
{
    const struct down *d = ex->down;

    if (d->broken_status == 0) {
        exchange_fail(ex, FAILURE_CLIENT_GONE, "%s", "");
        if (!ex->is_answering) {
            exchange_finish(ex);
            return;
        }
    } else {
        exchange_fail(ex, failure_of_status(d->broken_status), "%s",
                      d->broken_sentence == NULL ? "" : d->broken_sentence);
        ex->sentence = d->broken_sentence;
    }
    end(ex);
}

/* The upstream takes no more of the body. If its connection is broken the codec says so from the
 * loop, or an early answer is there to be read; if not, the head could not be printed. */
static void upstream_broke(struct exchange *ex)
{
    if (socket_why(ex->up->socket) != SOCKET_OK)
        return;
    exchange_fail(ex, FAILURE_HEAD_TOO_LARGE, "the head is too large to be sent on");
    end(ex);
}

void stage_forward_pump(struct exchange *ex)
{
    if (!ex->is_sending)
        return;
    enum flow_result result = flow_run(&ex->request_flow);
    ex->is_sending = result == FLOW_WAIT;
    switch (result) {
    case FLOW_WAIT:
    case FLOW_DONE:
        return;
    case FLOW_SOURCE_BROKEN:
        client_broke(ex);
        return;
    case FLOW_SINK_BROKEN:
        upstream_broke(ex);
        return;
    case FLOW_TOO_LARGE:
        exchange_fail(ex, FAILURE_BODY_TOO_LARGE, "%llu bytes are accepted",
                      (unsigned long long)ex->request_flow.limit);
        end(ex);
        return;
    case FLOW_REFUSED:
        MUST(false);
    }
}

/* ---- the answer ----------------------------------------------------------------------------- */

static void on_connected(struct up *u)
{
    struct exchange *ex = exchange_of(u->owner);

    ex->connected_us = exchange_now_us(ex);
    stage_forward_pump(ex);
}

/* 100 is between us and the upstream: it was not asked for by the client through us. */
static void on_interim(struct up *u)
{
    struct exchange *ex = exchange_of(u->owner);

    if (u->head->status == 100 || ex->request.version == HTTP_1_0)
        return;
    ex->down->type->interim(ex->down, u->head);
}

/* A status that the upstream's `retries.on` lists. True: dealt with. */
static bool retry_status(struct exchange *ex)
{
    struct retry_case c = describe(ex);

    c.has_status = true;
    c.status = ex->response.status;
    if (ex->response.status < 500)
        return false;
    report_outlier(ex);
    return try_again(ex, &c);
}

static void dress(struct exchange *ex)
{
    const struct edits *edits = &ex->route->response_edits;

    exchange_dress_response(ex);
    if (edits_is_empty(edits))
        return;
    if (!exchange_make_room(ex, &ex->response.headers, edits->add_count) ||
        !edits_apply(edits, &ex->response.headers))
        log_warn(&ex->log, "response_headers left out: too many header fields");
}

static void on_head(struct up *u)
{
    struct exchange *ex = exchange_of(u->owner);

    ex->head_us = exchange_now_us(ex);
    metrics_observe(ex->fleet->metrics, METRIC_UPSTREAM_DURATION, ex->head_us - ex->sent_us);
    if (retry_status(ex))
        return;
    kept_body_drop(&ex->kept);
    dress(ex);
    ex->waiting_on = "client";
    if (ex->response.status == 101) {
        tunnel_start(ex);
        return;
    }
    exchange_answer(ex, false);
    flow_init(&ex->answer_flow, u->answer_body, ex->down->answer_body, UINT64_MAX);
    ex->answer_flow.pipes = ex->all->pipes;
    exchange_pump_answer(ex);
    if (!ex->is_over)
        exchange_let_go(ex);
}

static void on_body(struct up *u)
{
    struct exchange *ex = exchange_of(u->owner);

    if (ex->tunnel != NULL)
        tunnel_pump_answer(ex);
    else
        exchange_pump_answer(ex);
}

static void on_writable(struct up *u)
{
    struct exchange *ex = exchange_of(u->owner);

    if (ex->tunnel != NULL)
        tunnel_pump_request(ex);
    else
        stage_forward_pump(ex);
}

static const struct up_user up_user = {
    .on_connected = on_connected,
    .on_interim = on_interim,
    .on_head = on_head,
    .on_body = on_body,
    .on_writable = on_writable,
    .on_failed = on_failed,
};
