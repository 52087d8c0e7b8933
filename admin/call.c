/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - from a request to its handler, and from the reply to the wire: see call.h. */
#include "admin/call.h"

#include "admin/admin_server.h"
#include "admin/query.h"
#include "admin/reply.h"
#include "conf/base/mem.h"
#include "conf/read_json.h"
#include "gatewayd/http/request_id.h"

/* A streamed answer is refilled below this. */
#define REFILL_BELOW 16384

struct call *call_new(struct admin_server *server, struct down *down)
{
    struct call *call = mem_new(sizeof(*call));

    call->server = server;
    call->down = down;
    arena_init(&call->arena, CALL_ARENA_MAX);
    headers_init(&call->head.headers, call->items, CALL_HEADERS);
    headers_init(&call->reply.headers, call->reply_items, CALL_REPLY_HEADERS);
    builder_init(&call->body, CALL_BODY_MAX);
    builder_init(&call->out, CALL_BODY_MAX);
    down->owner = call;
    down->head = &call->head;
    down->arena = &call->arena;
    return call;
}

static void free_call(void *arg)
{
    struct call *call = arg;

    builder_fini(&call->body);
    builder_fini(&call->out);
    arena_reset(&call->arena);
    MEM_FREE(&call);
}

/* Whoever comes last, the connection or the handler, buries it. */
static void let_go(struct call *call)
{
    if (call->down == NULL && !call->is_held) {
        loop_bury(admin_server_loop(call->server), call, free_call);
    }
}

void call_hold(struct call *call)
{
    call->is_held = true;
}

/* ---- before the handler ------------------------------------------------------------------- */

static void name_request(struct call *call)
{
    const struct header *given = headers_find(&call->head.headers, HEADER_X_REQUEST_ID);

    if (given != NULL && request_id_is_valid(given->value)) {
        call->request_id = arena_copy(&call->arena, given->value);
    } else {
        call->request_id = request_id_print_new(call->request_id_bytes);
    }
}

static void refuse_method(struct call *call, unsigned allowed)
{
    struct builder b;

    builder_init(&b, 256);
    for (unsigned m = METHOD_GET; m < METHOD_OTHER; m++) {
        if ((allowed >> m) & 1) {
            builder_addf(&b, "%s%.*s", b.length > 0 ? ", " : "",
                         TEXT_ARGS(method_name((enum method)m)));
        }
    }
    reply_header(call, "Allow", builder_text(&b));
    builder_fini(&b);
    reply_problem(call, 405, "method-not-allowed", "%.*s is not served at this path.",
                  TEXT_ARGS(call->head.method_name));
}

/* "Bearer TOKEN", the scheme in any case. Empty if there is none. */
static struct text bearer(const struct call *call)
{
    const struct header *h = headers_find(&call->head.headers, HEADER_AUTHORIZATION);

    if (h == NULL || !text_starts_with_nocase(h->value, TEXT_OF("Bearer "))) {
        return TEXT_EMPTY;
    }
    return text_trim(text_skip(h->value, 7));
}

/* False: replied 401 or 403. */
static bool authenticate(struct call *call)
{
    struct text secret = bearer(call);
    const struct token *token =
        text_is_empty(secret) ? NULL : tokens_find(admin_server_tokens(call->server), secret);

    if (token == NULL) {
        reply_header(call, "WWW-Authenticate",
                     secret.length == 0 ? TEXT_OF("Bearer realm=\"gatewayd\"")
                                        : TEXT_OF("Bearer realm=\"gatewayd\", "
                                                  "error=\"invalid_token\""));
        reply_problem(call, 401, "unauthorized", "%s",
                      secret.length == 0 ? "An admin token is needed: Authorization: Bearer TOKEN."
                                         : "The token is not one of this node's.");
        return false;
    }
    call->role = token->role;
    struct text name = text_first(token->name, sizeof(call->author) - 1);
    memcpy(call->author, name.at, name.length);
    if (token->role < call->operation->role) {
        reply_problem(call, 403, "forbidden",
                      "The token %s has the role %s; this call needs the role %s.", call->author,
                      tokens_role_name(token->role), tokens_role_name(call->operation->role));
        return false;
    }
    return true;
}

