/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage_redirect.c - says where what was asked for is.
 */
#include "gatewayd/exchange/exchange.h"

enum verdict stage_redirect(struct exchange *ex)
{
    const struct down_peer *peer = ex->down->peer;
    struct text scheme = forwarded_scheme(&ex->request.headers, peer->is_trusted, peer->is_tls);
    struct text location;

    if (!route_piece_locate(ex->route, &ex->match, &ex->request, scheme, &ex->arena, &location))
        return exchange_fail(ex, FAILURE_GATEWAY_LIMIT, "location");
    exchange_begin_response(ex, ex->route->redirect_status);
    exchange_add_response_header(ex, HEADER_LOCATION, location);
    return VERDICT_REPLY;
}
