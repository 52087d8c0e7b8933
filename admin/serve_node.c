/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve_node.c - this node: its status, draining, replacing its binary; and the list of nodes (with
 * the embedded store it is the only one).
 */
#include "admin/admin_server.h"
#include "admin/ask_nodes.h"
#include "admin/reply.h"
#include "admin/requests.h"
#include "admin/serve.h"
#include "cluster/cluster.h"
#include "cluster/members.h"
#include "cluster/store.h"
#include "gatewayd/ha.h"

static struct control *control_of(struct call *call)
{
    return admin_server_control(call->server);
}

static void add_text(struct builder *b, const char *name, struct text value)
{
    builder_addf(b, ",\"%s\":", name);
    builder_add_json(b, value);
}

static void add_time(struct builder *b, const char *name, int64_t ms)
{
    char time[TEXT_NUMBER_SIZE];

    text_print_time(ms, time);
    builder_addf(b, ",\"%s\":\"%s\"", name, time);
}

static void add_number(struct builder *b, const char *name, uint64_t value)
{
    builder_addf(b, ",\"%s\":%llu", name, (unsigned long long)value);
}

/* ---- status ------------------------------------------------------------------------------- */

static void print_conflicts(const struct store_status *status, struct builder *b)
{
    if (status->conflict_count == 0) {
        return;
    }
    builder_add(b, TEXT_OF(",\"conflicts\":"));
    for (size_t i = 0; i < status->conflict_count; i++) {
        builder_add_byte(b, i == 0 ? '[' : ',');
        builder_add_u64(b, status->conflicts[i]);
    }
    builder_add_byte(b, ']');
}

static void print_store(struct builder *b)
{
    if (store_get() == NULL) {
        builder_add(b, TEXT_OF(",\"store\":{\"state\":\"away\"}"));
        return;
    }
    struct store_status status = store_status(store_get());
    builder_addf(b, ",\"store\":{\"kind\":\"%s\",\"state\":\"%s\"", status.kind,
                 status.is_away ? "away" : "connected");
    add_time(b, "since", status.since);
    add_number(b, "staleness_seconds", (uint64_t)status.staleness_ms / 1000);
    if (!text_is_empty(status.reason)) {
        add_text(b, "reason", status.reason);
    }
    print_conflicts(&status, b);
    builder_add_byte(b, '}');
}

static void print_vrrp(const struct ha *ha, struct builder *b)
{
    builder_add(b, TEXT_OF(",\"vrrp\":{"));
    for (size_t i = 0; i < ha_count(ha); i++) {
        struct ha_status status = ha_get(ha, i);
        builder_add(b, i == 0 ? TEXT_EMPTY : TEXT_OF(","));
        builder_add_json(b, status.address->name);
        builder_addf(b, ":\"%s\"", ha_vrrp_name(status.vrrp));
    }
    builder_add_byte(b, '}');
}

/* The virtual addresses, and what is left of each. */
static void print_addresses(const struct ha *ha, struct builder *b)
{
    if (ha == NULL) {
        return;
    }
    for (size_t i = 0; i < ha_count(ha); i++) {
        struct ha_status status = ha_get(ha, i);
        builder_addf(b, "%s{\"name\":", i == 0 ? ",\"addresses\":[" : ",");
        builder_add_json(b, status.address->name);
        add_text(b, "address", status.address->text);
        builder_addf(b, ",\"home\":%s,\"vrrp\":\"%s\"", status.address->is_home ? "true" : "false",
                     ha_vrrp_name(status.vrrp));
        if (status.vrrp_since != 0) {
            add_time(b, "since", status.vrrp_since);
        }
        builder_addf(b, ",\"phase\":\"%s\",\"weight\":%d", ha_phase_name(status.phase),
                     status.weight);
        add_number(b, "connections", status.connections);
        add_number(b, "exchanges", status.exchanges);
        add_number(b, "streams", status.streams);
        if (!text_is_empty(status.conflict)) {
            add_text(b, "conflict", status.conflict);
        }
        builder_add_byte(b, '}');
    }
    builder_add_byte(b, ']');
    print_vrrp(ha, b);
}

static void print_status(struct call *call)
{
    struct builder *b = &call->out;
    struct control_status status = control_status(control_of(call));

    builder_add(b, TEXT_OF("{\"node\":"));
    builder_add_json(b, control_node(control_of(call))->node);
    add_text(b, "version", TEXT_OF(GATEWAYD_VERSION));
    builder_addf(b, ",\"state\":\"%s\"", control_state_name(status.state));
    if (!text_is_empty(status.reason)) {
        add_text(b, "reason", status.reason);
    }
    add_number(b, "revision", status.revision);
    add_time(b, "started_at", status.started_at);
    print_store(b);
    add_number(b, "connections", status.connections);
    add_number(b, "exchanges", status.exchanges);
    add_number(b, "streams", status.streams);
    add_number(b, "memory_bytes", status.memory_bytes);
    print_addresses(control_ha(control_of(call)), b);
    builder_add_byte(b, '}');
}

