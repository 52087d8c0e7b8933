/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage_balance.c - chooses the upstream and the target of a request. Nobody in service: 503 at
 * once.
 */
#include "gatewayd/exchange/exchange.h"
#include "gatewayd/http/cookie.h"

/* What the upstream's hash_on says of this request. False: it has none of it. */
static bool find_hash_text(struct exchange *ex, char *memory, struct text *text_out)
{
    const struct upstream *upstream = ex->fleet->upstream;

    switch (upstream->hash_what) {
    case UPSTREAM_HASH_CONSUMER:
        if (ex->has_credential) {
            *text_out = ex->credential.consumer;
            return true;
        }
        break;
    case UPSTREAM_HASH_CLIENT_IP:
        break;
    case UPSTREAM_HASH_PATH:
        *text_out = ex->path;
        return true;
    case UPSTREAM_HASH_HEADER:
        return headers_join(&ex->request.headers, upstream->hash_name, &ex->arena, text_out);
    case UPSTREAM_HASH_COOKIE:
        return cookie_find(&ex->request.headers, upstream->hash_name, text_out);
    }
    *text_out = address_print_ip(&ex->client, memory);
    return true;
}

static void find_hash(struct exchange *ex, struct balancer_ask *ask)
{
    char memory[ADDRESS_TEXT_SIZE];
    struct text text;

    if (ex->fleet->upstream->balance != UPSTREAM_HASH)
        return;
    ask->has_key = find_hash_text(ex, memory, &text);
    if (ask->has_key)
        ask->key = text_hash_stable(text);
}

static void choose_fleet(struct exchange *ex)
{
    if (ex->backend != NULL)
        return;
    ex->backend = route_piece_pick(ex->route, balancer_random_next(&ex->all->random));
    ex->fleet = snapshot_fleet(ex->generation->snapshot, ex->backend->slot);
    ex->upstream_name = ex->fleet->name;
    retry_budget_on_request(exchanges_budget(ex->all, ex->backend->slot),
                            ex->fleet->upstream->retries.budget, loop_now_ms(ex->all->loop));
}

static enum verdict none(struct exchange *ex, enum failure failure)
{
    metrics_add(ex->fleet->metrics, METRIC_UPSTREAM_NO_TARGET, 1);
    return exchange_fail(ex, failure, "%.*s", TEXT_ARGS(ex->upstream_name));
}

enum verdict stage_balance(struct exchange *ex)
{
    choose_fleet(ex);
    struct balancer_ask ask = {
        .worker = ex->all->worker,
        .now = (int64_t)loop_now_ms(ex->all->loop),
        .random = &ex->all->random,
        .avoid_count = ex->tried_count,
    };
    memcpy(ask.avoid, ex->tried, sizeof(ex->tried[0]) * ex->tried_count);
    find_hash(ex, &ask);
    MUST(ex->target == NULL);
    switch (balancer_pick(ex->fleet, &ask, &ex->target)) {
    case BALANCER_PICKED:
        return VERDICT_NEXT;
    case BALANCER_NO_TARGET:
        return none(ex, FAILURE_NO_TARGET);
    case BALANCER_ALL_DOWN:
        return none(ex, FAILURE_TARGETS_DOWN);
    case BALANCER_ALL_FULL:
        break;
    }
    return none(ex, FAILURE_TARGETS_FULL);
}
