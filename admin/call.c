/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - from a request to its handler, and from the reply to the wire: see call.h. */
#include "admin/call.h"

#include "admin/admin_server.h"
#include "admin/reply.h"
#include "cluster/cluster.h"
#include "cluster/store.h"
#include "conf/base/mem.h"
#include "conf/read_json.h"
#include "gatewayd/http/request_id.h"

/* A streamed answer is refilled below this. */
#define REFILL_BELOW 16384

#define PIECES_AT_ONCE 2

/* Bytes of a body that are worked off in a step: some dozens of lines. */
#define PIECE_MOST 8192

static bool on_slice(void *arg);
static void print_scope(const struct log_scope *scope, struct log_line *line);

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
    loop_slice_init(&call->slice, admin_server_loop(server), on_slice, call);
    call->scope =
        (struct log_scope){ .print = print_scope, .name = "admin", .subject = LOG_SUBJECT_admin };
    down->owner = call;
    down->head = &call->head;
    down->arena = &call->arena;
    admin_server_add_call(server);
    return call;
}

/* A step; false: nothing of it is left. */
static bool free_some(void *arg)
{
    struct call *call = arg;
    struct admin_server *server = call->server;

    if (builder_fini_some(&call->body) || builder_fini_some(&call->out) ||
        arena_reset_some(&call->arena)) {
        return true;
    }
    MEM_FREE(&call);
    admin_server_remove_call(server);
    return false;
}

/* Most are gone in a step; what millions of lines left is freed between other events. */
static void free_call(void *arg)
{
    struct call *call = arg;

    loop_slice_stop(&call->slice);
    if (call->on_free != NULL) {
        call->on_free(call);
    }
    if (free_some(call)) {
        admin_server_dispose(call->server, free_some, call);
    }
}

/* Whoever comes last, the connection or the handler, buries it. */
static void let_go(struct call *call)
{
    if (call->down == NULL && !call->is_held) {
        loop_slice_stop(&call->slice);
        loop_bury(admin_server_loop(call->server), call, free_call);
    }
}

void call_hold(struct call *call, call_fn *on_gone)
{
    call->is_held = true;
    call->on_gone = on_gone;
}

int64_t call_now(const struct call *call)
{
    return clock_wall_ms(&admin_server_loop(call->server)->clock);
}

/* ---- the audit log ------------------------------------------------------------------------ */

static void print_scope(const struct log_scope *scope, struct log_line *line)
{
    const struct call *call = CONTAINER_OF(scope, struct call, scope);

    log_line_add(line, "token", text_of(call->author));
    if (call->author[0] != '\0' && !call->operation->is_signed) {
        log_line_add(line, "role", text_of(tokens_role_name(call->role)));
    }
    log_line_add(line, "client", call->client);
    log_line_add(line, "method", call->head.method_name);
    log_line_add(line, "path", call->head.path);
    log_line_add_u64(line, "status", call->reply.status);
    if (call->revision != 0) {
        log_line_add_u64(line, "revision", call->revision);
    }
    log_line_add(line, "request_id", call->request_id);
}

/* A line for each call that changed something, or tried to, or had no right to. Neither bodies nor
 * queries: keys are in bodies. */
static void audit(struct call *call)
{
    bool is_refused = call->reply.status == 401 || call->reply.status == 403;

    if (is_refused) {
        log_warn(&call->scope, "admin call refused");
    } else if (call->operation != NULL && call->operation->is_change) {
        log_info(&call->scope, "admin call");
    } else {
        log_debug(&call->scope, "admin call");
    }
}

/* ---- before the handler ------------------------------------------------------------------- */

/* What the store or the audit log may need after the client has gone, and its buffer with it. */
static void keep_target(struct call *call)
{
    call->head.method_name = arena_copy(&call->arena, call->head.method_name);
    call->head.path = arena_copy(&call->arena, call->head.path);
    if (call->head.query.at != NULL) {
        call->head.query = arena_copy(&call->arena, call->head.query);
    }
}

