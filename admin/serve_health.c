/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve_health.c - every target of an upstream as each node sees it: this one at once, the others
 * are asked; who cannot be asked in time is named.
 */
#include "admin/admin_server.h"
#include "admin/ask_nodes.h"
#include "admin/reply.h"
#include "admin/serve.h"
#include "cluster/store.h"
#include "gatewayd/health.h"

struct printing {
    struct builder *b;
    struct text node;
    bool is_first;
};

static void add_text(struct builder *b, const char *name, struct text value)
{
    builder_addf(b, ",\"%s\":", name);
    builder_add_json(b, value);
}

static void print_report(void *arg, const struct health_report *r)
{
    struct printing *p = arg;
    struct builder *b = p->b;
    char time[TEXT_NUMBER_SIZE];

    builder_add(b, p->is_first ? TEXT_OF("\n {\"address\":") : TEXT_OF(",\n {\"address\":"));
    p->is_first = false;
    builder_add_json(b, r->address);
    if (!text_is_empty(r->resolved)) {
        add_text(b, "resolved", r->resolved);
    }
    add_text(b, "node", p->node);
    builder_addf(b, ",\"state\":\"%s\"", r->state);
    if (r->since != 0) {
        text_print_time(r->since, time);
        builder_addf(b, ",\"since\":\"%s\"", time);
    }
    if (!text_is_empty(r->because)) {
        add_text(b, "because", r->because);
    }
    builder_addf(b,
                 ",\"weight\":%u,\"backup\":%s,\"drain\":%s,\"in_flight\":%u,\"connections\":%u,"
                 "\"requests\":%llu,\"failures\":%llu}",
                 r->weight, r->is_backup ? "true" : "false", r->is_drained ? "true" : "false",
                 r->in_flight, r->connections, (unsigned long long)r->requests,
                 (unsigned long long)r->failures);
}

/* False: replied 404. */
static bool print_own(struct call *call, struct text name)
{
    struct control *control = admin_server_control(call->server);
    const struct snapshot *snapshot = control_snapshot(control);
    const struct clock *clock = &admin_server_loop(call->server)->clock;
    const struct fleet *fleet = snapshot == NULL ? NULL : snapshot_find_fleet(snapshot, name);
    struct printing p = { &call->out, control_node(control)->node, true };

    if (fleet == NULL &&
        resources_find(store_resources(store_get()), RESOURCE_UPSTREAM, name) == NULL) {
        reply_problem(call, 404, "not-found", "There is no upstream %.*s.", TEXT_ARGS(name));
        return false;
    }
    builder_add(&call->out, TEXT_OF("{\"upstream\":"));
    builder_add_json(&call->out, name);
    builder_add(&call->out, TEXT_OF(",\"items\":["));
    if (fleet != NULL) {
        const struct health_view view = { fleet, control_names(control), (int64_t)clock_ms(clock),
                                          clock_wall_ms(clock) };

        health_each(&view, print_report, &p);
    }
    return true;
}

void serve_own_health(struct call *call)
{
    if (print_own(call, call_variable(call, "name"))) {
        builder_add(&call->out, TEXT_OF("]}"));
        reply_json(call, 200);
    }
}

void serve_health(struct call *call)
{
    struct text name = call_variable(call, "name");

    if (print_own(call, name)) {
        ask_nodes_reply(
            call, arena_print(&call->arena, "/v1/cluster/upstreams/%.*s/health", TEXT_ARGS(name)));
    }
}
