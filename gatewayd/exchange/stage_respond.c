/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage_respond.c - answers that the gateway makes itself: a route's page, a redirect, or the
 * problem document of a failure (RFC 9457).
 *
 * A failing stage may have begun ex->response with fields of its own (Allow, WWW-Authenticate).
 */
#include "gatewayd/exchange/exchange.h"
#include "gatewayd/http/problem_json.h"

/* More of a request's body than this is not read after an answer that did not wait for it. */
#define SKIPPED_BODY_MOST 65536

/* Ours is in the arena, so the document lives as long as the answer. */
static struct text print_problem(struct exchange *ex)
{
    const struct failure_row *row = failure_get(ex->failure);
    struct builder *b = &ex->all->scratch;
    struct text document = TEXT_EMPTY;
    struct problem_json problem = {
        .type = row->type,
        .title = row->title,
        .status = row->status,
        .detail = ex->sentence == NULL ? row->sentence : text_of(ex->sentence),
        .request_id = ex->request_id,
    };

    builder_clear(b);
    problem_json_print(&problem, b);
    if (builder_is_full(b) || !arena_try_copy(&ex->arena, builder_text(b), &document))
        document = TEXT_EMPTY;
    return document;
}

static void prepare_problem(struct exchange *ex)
{
    const struct failure_row *row = failure_get(ex->failure);

    if (!ex->is_response_begun)
        exchange_begin_response(ex, row->status);
    struct text document = print_problem(ex);
    if (document.length > 0)
        exchange_add_response_header(ex, HEADER_CONTENT_TYPE, TEXT_OF(PROBLEM_JSON_TYPE));
    exchange_add_response_header(ex, HEADER_CACHE_CONTROL, TEXT_OF("no-store"));
    memory_source_init(&ex->reply_body, document);
}

static void prepare_page(struct exchange *ex)
{
    const struct route_page *page = &ex->route->page;

    exchange_begin_response(ex, page->status);
    for (unsigned i = 0; i < page->headers.count; i++) {
        const struct header *h = &page->headers.items[i];
        if (!headers_add(&ex->response.headers, h->id, h->name, h->value))
            break;
    }
    memory_source_init(&ex->reply_body, page->body);
}

static void set_framing(struct exchange *ex)
{
    unsigned status = ex->response.status;

    if (status == 204 || status == 304) {
        ex->response.framing = BODY_NONE;
        memory_source_init(&ex->reply_body, TEXT_EMPTY);
        return;
    }
    ex->response.framing = BODY_LENGTH;
    ex->response.body_length = ex->reply_body.rest.length;
    if (ex->request.method == METHOD_HEAD)
        memory_source_init(&ex->reply_body, TEXT_EMPTY);
}

static bool should_close(const struct exchange *ex)
{
    if (ex->has_body && !ex->request_flow.is_done)
        return ex->request.framing != BODY_LENGTH || ex->request.body_length > SKIPPED_BODY_MOST;
    return false;
}

/* What a route says of its answers holds for its own pages too, not for problems. */
static void edit(struct exchange *ex)
{
    if (ex->failure != FAILURE_NONE || ex->route == NULL)
        return;
    const struct edits *edits = &ex->route->response_edits;
    if (!exchange_make_room(ex, &ex->response.headers, edits->add_count) ||
        !edits_apply(edits, &ex->response.headers))
        log_warn(&ex->log, "response_headers left out: too many header fields");
}

enum verdict stage_respond(struct exchange *ex)
{
    exchange_release_upstream(ex);
    if (ex->failure != FAILURE_NONE)
        prepare_problem(ex);
    else if (ex->route != NULL && ex->route->action == ROUTE_RESPOND)
        prepare_page(ex);
    else
        memory_source_init(&ex->reply_body, TEXT_EMPTY);
    set_framing(ex);
    exchange_dress_response(ex);
    edit(ex);
    exchange_answer(ex, should_close(ex));
    flow_init(&ex->answer_flow, &ex->reply_body.source, ex->down->answer_body, UINT64_MAX);
    ex->waiting_on = "client";
    exchange_pump_answer(ex);
    return VERDICT_WAIT;
}