static void name_request(struct call *call)
{
    const struct header *given = headers_find(&call->head.headers, HEADER_X_REQUEST_ID);
    char client[ADDRESS_TEXT_SIZE];

    if (given != NULL && request_id_is_valid(given->value)) {
        call->request_id = arena_copy(&call->arena, given->value);
    } else {
        call->request_id = request_id_print_new(call->request_id_bytes);
    }
    call->client = arena_copy(&call->arena, address_print_ip(&call->down->peer->peer, client));
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
    reply_problem(call, 405, "method-not-allowed", "%.*s is not served at this path; %.*s is.",
                  TEXT_ARGS(call->head.method_name), TEXT_ARGS(builder_text(&b)));
    builder_fini(&b);
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

static void ask_for_token(struct call *call, bool has_one)
{
    reply_header(call, "WWW-Authenticate",
                 has_one ? TEXT_OF("Bearer realm=\"gatewayd\", error=\"invalid_token\"")
                         : TEXT_OF("Bearer realm=\"gatewayd\""));
    reply_problem(call, 401, "unauthorized", "%s",
                  has_one ? "The token is not one of this node's."
                          : "An admin token is needed: Authorization: Bearer TOKEN.");
}

/* The request of another node. False: replied 401. */
static bool authenticate_node(struct call *call)
{
    struct peer_sign_request request = {
        .method = call->head.method_name,
        .target = call->head.has_query
                      ? arena_print(&call->arena, "%.*s?%.*s", TEXT_ARGS(call->head.path),
                                    TEXT_ARGS(call->head.query))
                      : call->head.path,
        .to = control_node(admin_server_control(call->server))->node,
    };
    enum peer_sign_verdict verdict =
        cluster_judge(call_header(call, PEER_SIGN_HEADER), call_now(call), &request);

    if (verdict != PEER_SIGN_GOOD) {
        reply_problem(call, 401, "not-signed", "This call is between nodes, and %s.",
                      peer_sign_verdict_name(verdict));
        return false;
    }
    call->signed_body = request.body;
    struct text author = arena_print(&call->arena, "node %.*s", TEXT_ARGS(request.from));
    author = text_first(author, sizeof(call->author) - 1);
    memcpy(call->author, author.at, author.length);
    return true;
}

/* False: replied 401. */
static bool check_signed_body(struct call *call)
{
    struct digest body = digest_sha256(builder_text(&call->body));

    if (!call->operation->is_signed || digest_equals(&body, &call->signed_body)) {
        return true;
    }
    reply_problem(call, 401, "not-signed", "The body is not the one that was signed.");
    return false;
}

/* False: replied 401 or 403. */
static bool authenticate(struct call *call)
{
    if (call->operation->is_signed) {
        return authenticate_node(call);
    }
    struct text secret = bearer(call);
    const struct token *token =
        text_is_empty(secret) ? NULL : tokens_find(admin_server_tokens(call->server), secret);

    if (token == NULL) {
        ask_for_token(call, !text_is_empty(secret));
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

static void refuse_for_now(struct call *call)
{
    reply_header(call, "Retry-After", TEXT_OF("1"));
    if (store_get() == NULL) {
        reply_problem(call, 503, "store-away", "The store is not open.");
        return;
    }
    struct text reason = control_status(admin_server_control(call->server)).reason;
    reply_problem(call, 503, "starting", "This node is starting%s%.*s.",
                  text_is_empty(reason) ? "" : ": ", TEXT_ARGS(reason));
}

/* Handlers rely on it: of what is being loaded they would show a part. False: replied 503. */
static bool has_store(struct call *call)
{
    bool is_there = store_get() != NULL && !store_is_loading(store_get());

    if (!is_there && !call->operation->is_for_starting) {
        refuse_for_now(call);
        return false;
    }
    return true;
}

static bool has_empty_body(const struct call *call)
{
    return call->head.framing == BODY_NONE ||
           (call->head.framing == BODY_LENGTH && call->head.body_length == 0);
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

    if (h == NULL || has_empty_body(call)) {
        return true;
    }
    struct text type = text_trim(text_first(h->value, text_find_byte(h->value, ';')));
    for (size_t i = 0; i < count; i++) {
        if (text_equals_nocase(type, accepted[i])) {
            return true;
        }
    }
    reply_problem(call, 415, "unsupported-media-type",
                  "The body is said to be %.*s; send Content-Type: %.*s.", TEXT_ARGS(type),
                  TEXT_ARGS(accepted[0]));
    return false;
}

static uint64_t body_max(const struct call *call)
{
    return call->operation->body == OPERATION_JSON ? CALL_JSON_MAX : CALL_BODY_MAX;
}

static void refuse_body(struct call *call)
{
    reply_problem(call, 413, "content-too-large", "The body is larger than %llu bytes.",
                  (unsigned long long)body_max(call));
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

/* Complete lines are handed on; the last, incomplete one stays in the builder. `seen`: so many
 * bytes are known to have no line feed. */
static void pass_lines(struct call *call, size_t seen, bool is_last)
{
    struct text have = builder_text(&call->body);
    size_t complete = have.length;

    while (!is_last && complete > seen && have.at[complete - 1] != '\n') {
        complete--;
    }
    if (!is_last && complete == seen) {
        if (have.length > CALL_LINE_MAX) {
            reply_problem(call, 413, "content-too-large", "A line is longer than %d bytes.",
                          CALL_LINE_MAX);
        }
        return;
    }
    struct text rest = text_skip(have, complete);
    call->on_lines(call, text_first(have, complete), is_last);
    if (call->is_replied)
        return;
    if (rest.length > 0)
        memmove(call->body.at, rest.at, rest.length);
    call->body.length = rest.length;
}

static void take_piece(struct call *call, struct text piece)
{
    size_t seen = call->body.length;

    call->body_read += piece.length;
    builder_add(&call->body, piece);
    if (call->body_read > body_max(call) || builder_is_full(&call->body)) {
        refuse_body(call);
    } else if (call->on_lines != NULL) {
        pass_lines(call, seen, false);
    }
}

static void body_is_whole(struct call *call)
{
    call->is_body_read = true;
    if (call->on_lines != NULL) {
        pass_lines(call, 0, true);
    } else if (check_signed_body(call)) {
        call->operation->handle(call);
    }
}

/* One piece. False: nothing more is to be read now. */
static bool read_piece(struct call *call)
{
    struct source *source = call->down->request_body;
    struct text piece;
    bool is_last;

    switch (source->type->peek(source, &piece, &is_last)) {
    case PULL_WAIT:
        return false;
    case PULL_BROKEN:
        body_is_broken(call);
        return false;
    case PULL_END:
        body_is_whole(call);
        return false;
    case PULL_READY:
        break;
    }
    /* The piece lies in the connection's buffer: copied before it is consumed. */
    piece = text_first(piece, PIECE_MOST);
    take_piece(call, piece);
    if (call->is_replied || call->down == NULL) {
        return false;
    }
    source->type->consume(source, piece.length);
    return true;
}

/* The first steps at once: most bodies are one piece, and then their end. */
static void read_body(struct call *call)
{
    unsigned pieces = 0;

    while (!loop_slice_is_started(&call->slice) && read_piece(call)) {
        if (++pieces == PIECES_AT_ONCE) {
            loop_slice_start(&call->slice);
        }
    }
}

/* ---- the connection's events -------------------------------------------------------------- */

static void start_body(struct call *call)
{
    if (!check_content_type(call)) {
        return;
    }
    if (call->head.framing == BODY_LENGTH && call->head.body_length > body_max(call)) {
        refuse_body(call);
        return;
    }
    if (call->operation->body == OPERATION_JSON_LINES) {
        call->operation->handle(call);
        if (call->is_replied) {
            return;
        }
        MUST(call->on_lines != NULL);
    }
    read_body(call);
}

void call_on_request(struct call *call)
{
    keep_target(call);
    name_request(call);
    struct operation_match match = operation_find(call->head.method, call->head.path);
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
    if (!match.operation->is_open &&
        !(authenticate(call) && has_store(call) && call_query_check(call))) {
        return;
    }
    if (match.operation->body == OPERATION_NO_BODY) {
        if (check_signed_body(call)) {
            call->operation->handle(call);
        }
    } else {
        start_body(call);
    }
}

void call_on_bad_request(struct call *call, unsigned status, const char *sentence)
{
    keep_target(call);
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
    loop_slice_stop(&call->slice);
    down->type->release(down);
    let_go(call);
}

void call_on_gone(struct call *call)
{
    call_fn *on_gone = call->on_gone;

    if (call->is_held && on_gone != NULL) {
        call->is_held = false;
        call->on_gone = NULL;
        on_gone(call);
    }
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

/* One piece. False: all was written, or nothing more can be now. */
static bool write_piece(struct call *call)
{
    struct sink *sink = call->down->answer_body;
    size_t taken = 0;

    refill(call);
    bool is_last = call->produce == NULL;
    struct text piece = text_skip(builder_text(&call->out), call->out_at);
    switch (sink->type->write(sink, piece, is_last, &taken)) {
    case IO_DONE:
        call->out_at += taken;
        if (is_last) {
            release(call);
        }
        return !is_last;
    case IO_AGAIN:
        call->out_at += taken;
        return false;
    case IO_EOF:
    case IO_BROKEN:
        call->down->type->cut(call->down);
        release(call);
        return false;
    }
    return false;
}

static void write_answer(struct call *call)
{
    if (!loop_slice_is_started(&call->slice) && write_piece(call)) {
        loop_slice_start(&call->slice);
    }
}

/* A piece of a long body, or of a long answer. Reading the last of one may begin the other. */
static bool on_slice(void *arg)
{
    struct call *call = arg;

    loop_slice_stop(&call->slice);
    if (call->is_replied ? write_piece(call) : read_piece(call)) {
        loop_slice_start(&call->slice);
    }
    return loop_slice_is_started(&call->slice);
}

void call_on_writable(struct call *call)
{
    write_answer(call);
}

static void add_common_headers(struct call *call)
{
    reply_header(call, "Date", admin_server_date(call->server));
    reply_header(call, "X-Request-Id", call->request_id);
    reply_header(call, "Cache-Control", TEXT_OF("no-store"));
    if (call->author[0] != '\0' && store_get() != NULL) {
        reply_headerf(call, "Gatewayd-Revision", "%llu",
                      (unsigned long long)(call->revision != 0 ? call->revision
                                                               : store_revision(store_get())));
    }
}

void call_send(struct call *call)
{
    call->is_replied = true;
    call->is_held = false;
    call->on_gone = NULL;
    loop_slice_stop(&call->slice);
    audit(call);
    if (call->down == NULL) {
        let_go(call);
        return;
    }
    if (call->head.method == METHOD_HEAD) {
        call->produce = NULL;
    }
    add_common_headers(call);
    call->down->type->answer(call->down, &call->reply, false);
    write_answer(call);
}

/* ---- what was asked ----------------------------------------------------------------------- */

struct text call_variable(struct call *call, const char *name)
{
    struct text raw = operation_variable(call->operation, call->head.path, name);

    return call_query_decode(&call->arena, raw, false);
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
        *doc_out = doc_object();
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
