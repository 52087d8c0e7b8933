/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_piece.c - compiling one route, and what it does to paths and locations.
 */
#include "gatewayd/route/route_piece.h"

#include "conf/base/mem.h"
#include "gatewayd/http/path.h"

static void compile_backends(struct route_piece *piece)
{
    const struct route *route = piece->route;
    size_t count = route->split.count > 0 ? route->split.count : 1;

    piece->backends = arena_zalloc(&piece->arena, count * sizeof(*piece->backends));
    if (piece->action == ROUTE_TO_UPSTREAM) {
        piece->backends[piece->backend_count++] = (struct route_backend){ route->upstream, 0, 1 };
        piece->backend_total = 1;
        return;
    }
    for (size_t i = 0; i < route->split.count; i++) {
        const struct route_split_item *item = &route->split.items[i];

        if (item->weight <= 0)
            continue;
        piece->backend_total += (uint32_t)item->weight;
        piece->backends[piece->backend_count++] =
            (struct route_backend){ item->upstream, 0, piece->backend_total };
    }
}

static void compile_page(struct route_piece *piece)
{
    const struct route_respond *respond = piece->route->respond;
    unsigned capacity = (unsigned)respond->headers.count + 1;
    struct headers *headers = &piece->page.headers;
    bool is_full = false;

    piece->page.status = (unsigned)respond->status;
    piece->page.body = respond->body;
    headers_init(headers, arena_zalloc(&piece->arena, capacity * sizeof(struct header)), capacity);
    for (size_t i = 0; i < respond->headers.count; i++) {
        const struct pair *pair = &respond->headers.items[i];

        is_full |= !headers_add_named(headers, pair->name, pair->value);
    }
    if (respond->body.length > 0 && !headers_has(headers, HEADER_CONTENT_TYPE))
        is_full |= !headers_add(headers, HEADER_CONTENT_TYPE, header_id_name(HEADER_CONTENT_TYPE),
                                TEXT_OF("text/plain; charset=utf-8"));
    MUST(!is_full);
}

/* The path is brought into the form that paths of requests have: it is sent as it stands. */
static bool compile_rewrite(struct route_piece *piece, struct builder *why)
{
    const struct route_rewrite *rewrite = piece->route->rewrite;
    struct path parsed;

    if (rewrite == NULL)
        return true;
    piece->strip_prefix = rewrite->strip_prefix;
    piece->rewrite_host = rewrite->host;
    if (text_is_empty(rewrite->path))
        return true;
    if (path_parse_pattern(rewrite->path, &piece->arena, &parsed) != REFUSAL_NONE) {
        builder_addf(why, "The path %.*s that the route %.*s rewrites to is no path.",
                     TEXT_ARGS(rewrite->path), TEXT_ARGS(piece->route->name));
        return false;
    }
    piece->has_rewrite_path = true;
    piece->rewrite_path = template_parse(parsed.text, &piece->arena);
    return true;
}

static bool compile(struct route_piece *piece, struct builder *why)
{
    const struct route *route = piece->route;

    piece->rule = rule_new(route, why);
    if (piece->rule == NULL || !compile_rewrite(piece, why))
        return false;
    switch (piece->action) {
    case ROUTE_TO_UPSTREAM:
    case ROUTE_TO_SPLIT:
        compile_backends(piece);
        break;
    case ROUTE_RESPOND:
        compile_page(piece);
        break;
    case ROUTE_REDIRECT:
        piece->redirect_status = (unsigned)route->redirect->status;
        piece->location = template_parse(route->redirect->location, &piece->arena);
        break;
    }
    piece->request_edits = edits_new(&route->request_headers, &piece->arena);
    piece->response_edits = edits_new(&route->response_headers, &piece->arena);
    piece->metrics = metrics_block_new(METRICS_ROUTE, &route->name);
    return true;
}

struct route_piece *route_piece_new(struct resource *resource, struct builder *why)
{
    struct route_piece *piece = mem_new(sizeof(*piece));

    MUST(resource->kind == RESOURCE_ROUTE);
    piece->count = 1;
    arena_init(&piece->arena, SIZE_MAX);
    piece->resource = resource_ref(resource);
    piece->route = resource->route;
    piece->action = resource->route->action;
    if (!compile(piece, why))
        route_piece_unref(&piece);
    return piece;
}

