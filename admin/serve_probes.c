/* SPDX-License-Identifier: Apache-2.0 */
/* serve_probes.c - what needs no token: liveness, readiness, numbers, the description of the API.
 */
#include "admin/admin_server.h"
#include "admin/openapi.h"
#include "admin/reply.h"
#include "admin/serve.h"
#include "gatewayd/core/metrics.h"

#define PIECE      16384
#define PLAIN_TEXT "text/plain; charset=utf-8"

void serve_livez(struct call *call)
{
    builder_add(&call->out, TEXT_OF("ok\n"));
    reply_content(call, 200, PLAIN_TEXT);
}

void serve_readyz(struct call *call)
{
    struct control_status status = control_status(admin_server_control(call->server));

    builder_addf(&call->out, "%s\n", control_state_name(status.state));
    if (!status.is_ready) {
        reply_header(call, "Retry-After", TEXT_OF("1"));
    }
    reply_content(call, status.is_ready ? 200 : 503, PLAIN_TEXT);
}

static void free_metrics(struct call *call)
{
    metrics_page_fini(call->state);
}

static bool produce_metrics(struct call *call, struct builder *b)
{
    return metrics_page_print(call->state, PIECE, b);
}

void serve_metrics(struct call *call)
{
    struct metrics_page *page = arena_alloc(&call->arena, sizeof(*page));

    metrics_page_init(page);
    call->state = page;
    call->on_free = free_metrics;
    reply_stream_content(call, 200, "text/plain; version=0.0.4; charset=utf-8", produce_metrics);
}

void serve_openapi(struct call *call)
{
    openapi_print(&call->out);
    reply_content(call, 200, "application/yaml");
}