void serve_status(struct call *call)
{
    struct text nodes = call_query(call, "nodes");

    if (nodes.at == NULL) {
        print_status(call);
        reply_json(call, 200);
    } else if (text_equals(nodes, TEXT_OF("all"))) {
        builder_add(&call->out, TEXT_OF("{\"items\":["));
        print_status(call);
        ask_nodes_reply(call, TEXT_OF("/v1/cluster/status"));
    } else {
        reply_problem(call, 400, "bad-parameter", "nodes can only be all, got \"%.*s\".",
                      TEXT_ARGS(nodes));
    }
}

void serve_own_status(struct call *call)
{
    builder_add(&call->out, TEXT_OF("{\"items\":["));
    print_status(call);
    builder_add(&call->out, TEXT_OF("]}"));
    reply_json(call, 200);
}

/* ---- nodes -------------------------------------------------------------------------------- */

/* Addresses that other nodes have, too. */
static void print_conflicting(const struct ha *ha, struct builder *b)
{
    bool has_one = false;

    for (size_t i = 0; i < ha_count(ha); i++) {
        struct ha_status status = ha_get(ha, i);
        if (text_is_empty(status.conflict)) {
            continue;
        }
        builder_add(b, has_one ? TEXT_OF(",") : TEXT_OF(",\"conflicts\":{"));
        builder_add_json(b, status.address->name);
        builder_add_byte(b, ':');
        builder_add_json(b, status.conflict);
        has_one = true;
    }
    builder_add(b, has_one ? TEXT_OF("}") : TEXT_EMPTY);
}

/* "NAME=master NAME=backup", as another node says it. */
static void print_said_vrrp(struct text vrrp, struct builder *b)
{
    bool has_one = false;
    struct text pair;

    while (vrrp.length > 0 && text_cut(&vrrp, ' ', &pair)) {
        size_t at = text_find_byte(pair, '=');
        builder_add(b, has_one ? TEXT_OF(",") : TEXT_OF(",\"vrrp\":{"));
        builder_add_json(b, text_first(pair, at));
        builder_add_byte(b, ':');
        builder_add_json(b, text_skip(pair, at + 1));
        has_one = true;
    }
    builder_add(b, has_one ? TEXT_OF("}") : TEXT_EMPTY);
}

/* Of this node, as it is at this moment. */
static void print_self(struct call *call)
{
    const struct node_config *node = control_node(control_of(call));
    struct control_status status = control_status(control_of(call));
    bool has_advertised = node->cluster != NULL && !text_is_empty(node->cluster->advertise);
    const char *incarnation = cluster_get()->incarnation;
    struct builder *b = &call->out;

    builder_add(b, TEXT_OF("\n {\"name\":"));
    builder_add_json(b, node->node);
    add_text(b, "incarnation",
             incarnation[0] == '\0' ? admin_server_incarnation(call->server)
                                    : text_of(incarnation));
    add_text(b, "version", TEXT_OF(GATEWAYD_VERSION));
    add_text(b, "address", has_advertised ? node->cluster->advertise : node->admin.address);
    add_time(b, "started_at", status.started_at);
    add_time(b, "last_seen", call_now(call));
    builder_addf(b, ",\"state\":\"%s\"", control_state_name(status.state));
    if (!text_is_empty(status.reason)) {
        add_text(b, "reason", status.reason);
    }
    add_number(b, "revision", status.revision);
    if (control_ha(control_of(call)) != NULL) {
        print_vrrp(control_ha(control_of(call)), b);
        print_conflicting(control_ha(control_of(call)), b);
    }
    builder_add(b, TEXT_OF(",\"self\":true"));
    if (cluster_get()->members != NULL && members_is_name_shared(cluster_get()->members)) {
        add_text(b, "warning",
                 TEXT_OF("another process serves under this name, too: give each node its own"));
    }
    builder_add_byte(b, '}');
}

static void print_other(const struct members_view *view, struct builder *b)
{
    const struct peer *m = &view->member;

    builder_add(b, TEXT_OF("\n {\"name\":"));
    builder_add_json(b, m->name);
    add_text(b, "incarnation", m->incarnation);
    add_text(b, "version", m->version);
    add_text(b, "address", m->address);
    add_time(b, "started_at", m->started_at);
    if (view->last_seen != 0) {
        add_time(b, "last_seen", view->last_seen);
    }
    add_text(b, "state", m->state);
    if (!text_is_empty(m->reason)) {
        add_text(b, "reason", m->reason);
    }
    add_number(b, "revision", m->revision);
    print_said_vrrp(m->vrrp, b);
    builder_addf(b, ",\"unseen\":%s}", view->is_unseen ? "true" : "false");
}