struct route_piece *route_piece_ref(struct route_piece *piece)
{
    piece->count++;
    return piece;
}

void route_piece_unref(struct route_piece **piece)
{
    struct route_piece *p = *piece;

    *piece = NULL;
    if (p == NULL || --p->count > 0)
        return;
    if (p->metrics != NULL)
        metrics_block_unref(&p->metrics);
    rule_free(&p->rule);
    resource_unref(&p->resource);
    arena_reset(&p->arena);
    MEM_FREE(&p);
}

const struct route_backend *route_piece_pick(const struct route_piece *piece, uint64_t random)
{
    uint32_t number;
    unsigned i = 0;

    MUST(piece->backend_count > 0);
    if (piece->backend_count == 1)
        return &piece->backends[0];
    number = (uint32_t)(random % piece->backend_total);
    while (number >= piece->backends[i].until)
        i++;
    return &piece->backends[i];
}

/* ---- texts with {names} ---- */

struct sight {
    const struct router_match *match;
    const struct request_head *head; /* NULL: captures only */
    struct text path;
    struct text scheme;
};

static bool find_capture(void *arg, struct text name, struct text *value_out)
{
    struct sight *s = arg;

    return router_find_capture(s->match, s->path, name, value_out);
}

/* The query with the '?' before it; they stand side by side in the target as it came. */
static struct text query_with_mark(const struct request_head *head)
{
    if (!head->has_query)
        return TEXT_EMPTY;
    if (head->query.length == 0)
        return TEXT_OF("?");
    return text_from(head->query.at - 1, head->query.length + 1);
}

static bool find_location_value(void *arg, struct text name, struct text *value_out)
{
    struct sight *s = arg;

    if (find_capture(s, name, value_out))
        return true;
    if (text_equals(name, TEXT_OF("scheme")))
        *value_out = s->scheme;
    else if (text_equals(name, TEXT_OF("host")))
        *value_out = s->head->authority;
    else if (text_equals(name, TEXT_OF("path")))
        *value_out = s->head->path;
    else if (text_equals(name, TEXT_OF("query")))
        *value_out = query_with_mark(s->head);
    else
        return false;
    return true;
}

/* `base` and `rest` with one slash between them. */
static bool join_paths(struct text base, struct text rest, struct arena *arena,
                       struct text *path_out)
{
    char *into;

    if (rest.length == 0) {
        *path_out = base;
        return true;
    }
    if (text_ends_with(base, TEXT_OF("/")))
        base.length--;
    into = arena_try_alloc(arena, base.length + rest.length);
    if (into == NULL)
        return false;
    memcpy(into, base.at, base.length);
    memcpy(into + base.length, rest.at, rest.length);
    *path_out = text_from(into, base.length + rest.length);
    return true;
}

bool route_piece_rewrite(const struct route_piece *piece, const struct router_match *match,
                         struct text path, struct arena *arena, struct text *path_out)
{
    struct sight sight = { .match = match, .path = path };
    struct text rest = text_skip(path, match->prefix_length);
    struct text base;

    if (!piece->has_rewrite_path) {
        *path_out = path;
        if (piece->strip_prefix && match->prefix_length > 0)
            *path_out = rest.length > 0 ? rest : TEXT_OF("/");
        return true;
    }
    if (!template_print(&piece->rewrite_path, find_capture, &sight, arena, &base))
        return false;
    if (!piece->strip_prefix || match->path->kind != RULE_PATH_PREFIX)
        rest = TEXT_EMPTY;
    if (piece->strip_prefix && match->path->kind == RULE_PATH_ANY)
        rest = path;
    return join_paths(base, rest, arena, path_out);
}

bool route_piece_locate(const struct route_piece *piece, const struct router_match *match,
                        const struct request_head *head, struct text scheme, struct arena *arena,
                        struct text *location_out)
{
    struct sight sight = { .match = match, .head = head, .path = head->path, .scheme = scheme };

    return template_print(&piece->location, find_location_value, &sight, arena, location_out);
}
