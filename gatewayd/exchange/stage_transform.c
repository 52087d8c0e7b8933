/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage_transform.c - makes of the request that came the one that is sent on: path and host, who
 * sent it, which hops it took; checks that its body may be that large.
 */
#include "gatewayd/exchange/stage_forward.h"
#include "gatewayd/http/traceparent.h"

/* Fields that are added beside the route's own: five of the hop, request id, consumer, trace. */
#define FIELDS_ADDED 12

uint64_t stage_transform_max_body(const struct exchange *ex)
{
    int64_t of_route = ex->route->route->max_body;
    return of_route < 0 ? ex->all->settings.body_bytes : (uint64_t)of_route;
}

static bool is_body_too_large(const struct exchange *ex)
{
    return ex->request.framing == BODY_LENGTH &&
           ex->request.body_length > stage_transform_max_body(ex);
}

static bool replace(struct headers *headers, enum header_id id, struct text value)
{
    if (headers_has(headers, id))
        headers_remove(headers, id);
    return headers_add(headers, id, header_id_name(id), value);
}

/* Passed on if it is one, else begun. */
static bool apply_trace(struct exchange *ex)
{
    struct headers *headers = &ex->request.headers;

    if (headers_find(headers, HEADER_TRACEPARENT) != NULL && ex->trace_id.length > 0)
        return true;
    char *memory = arena_try_alloc(&ex->arena, TRACEPARENT_SIZE);
    if (memory == NULL)
        return false;
    struct text begun = traceparent_print_new(memory);
    ex->trace_id = text_from(begun.at + 3, 32);
    headers_remove(headers, HEADER_TRACESTATE);
    return replace(headers, HEADER_TRACEPARENT, begun);
}

static bool apply_hop(struct exchange *ex)
{
    const struct down_peer *peer = ex->down->peer;
    char *memory = arena_try_alloc(&ex->arena, ADDRESS_TEXT_SIZE);
    if (memory == NULL)
        return false;
    struct forwarded_hop hop = {
        .peer_ip = peer->peer.any.sa_family == AF_UNIX ? TEXT_EMPTY
                                                       : address_print_ip(&peer->peer, memory),
        .peer_is_trusted = peer->is_trusted,
        .is_tls = peer->is_tls,
        .authority = ex->request.authority,
        .node = ex->all->settings.node,
        .version = ex->request.version,
    };
    return forwarded_apply(&ex->request.headers, &hop, &ex->arena);
}

static bool apply_consumer(struct exchange *ex)
{
    struct headers *headers = &ex->request.headers;

    if (headers_has(headers, HEADER_X_CONSUMER))
        headers_remove(headers, HEADER_X_CONSUMER);
    if (!ex->has_credential)
        return true;
    return headers_add(headers, HEADER_X_CONSUMER, header_id_name(HEADER_X_CONSUMER),
                       ex->credential.consumer);
}

/* The codec of our side asks the client to go on by itself when its body is pulled. */
static void drop_expectation(struct exchange *ex)
{
    if (headers_has(&ex->request.headers, HEADER_EXPECT))
        headers_remove(&ex->request.headers, HEADER_EXPECT);
}

static bool change_headers(struct exchange *ex)
{
    struct headers *headers = &ex->request.headers;

    drop_expectation(ex);
    headers_remove_lookalikes(headers);
    return exchange_make_room(ex, headers, FIELDS_ADDED + ex->route->request_edits.add_count) &&
           apply_hop(ex) && apply_consumer(ex) && apply_trace(ex) &&
           replace(headers, HEADER_X_REQUEST_ID, ex->request_id) &&
           edits_apply(&ex->route->request_edits, headers);
}

enum verdict stage_transform(struct exchange *ex)
{
    if (is_body_too_large(ex))
        return exchange_fail(ex, FAILURE_BODY_TOO_LARGE, "%llu bytes",
                             (unsigned long long)ex->request.body_length);
    if (!change_headers(ex) || !route_piece_rewrite(ex->route, &ex->match, ex->request.path,
                                                    &ex->arena, &ex->request.path))
        return exchange_fail(ex, FAILURE_GATEWAY_LIMIT, "request");
    if (ex->route->rewrite_host.length > 0)
        ex->request.authority = ex->route->rewrite_host;
    return VERDICT_NEXT;
}
