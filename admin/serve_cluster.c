/* SPDX-License-Identifier: Apache-2.0 */
/* serve_cluster.c - what nodes ask each other: signed with the cluster secret, no token. */
#include "admin/reply.h"
#include "admin/serve.h"
#include "admin/admin_server.h"
#include "admin/requests.h"
#include "cluster/revocations.h"
#include "cluster/vrrp_watch.h"
#include "gatewayd/control.h"
#include "gatewayd/ha.h"

#define RETRY_AFTER "2"

static void on_revoked(void *arg, const struct store_result *r)
{
    struct call *call = arg;

    if (r->outcome == STORE_DONE || r->outcome == STORE_UNCHANGED) {
        reply_empty(call);
    } else if (r->outcome == STORE_FULL) {
        reply_problem(call, 507, "disk-full", "%.*s", TEXT_ARGS(r->reason));
    } else {
        reply_header(call, "Retry-After", TEXT_OF(RETRY_AFTER));
        reply_problem(call, 503, "store-away", "%.*s", TEXT_ARGS(r->reason));
    }
}

void serve_take_revocations(struct call *call)
{
    struct store_revoke *revoke = arena_zalloc(&call->arena, sizeof(*revoke));
    struct store_revocation *items;

    if (!revocations_parse(builder_text(&call->body), &call->arena, &items, &revoke->count)) {
        reply_problem(call, 400, "bad-request", "The body is no list of revocations.");
        return;
    }
    revoke->items = items;
    revoke->done = on_revoked;
    revoke->arg = call;
    call_hold(call, NULL);
    store_revoke(store_get(), revoke);
}

/* ---- virtual addresses -------------------------------------------------------------------- */

/* The other node asks again at once. */
#define YIELD_MS 10000

struct yield {
    struct call *call;
    struct ha *ha;
    size_t index;
    struct loop_timer timer;
};

static void on_yielded(void *arg, bool is_yielded)
{
    struct yield *y = arg;

    loop_timer_stop(&y->timer);
    if (is_yielded) {
        reply_empty_object(y->call, 200);
    } else {
        reply_problem(y->call, 409, "kept", "This node keeps the address.");
    }
}

static void on_yield_timer(void *arg)
{
    struct yield *y = arg;

    ha_stop_yield(y->ha, y->index);
    reply_empty_object(y->call, 202);
}

static void stop_yield(struct call *call)
{
    struct yield *y = call->state;

    loop_timer_stop(&y->timer);
    ha_stop_yield(y->ha, y->index);
}

static void begin_yield(struct call *call, struct ha *ha, size_t index)
{
    struct yield *y = arena_zalloc(&call->arena, sizeof(*y));

    *y = (struct yield){ .call = call, .ha = ha, .index = index };
    call->state = y;
    loop_timer_init(&y->timer, admin_server_loop(call->server), on_yield_timer, y);
    switch (ha_yield(ha, index, on_yielded, y)) {
    case HA_YIELD_WAIT:
        loop_timer_start(&y->timer, YIELD_MS);
        call_hold(call, stop_yield);
        return;
    case HA_YIELD_NOT_HELD:
        reply_problem(call, 409, "not-held", "This node does not have the address.");
        return;
    case HA_YIELD_HOME:
        reply_problem(call, 409, "home", "The address is at home on this node, too.");
        return;
    case HA_YIELD_BUSY:
        reply_problem(call, 409, "busy", "The address is asked for by another node.");
        return;
    }
}

void serve_yield(struct call *call)
{
    struct ha *ha = control_ha(admin_server_control(call->server));
    struct requests_drain request;

    if (!requests_bind(call, &requests_drain_schema, &request, NULL)) {
        return;
    }
    size_t index = ha == NULL ? 0 : ha_find(ha, request.address);
    if (ha == NULL || index == ha_count(ha)) {
        reply_problem(call, 404, "not-found", "There is no virtual address %.*s here.",
                      TEXT_ARGS(request.address));
        return;
    }
    begin_yield(call, ha, index);
}

void serve_own_addresses(struct call *call)
{
    struct control *control = admin_server_control(call->server);

    if (control_ha(control) == NULL) {
        reply_problem(call, 404, "not-found", "This node has no virtual addresses.");
        return;
    }
    vrrp_watch_print(control_ha(control), control_state_name(control_status(control).state),
                     &call->out);
    reply_json(call, 200);
}
