/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel.c - a WebSocket in both directions.
 *
 * While it closes, each direction goes on to the end of the frame it is in; there the close frame
 * is put in and nothing follows it. When both have it, the exchange is over.
 *
 * Who sends a malformed frame is closed with 1002, the other side with 1001. If a part of the wrong
 * header was passed on already, no frame fits behind it: that side sees the connection end (1006).
 */
#include "gatewayd/exchange/tunnel.h"

#include "gatewayd/http/websocket.h"

/* How long a frame that is on its way when a close is wanted may take to end. */
#define CLOSE_MS 5000

struct direction {
    struct websocket ws;
    struct flow *flow;
    uint64_t followed; /* bytes whose frames were followed; some may not have been moved yet */
    unsigned code;     /* of the close frame that will be put in; 0: none */
    bool is_refused;   /* the next frame is malformed: nothing of it passes */
    bool is_closing;   /* the close frame is being written, or was, or none fits */
    struct text close_left;
    char close[WEBSOCKET_CLOSE_SIZE];
};

struct tunnel {
    struct direction request;
    struct direction answer;
    int64_t idle_ms;
    uint64_t deadline_ms; /* of the whole exchange, on the loop's clock; 0: none */
    const char *reason;   /* why it closes; NULL: it does not */
};

/* ---- following ------------------------------------------------------------------------------ */

/* The front of the piece may have been followed before, when the sink did not take it. */
static size_t follow(void *arg, struct text piece)
{
    struct direction *d = arg;
    bool is_ending = d->code != 0;
    size_t ahead = (size_t)(d->followed - d->flow->moved);
    size_t used = 0;

    if (ahead >= piece.length)
        return piece.length;
    if (is_ending && websocket_is_at_boundary(&d->ws))
        return ahead;
    bool is_right = websocket_follow(&d->ws, text_skip(piece, ahead), is_ending, &used);
    d->followed += used;
    if (!is_right && ahead + used == 0)
        return SIZE_MAX;
    return ahead + used;
}

static void start_direction(struct direction *d, enum websocket_sender sender, struct flow *flow,
                            struct source *source, struct sink *sink)
{
    websocket_init(&d->ws, sender);
    flow_init(flow, source, sink, UINT64_MAX);
    flow->follow = follow;
    flow->follow_arg = d;
    d->flow = flow;
}

/* ---- time ----------------------------------------------------------------------------------- */

static void touch(struct exchange *ex)
{
    const struct tunnel *t = ex->tunnel;
    uint64_t now = loop_now_ms(ex->all->loop);
    uint64_t ms = (uint64_t)t->idle_ms;

    if (t->reason != NULL)
        return;
    if (t->deadline_ms != 0 && now + ms > t->deadline_ms)
        ms = t->deadline_ms > now ? t->deadline_ms - now : 0;
    loop_timer_start(&ex->timer, ms);
}

/* ---- ending --------------------------------------------------------------------------------- */

static void end_sink(struct sink *sink)
{
    size_t taken;
    enum io io = sink->type->write(sink, TEXT_EMPTY, true, &taken);
    (void)io; /* a side that is gone needs no end */
}

static void end_normally(struct exchange *ex)
{
    end_sink(ex->down->answer_body);
    exchange_finish(ex);
}

static void end_with(struct exchange *ex, enum failure failure)
{
    exchange_fail(ex, failure, "%s", ex->tunnel->reason == NULL ? "" : ex->tunnel->reason);
    exchange_end_badly(ex);
}

static bool can_close(const struct direction *d)
{
    return d->flow->moved == d->followed && websocket_is_at_boundary(&d->ws);
}

/* Writes what it can of the close frame. False: that side is gone. */
static bool write_close(struct direction *d)
{
    size_t taken = 0;

    if (d->is_closing && d->close_left.length == 0)
        return true;
    enum io io = d->flow->sink->type->write(d->flow->sink, d->close_left, true, &taken);
    d->close_left = text_skip(d->close_left, taken);
    return io == IO_DONE || io == IO_AGAIN;
}

static bool is_cut_short(const struct direction *d)
{
    return d->is_refused && !websocket_is_at_boundary(&d->ws);
}

static bool close_direction(const struct tunnel *t, struct direction *d)
{
    if (!d->is_closing && !d->ws.has_closed && !is_cut_short(d)) {
        if (!can_close(d))
            return true;
        d->close_left = websocket_print_close(d->ws.sender, d->code, text_of(t->reason), d->close);
    }
    d->is_closing = true;
    return write_close(d);
}

static bool has_closed(const struct direction *d)
{
    return d->is_closing && d->close_left.length == 0;
}

static enum failure failure_of(const struct exchange *ex)
{
    if (ex->tunnel->request.is_refused || ex->tunnel->answer.is_refused)
        return FAILURE_WEBSOCKET_MALFORMED;
    if (ex->is_key_ended)
        return FAILURE_KEY_REVOKED;
    return exchange_is_draining(ex) ? FAILURE_STOPPED : FAILURE_TUNNEL_IDLE;
}

