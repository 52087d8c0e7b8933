/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve_explain.c - which route of the configuration in force would take a request, and why: the
 * request is taken apart as a real one, and every route is asked.
 */
#include "admin/admin_server.h"
#include "admin/reply.h"
#include "admin/requests.h"
#include "admin/serve.h"
#include "conf/print_json.h"
#include "gatewayd/http/authority.h"
#include "gatewayd/http/target.h"
#include "gatewayd/route/snapshot.h"

#define HEADERS_MAX 128
#define LOSERS_MAX  100

struct explaining {
    struct call *call;
    struct requests_explain request;
    struct request_head head;
    struct header items[HEADERS_MAX];
    const struct router_candidate *candidates;
    size_t count;
    size_t wrong_method;
};

/* ---- the request -------------------------------------------------------------------------- */

static bool add_headers(struct explaining *e)
{
    for (size_t i = 0; i < e->request.headers.count; i++) {
        const struct pair *p = &e->request.headers.items[i];

        if (!headers_add_named(&e->head.headers, p->name, p->value)) {
            return false;
        }
    }
    return true;
}

static enum refusal read_authority(struct explaining *e)
{
    const struct header *host = headers_find(&e->head.headers, HEADER_HOST);
    struct authority authority;

    if (e->head.target_form != TARGET_ABSOLUTE && host != NULL) {
        e->head.authority = host->value;
    }
    enum refusal refusal = authority_parse(e->head.authority, &e->call->arena, &authority);
    if (refusal == REFUSAL_NONE) {
        e->head.host = authority.host;
    }
    return refusal;
}

/* Without its fragment, which no client sends. */
static struct text without_fragment(struct text url)
{
    return text_first(url, text_find_byte(url, '#'));
}

static enum refusal read_request(struct explaining *e)
{
    struct request_head *head = &e->head;

    headers_init(&head->headers, e->items, HEADERS_MAX);
    head->version = HTTP_1_1;
    head->method_name = e->request.method;
    head->method = method_parse(head->method_name);
    head->target = without_fragment(e->request.url);
    MUST(add_headers(e));
    enum refusal refusal = target_parse(head, &e->call->arena);
    return refusal != REFUSAL_NONE ? refusal : read_authority(e);
}

/* ---- printing ----------------------------------------------------------------------------- */

static void add_text(struct builder *b, const char *name, struct text value)
{
    builder_addf(b, ",\"%s\":", name);
    builder_add_json(b, value);
}

static void print_request(const struct explaining *e, struct builder *b)
{
    builder_add(b, TEXT_OF(",\"request\":{\"method\":"));
    builder_add_json(b, e->head.method_name);
    add_text(b, "host", e->head.host);
    add_text(b, "path", e->head.path);
    if (e->head.has_query) {
        add_text(b, "query", e->head.query);
    }
    builder_add_byte(b, '}');
}

static void print_host(const struct rule_host *host, struct builder *b)
{
    if (host->kind == RULE_HOST_ANY) {
        return;
    }
    builder_addf(b, ",\"host\":\"%s%.*s\"", host->kind == RULE_HOST_WILDCARD ? "*." : "",
                 TEXT_ARGS(host->name));
}

/* "route":…, "because":…, "host":…, "path":… */
static void print_candidate(const struct router_candidate *c, struct builder *b)
{
    builder_add(b, TEXT_OF("\"route\":"));
    builder_add_json(b, c->route->route->name);
    add_text(b, "because", c->because);
    print_host(c->host, b);
    if (c->path->kind != RULE_PATH_ANY || c->path->written.length > 0) {
        add_text(b, "path", c->path->written);
    }
}

static void print_losers(const struct explaining *e, size_t first, struct builder *b)
{
    size_t fitting = e->count - e->wrong_method;
    size_t shown = 0;

    builder_add(b, TEXT_OF(",\"others\":["));
    for (size_t i = first; i < e->count && shown < LOSERS_MAX; i++) {
        builder_add(b, shown++ == 0 ? TEXT_OF("\n {") : TEXT_OF(",\n {"));
        print_candidate(&e->candidates[i], b);
        builder_addf(b, ",\"method_fits\":%s}", i < fitting ? "true" : "false");
    }
    builder_add_byte(b, ']');
}

/* Whose requests are counted together with this one. */
static struct text counted_for(const struct explaining *e, const struct route *route,
                               const struct limit *limit)
{
    struct arena *arena = &e->call->arena;
    const char *ip = e->request.client.length > 0 ? e->request.client.at : "that asks";

    switch (limit->by_what) {
    case LIMIT_BY_ROUTE:
        return arena_print(arena, "the route %.*s", TEXT_ARGS(route->name));
    case LIMIT_BY_CONSUMER:
    case LIMIT_BY_KEY:
        if (route->auth != NULL) {
            return arena_print(arena, "the %s that is sent", limit_by_name(limit->by_what));
        }
        break;
    case LIMIT_BY_HEADER: {
        const struct header *h = headers_find_named(&e->head.headers, limit->by_header);
        if (h != NULL) {
            return arena_print(arena, "%.*s: %.*s", TEXT_ARGS(limit->by_header),
                               TEXT_ARGS(h->value));
        }
        break;
    }
    case LIMIT_BY_IP:
        break;
    }
    return arena_print(arena, "the client %s", ip);
}

