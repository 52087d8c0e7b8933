/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve_health.c - every target of an upstream as each node sees it: this one at once, the others
 * are asked; who cannot be asked in time is named.
 */
#include "admin/admin_server.h"
#include "admin/reply.h"
#include "admin/serve.h"
#include "cluster/cluster.h"
#include "cluster/members.h"
#include "cluster/peer_client.h"
#include "cluster/store.h"
#include "conf/read_json.h"
#include "gatewayd/health.h"

#define NODES_MOST  64
#define ASK_MS      1000
#define SILENT_MOST 65536

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
    add_text(b, "resolved", r->resolved);
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
        health_each(fleet, (int64_t)clock_ms(clock), clock_wall_ms(clock), print_report, &p);
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

/* ---- the other nodes' views --------------------------------------------------------------- */

struct asking;

/* One node that is asked. */
struct asked {
    struct asking *asking;
    struct text node;
    struct peer_call *call;
};

struct asking {
    struct call *call;
    struct asked nodes[NODES_MOST];
    size_t count;
    size_t waiting;
    struct builder silent; /* those who could not be asked, as JSON */
    bool has_items;
};

static void add_silent(struct asking *a, struct text node, struct text because)
{
    builder_add(&a->silent, a->silent.length == 0 ? TEXT_OF("{\"node\":") : TEXT_OF(",{\"node\":"));
    builder_add_json(&a->silent, node);
    add_text(&a->silent, "because", because);
    builder_add_byte(&a->silent, '}');
}

/* What stands between the brackets of "items" in the other node's answer. */
static bool find_items(struct text body, struct text *items_out)
{
    static const struct text mark = TEXT("\"items\":[");
    char *at = memmem(body.at, body.length, mark.at, mark.length);
    struct arena arena;
    struct problems ps;
    struct doc doc;

    arena_init(&arena, SIZE_MAX);
    problems_init(&ps);
    bool is_json =
        at != NULL && text_ends_with(body, TEXT_OF("]}")) && read_json(body, &arena, &ps, &doc);
    problems_fini(&ps);
    arena_reset(&arena);
    if (!is_json) {
        return false;
    }
    *items_out =
        text_from(at + mark.length, (size_t)(body.at + body.length - at) - mark.length - 2);
    return true;
}

static void take_answer(struct asking *a, struct text node, const struct peer_answer *answer)
{
    struct text items;

    if (answer->status == 200 && find_items(answer->body, &items)) {
        if (a->has_items && !text_is_empty(items)) {
            builder_add_byte(&a->call->out, ',');
        }
        a->has_items |= !text_is_empty(items);
        builder_add(&a->call->out, items);
    } else if (answer->status == 404) {
        add_silent(a, node, TEXT_OF("it does not know this upstream yet"));
    } else if (answer->status == 401) {
        add_silent(a, node,
                   TEXT_OF("it does not take our signature: do the secrets or clocks differ?"));
    } else {
        add_silent(a, node,
                   answer->status == 0 ? answer->reason : TEXT_OF("it answered with an error"));
    }
}

static void finish(struct asking *a)
{
    struct call *call = a->call;

    builder_add_byte(&call->out, ']');
    if (a->silent.length > 0) {
        builder_addf(&call->out, ",\"unreachable\":[%.*s]", TEXT_ARGS(builder_text(&a->silent)));
    }
    builder_add_byte(&call->out, '}');
    reply_json(call, 200);
}

static void on_answered(void *arg, const struct peer_answer *answer)
{
    struct asked *asked = arg;
    struct asking *a = asked->asking;

    asked->call = NULL;
    take_answer(a, asked->node, answer);
    if (--a->waiting == 0) {
        finish(a);
    }
}

static void stop_asking(struct call *call)
{
    struct asking *a = call->state;

    for (size_t i = 0; i < a->count; i++) {
        peer_call_stop(&a->nodes[i].call);
    }
}

static void free_asking(struct call *call)
{
    struct asking *a = call->state;

    builder_fini(&a->silent);
}

static void ask(struct asking *a, const struct members_view *view, struct text path)
{
    const struct cluster *cluster = cluster_get();
    struct asked *asked = &a->nodes[a->count];
    struct text node = arena_copy(&a->call->arena, view->member.name);

    if (cluster->peers == NULL) {
        add_silent(a, node, TEXT_OF("nodes cannot ask each other without cluster.secret_file"));
        return;
    }
    *asked = (struct asked){ .asking = a, .node = node };
    struct peer_request request = {
        .to = node,
        .address = view->member.address,
        .is_tls = view->member.is_tls,
        .method = METHOD_GET,
        .path = path,
        .timeout_ms = ASK_MS,
    };
    a->count++;
    a->waiting++;
    asked->call = peer_client_call(cluster->peers, &request, on_answered, asked);
}

static void ask_others(struct asking *a, struct text name)
{
    const struct members *members = cluster_get()->members;
    struct text path =
        arena_print(&a->call->arena, "/v1/cluster/upstreams/%.*s/health", TEXT_ARGS(name));
    struct members_view view;
    struct text after = TEXT_EMPTY;

    while (members != NULL && a->count < NODES_MOST && members_next(members, after, &view)) {
        after = view.member.name;
        if (!view.is_self) {
            ask(a, &view, path);
        }
    }
}

void serve_health(struct call *call)
{
    struct asking *a = arena_zalloc(&call->arena, sizeof(*a));
    struct text name = call_variable(call, "name");

    if (!print_own(call, name)) {
        return;
    }
    a->call = call;
    a->has_items = call->out.at[call->out.length - 1] != '[';
    builder_init(&a->silent, SILENT_MOST);
    call->state = a;
    call->on_free = free_asking;
    ask_others(a, name);
    if (a->waiting == 0) {
        finish(a);
        return;
    }
    call_hold(call, stop_asking);
}