static void go_on_closing(struct exchange *ex)
{
    struct tunnel *t = ex->tunnel;

    if (!close_direction(t, &t->request) || !close_direction(t, &t->answer)) {
        end_with(ex, failure_of(ex));
        return;
    }
    if (!has_closed(&t->request) || !has_closed(&t->answer))
        return;
    exchange_fail(ex, failure_of(ex), "%s", t->reason);
    end_normally(ex);
}

/* With which code the upstream is closed, and the client. */
static void begin_closing(struct exchange *ex, unsigned up, unsigned down, const char *reason)
{
    struct tunnel *t = ex->tunnel;

    if (t->reason == NULL) {
        t->request.code = up;
        t->answer.code = down;
        t->reason = reason;
        loop_timer_start(&ex->timer, CLOSE_MS);
    }
    go_on_closing(ex);
}

static void refuse_frame(struct exchange *ex, struct direction *from)
{
    from->is_refused = true;
    if (from->ws.sender == WEBSOCKET_CLIENT)
        begin_closing(ex, WEBSOCKET_GOING_AWAY, WEBSOCKET_PROTOCOL_ERROR,
                      "the client sent a malformed frame");
    else
        begin_closing(ex, WEBSOCKET_PROTOCOL_ERROR, WEBSOCKET_GOING_AWAY,
                      "the upstream sent a malformed frame");
}

void tunnel_end(struct exchange *ex)
{
    if (ex->is_key_ended)
        begin_closing(ex, WEBSOCKET_POLICY, WEBSOCKET_POLICY, "the key was revoked");
    else
        begin_closing(ex, WEBSOCKET_GOING_AWAY, WEBSOCKET_GOING_AWAY, "the gateway goes away");
}

void tunnel_on_timer(struct exchange *ex)
{
    if (ex->tunnel->reason != NULL)
        end_with(ex, failure_of(ex));
    else
        begin_closing(ex, WEBSOCKET_GOING_AWAY, WEBSOCKET_GOING_AWAY,
                      "nothing was said for too long");
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static void pump(struct exchange *ex, struct direction *d, enum failure source, enum failure sink)
{
    touch(ex);
    if (d->is_closing || d->is_refused) {
        go_on_closing(ex);
        return;
    }
    switch (flow_run(d->flow)) {
    case FLOW_WAIT:
        if (ex->tunnel->reason != NULL)
            go_on_closing(ex);
        return;
    case FLOW_DONE:
        end_normally(ex);
        return;
    case FLOW_SOURCE_BROKEN:
        end_with(ex, source);
        return;
    case FLOW_SINK_BROKEN:
        end_with(ex, sink);
        return;
    case FLOW_REFUSED:
        refuse_frame(ex, d);
        return;
    case FLOW_TOO_LARGE:
        MUST(false);
    }
}

void tunnel_pump_request(struct exchange *ex)
{
    pump(ex, &ex->tunnel->request, FAILURE_CLIENT_GONE, FAILURE_UPSTREAM_TRUNCATED);
}

void tunnel_pump_answer(struct exchange *ex)
{
    pump(ex, &ex->tunnel->answer, FAILURE_UPSTREAM_TRUNCATED, FAILURE_CLIENT_GONE);
}

/* ---- beginning ------------------------------------------------------------------------------ */

static struct tunnel *new_tunnel(struct exchange *ex)
{
    struct tunnel *t = arena_try_alloc(&ex->arena, sizeof(*t));
    int64_t timeout = ex->route->route->timeout;

    if (t == NULL)
        return NULL;
    *t = (struct tunnel){ .idle_ms = ex->fleet->upstream->idle_timeout };
    if (timeout > 0)
        t->deadline_ms = ex->request_us / 1000 + (uint64_t)timeout;
    return t;
}

void tunnel_start(struct exchange *ex)
{
    struct tunnel *t = new_tunnel(ex);
    struct down *d = ex->down;
    struct up *u = ex->up;

    if (t == NULL) {
        exchange_fail(ex, FAILURE_GATEWAY_LIMIT, "tunnel");
        exchange_end_badly(ex);
        return;
    }
    ex->tunnel = t;
    ex->all->tunnels++;
    metrics_add(metrics_node(), METRIC_TUNNELS, 1);
    if (ex->place != NULL)
        metrics_add(ex->place, METRIC_ADDRESS_TUNNELS, 1);
    exchange_answer(ex, false);
    d->type->upgrade(d);
    u->type->upgrade(u);
    start_direction(&t->request, WEBSOCKET_CLIENT, &ex->request_flow, d->request_body,
                    u->request_body);
    start_direction(&t->answer, WEBSOCKET_SERVER, &ex->answer_flow, u->answer_body, d->answer_body);
    exchange_let_go(ex);
    if (exchange_is_draining(ex))
        loop_defer(ex->all->loop, &ex->task);
    tunnel_pump_request(ex);
    if (!ex->is_over)
        tunnel_pump_answer(ex);
}

void tunnel_fini(struct exchange *ex)
{
    if (ex->tunnel == NULL)
        return;
    ex->tunnel = NULL;
    ex->all->tunnels--;
    metrics_sub(metrics_node(), METRIC_TUNNELS, 1);
    if (ex->place != NULL)
        metrics_sub(ex->place, METRIC_ADDRESS_TUNNELS, 1);
}