/* An absent Content-Type is taken for what is expected. */
static bool check_content_type(struct call *call)
{
    static const struct text json[] = { TEXT("application/json"),
                                        TEXT("application/merge-patch+json") };
    static const struct text lines[] = { TEXT("application/x-ndjson"), TEXT("application/ndjson"),
                                         TEXT("application/jsonl"), TEXT("application/json") };
    bool is_lines = call->operation->body == OPERATION_JSON_LINES;
    const struct text *accepted = is_lines ? lines : json;
    size_t count = is_lines ? ARRAY_LENGTH(lines) : ARRAY_LENGTH(json);
    const struct header *h = headers_find(&call->head.headers, HEADER_CONTENT_TYPE);

    if (h == NULL || call->head.framing == BODY_NONE ||
        (call->head.framing == BODY_LENGTH && call->head.body_length == 0)) {
        return true;
    }
    struct text type = text_trim(text_first(h->value, text_find_byte(h->value, ';')));
    for (size_t i = 0; i < count; i++) {
        if (text_equals_nocase(type, accepted[i])) {
            return true;
        }
    }
    reply_problem(call, 415, "unsupported-media-type",
                  "The body is %.*s; what is read here is %.*s.", TEXT_ARGS(type),
                  TEXT_ARGS(accepted[0]));
    return false;
}

static void run_handler(struct call *call)
{
    call->operation->handle(call);
}

/* ---- reading the body --------------------------------------------------------------------- */

static void body_is_broken(struct call *call)
{
    struct down *down = call->down;

    if (down->broken_status == 0) {
        down->type->cut(down);
        call_on_gone(call);
        return;
    }
    reply_problem(call, down->broken_status, "bad-request", "%s", down->broken_sentence);
}

/* Complete lines are handed on; the last, incomplete one stays in the builder. */
static void pass_lines(struct call *call, bool is_last)
{
    struct text have = builder_text(&call->body);
    size_t complete = have.length;

    if (!is_last) {
        while (complete > 0 && have.at[complete - 1] != '\n') {
            complete--;
        }
        if (complete == 0) {
            return;
        }
    }
    struct text lines = text_first(have, complete);
    struct text rest = text_skip(have, complete);
    call->on_lines(call, lines, is_last);
    if (!call->is_replied) {
        memmove(call->body.at, rest.at, rest.length);
        call->body.length = rest.length;
    }
}

/* False: nothing more is to be read. */
static bool take_piece(struct call *call, struct text piece)
{
    builder_add(&call->body, piece);
    if (builder_is_full(&call->body)) {
        reply_problem(call, 413, "content-too-large", "The body is larger than %d bytes.",
                      CALL_BODY_MAX);
        return false;
    }
    if (call->on_lines != NULL) {
        pass_lines(call, false);
    }
    return !call->is_replied && call->down != NULL;
}

static void body_is_whole(struct call *call)
{
    call->is_body_read = true;
    if (call->on_lines != NULL) {
        pass_lines(call, true);
    } else {
        run_handler(call);
    }
}

static void read_body(struct call *call)
{
    struct source *source = call->down->request_body;

    for (;;) {
        struct text piece;
        bool is_last;

        switch (source->type->peek(source, &piece, &is_last)) {
        case PULL_WAIT:
            return;
        case PULL_BROKEN:
            body_is_broken(call);
            return;
        case PULL_END:
            body_is_whole(call);
            return;
        case PULL_READY:
            break;
        }
        /* The piece lies in the connection's buffer: copied before it is consumed. */
        bool goes_on = take_piece(call, piece);
        if (call->is_replied || call->down == NULL) {
            return;
        }
        source->type->consume(source, piece.length);
        if (!goes_on) {
            return;
        }
    }
}

/* ---- the connection's events -------------------------------------------------------------- */