static void print_limits(const struct explaining *e, const struct route *route,
                         const struct doc *full, struct builder *b)
{
    const struct doc *limits = doc_find(full, TEXT_OF("limits"));

    builder_add(b, TEXT_OF(",\"limits\":["));
    for (size_t i = 0; limits != NULL && i < limits->list.count && i < route->limits.count; i++) {
        struct doc limit = doc_copy(&limits->list.items[i], &e->call->arena);

        doc_set(&limit, &e->call->arena, TEXT_OF("counted_for"),
                doc_text(counted_for(e, route, &route->limits.items[i])));
        if (i > 0) {
            builder_add_byte(b, ',');
        }
        print_json(&limit, b);
    }
    builder_addf(b, "],\"plan_limits\":%s",
                 route->plan_limits && route->auth != NULL ? "true" : "false");
}

static void print_member(const struct doc *full, const char *name, struct builder *b)
{
    const struct doc *value = doc_find(full, text_of(name));
    bool is_empty = value != NULL && value->type == DOC_LIST && value->list.count == 0;

    if (value != NULL && !is_empty) {
        builder_addf(b, ",\"%s\":", name);
        print_json(value, b);
    }
}

/* Where the winner sends it, and what it asks before. */
static void print_winner(const struct explaining *e, struct builder *b)
{
    static const char *const members[] = { "upstream", "split", "respond", "redirect",
                                           "rewrite",  "auth",  "timeout", "max_body" };
    const struct route_piece *piece = e->candidates[0].route;
    struct doc full = resource_full_doc(piece->resource, &e->call->arena);

    for (size_t i = 0; i < ARRAY_LENGTH(members); i++) {
        print_member(&full, members[i], b);
    }
    print_limits(e, piece->route, &full, b);
}

static void print_allow(const struct explaining *e, const struct router *router, struct builder *b)
{
    struct router_match match;

    if (router_match(router, &e->head, &e->call->arena, &match) == ROUTER_NO_METHOD) {
        add_text(b, "allow", match.allow);
    }
}

static void print_found(const struct explaining *e, const struct router *router, struct builder *b)
{
    size_t fitting = e->count - e->wrong_method;

    if (fitting > 0) {
        builder_add(b, TEXT_OF("{\"outcome\":\"route\","));
        print_candidate(&e->candidates[0], b);
    } else if (e->wrong_method > 0) {
        builder_add(b, TEXT_OF("{\"outcome\":\"method-not-allowed\",\"status\":405"));
        print_allow(e, router, b);
    } else {
        builder_add(b, TEXT_OF("{\"outcome\":\"no-route\",\"status\":404"));
    }
    print_request(e, b);
    if (fitting > 0) {
        print_winner(e, b);
    }
    print_losers(e, fitting > 0 ? 1 : 0, b);
    builder_add_byte(b, '}');
}

/* Refused before any route is looked at. */
static void print_refused(enum refusal refusal, struct builder *b)
{
    builder_addf(b, "{\"outcome\":\"refused\",\"status\":%u,\"because\":", refusal_status(refusal));
    builder_add_json(b, refusal_sentence(refusal));
    builder_add(b, TEXT_OF(",\"others\":[]}"));
}

void serve_explain(struct call *call)
{
    const struct snapshot *snapshot = control_snapshot(admin_server_control(call->server));
    struct explaining *e = arena_zalloc(&call->arena, sizeof(*e));
    struct builder *b = &call->out;

    e->call = call;
    if (!requests_bind(call, &requests_explain_schema, &e->request, NULL)) {
        return;
    }
    if (snapshot == NULL) {
        reply_header(call, "Retry-After", TEXT_OF("2"));
        reply_problem(call, 503, "starting", "No configuration is in force yet.");
        return;
    }
    enum refusal refusal = read_request(e);
    if (refusal != REFUSAL_NONE) {
        print_refused(refusal, b);
    } else if (e->head.target_form == TARGET_ASTERISK || text_equals(e->head.path, TEXT_OF("*"))) {
        builder_add(b, TEXT_OF("{\"outcome\":\"options\",\"status\":204,\"because\":"
                               "\"OPTIONS * is answered by the gateway.\",\"others\":[]}"));
    } else {
        e->candidates =
            router_explain(snapshot->router, &e->head, &call->arena, &e->count, &e->wrong_method);
        print_found(e, snapshot->router, b);
    }
    reply_json(call, 200);
}
