/* SPDX-License-Identifier: Apache-2.0 */
/* serve_cluster.c - what nodes ask each other: signed with the cluster secret, no token. */
#include "admin/reply.h"
#include "admin/serve.h"
#include "cluster/revocations.h"

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