void call_on_request(struct call *call)
{
    struct operation_match match = operation_find(call->head.method, call->head.path);

    call->began_ms = (int64_t)loop_now_ms(admin_server_loop(call->server));
    name_request(call);
    if (!match.has_path) {
        reply_problem(call, 404, "not-found", "There is nothing at %.*s.",
                      TEXT_ARGS(call->head.path));
        return;
    }
    if (match.operation == NULL) {
        refuse_method(call, match.allowed);
        return;
    }
    call->operation = match.operation;
    if (!match.operation->is_open && !authenticate(call)) {
        return;
    }
    if (!query_check(call)) {
        return;
    }
    if (match.operation->body == OPERATION_NO_BODY) {
        run_handler(call);
        return;
    }
    if (!check_content_type(call)) {
        return;
    }
    if (match.operation->body == OPERATION_JSON_LINES) {
        run_handler(call);
        if (call->is_replied || call->down == NULL) {
            return;
        }
        MUST(call->on_lines != NULL);
    }
    read_body(call);
}

void call_on_bad_request(struct call *call, unsigned status, const char *sentence)
{
    name_request(call);
    reply_problem(call, status, "bad-request", "%s", sentence);
}

void call_on_body(struct call *call)
{
    if (!call->is_replied && !call->is_body_read) {
        read_body(call);
    }
}

static void release(struct call *call)
{
    struct down *down = call->down;

    call->down = NULL;
    down->type->release(down);
    let_go(call);
}

void call_on_gone(struct call *call)
{
    release(call);
}

void call_on_abandoned(struct call *call)
{
    call->down = NULL;
    let_go(call);
}

/* ---- the answer --------------------------------------------------------------------------- */

/* Makes more of a streamed answer. */
static void refill(struct call *call)
{
    if (call->produce == NULL || call->out.length - call->out_at >= REFILL_BELOW) {
        return;
    }
    if (call->out_at > 0) {
        call->out.length -= call->out_at;
        memmove(call->out.at, call->out.at + call->out_at, call->out.length);
        call->out_at = 0;
    }
    if (!call->produce(call, &call->out)) {
        call->produce = NULL;
    }
}

static void write_answer(struct call *call)
{
    struct sink *sink = call->down->answer_body;

    for (;;) {
        size_t taken = 0;

        refill(call);
        bool is_last = call->produce == NULL;
        struct text piece = text_skip(builder_text(&call->out), call->out_at);
        switch (sink->type->write(sink, piece, is_last, &taken)) {
        case IO_DONE:
            call->out_at += taken;
            if (is_last) {
                release(call);
                return;
            }
            break;
        case IO_AGAIN:
            call->out_at += taken;
            return;
        case IO_EOF:
        case IO_BROKEN:
            call->down->type->cut(call->down);
            release(call);
            return;
        }
    }
}

void call_on_writable(struct call *call)
{
    write_answer(call);
}

void call_send(struct call *call)
{
    call->is_replied = true;
    call->is_held = false;
    if (call->down == NULL) {
        let_go(call);
        return;
    }
    admin_server_audit(call->server, call);
    reply_header(call, "Date", admin_server_date(call->server));
    reply_header(call, "X-Request-Id", call->request_id);
    reply_header(call, "Cache-Control", TEXT_OF("no-store"));
    call->down->type->answer(call->down, &call->reply, false);
    write_answer(call);
}

/* ---- what was asked ----------------------------------------------------------------------- */

struct text call_variable(struct call *call, const char *name)
{
    struct text raw = operation_variable(call->operation, call->head.path, name);

    return query_decode(&call->arena, raw, false);
}

struct text call_header(struct call *call, const char *name)
{
    const struct header *h = headers_find_named(&call->head.headers, text_of(name));

    return h == NULL ? text_from(NULL, 0) : h->value;
}

bool call_doc(struct call *call, bool may_be_absent, struct doc *doc_out)
{
    struct text body = builder_text(&call->body);
    struct problems ps;

    if (text_trim(body).length == 0 && may_be_absent) {
        *doc_out = (struct doc){ .type = DOC_OBJECT };
        return true;
    }
    problems_init(&ps);
    bool is_json = read_json(body, &call->arena, &ps, doc_out);
    if (!is_json) {
        reply_problems(call, 400, "not-json", "The body is not JSON.", &ps);
    }
    problems_fini(&ps);
    return is_json;
}