void serve_list_nodes(struct call *call)
{
    const struct members *members = cluster_get()->members;
    struct text own = control_node(control_of(call))->node;
    struct builder *b = &call->out;
    struct members_view view;
    struct text after = TEXT_EMPTY;
    bool is_printed = false;

    builder_add(b, TEXT_OF("{\"items\":["));
    while (members != NULL && members_next(members, after, &view)) {
        after = view.member.name;
        if (view.is_self) {
            continue;
        }
        if (!is_printed && text_compare(own, view.member.name) < 0) {
            print_self(call);
            builder_add_byte(b, ',');
            is_printed = true;
        }
        print_other(&view, b);
        builder_add_byte(b, ',');
    }
    if (!is_printed) {
        print_self(call);
    } else {
        b->length--;
    }
    builder_add(b, TEXT_OF("\n]}"));
    reply_json(call, 200);
}

static void on_removed(void *arg, bool is_done, struct text reason)
{
    struct call *call = arg;
    struct members *members = cluster_get()->members;

    if (is_done) {
        /* It may have been dropped already, by what the last look showed. */
        (void)members_remove(members, call_variable(call, "name"));
        reply_empty(call);
    } else if (text_is_empty(reason)) {
        reply_problem(call, 409, "alive", "The node %.*s came back meanwhile.",
                      TEXT_ARGS(call_variable(call, "name")));
    } else {
        reply_header(call, "Retry-After", TEXT_OF("2"));
        reply_problem(call, 503, "store-away", "Nothing was changed. %.*s", TEXT_ARGS(reason));
    }
}

void serve_delete_node(struct call *call)
{
    const struct cluster *cluster = cluster_get();
    struct text name = call_variable(call, "name");
    struct members_view view;

    if (text_equals(name, control_node(control_of(call))->node)) {
        reply_problem(call, 409, "alive", "The node %.*s is this one, and alive.", TEXT_ARGS(name));
    } else if (cluster->members == NULL || !members_find(cluster->members, name, &view)) {
        reply_problem(call, 404, "not-found", "There is no node %.*s.", TEXT_ARGS(name));
    } else if (!view.is_unseen) {
        reply_problem(call, 409, "alive", "The node %.*s is alive; stop it first.",
                      TEXT_ARGS(name));
    } else {
        call_hold(call, NULL);
        if (cluster->remove_node == NULL ||
            !cluster->remove_node(view.member.name, view.member.incarnation, on_removed, call)) {
            on_removed(call, false, TEXT_OF("This node is stopping."));
        }
    }
}

/* ---- draining ----------------------------------------------------------------------------- */

static void reply_no_listener(struct call *call, struct text address)
{
    reply_invalid(call, "/address",
                  "There is no listener and no virtual address with the address or name %.*s.",
                  TEXT_ARGS(address));
}

void serve_drain(struct call *call)
{
    struct requests_drain request;

    if (!requests_bind(call, &requests_drain_schema, &request, NULL)) {
        return;
    }
    if (!control_drain(control_of(call), request.address)) {
        reply_no_listener(call, request.address);
        return;
    }
    print_status(call);
    reply_json(call, 200);
}

void serve_undrain(struct call *call)
{
    struct text address = call_query(call, "address");

    if (!control_undrain(control_of(call), address)) {
        reply_no_listener(call, address);
        return;
    }
    reply_empty(call);
}

/* ---- replacing the binary ------------------------------------------------------------------- */

static void on_upgraded(void *arg, bool is_done, struct text words)
{
    struct call *call = arg;

    if (!is_done) {
        reply_problem(call, 500, "upgrade-failed", "This process goes on: %.*s", TEXT_ARGS(words));
        return;
    }
    builder_add(&call->out, TEXT_OF("{\"outcome\":\"replaced\""));
    add_text(&call->out, "detail", words);
    builder_add_byte(&call->out, '}');
    reply_json(call, 200);
}

void serve_upgrade(struct call *call)
{
    call_hold(call, NULL);
    switch (control_upgrade(control_of(call), on_upgraded, call)) {
    case CONTROL_UPGRADE_BEGUN:
        return;
    case CONTROL_UPGRADE_BUSY:
        reply_problem(call, 409, "upgrading", "The binary is being replaced already.");
        return;
    case CONTROL_UPGRADE_ENDING:
        reply_problem(call, 409, "ending", "This process is about to end.");
        return;
    case CONTROL_UPGRADE_STARTING:
        reply_header(call, "Retry-After", TEXT_OF("1"));
        reply_problem(call, 503, "starting", "This process is still starting.");
        return;
    }
}
