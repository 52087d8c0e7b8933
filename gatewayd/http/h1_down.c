/* SPDX-License-Identifier: Apache-2.0 */
/* h1_down.c - the life of a client's connection: see h1_down.h. */
#include "gatewayd/http/h1_down_private.h"

#include "conf/base/mem.h"
#include "gatewayd/core/metrics.h"
#include "gatewayd/net/tls.h"

/* How long an answer is still worked on after the client ended its side: some do that to say that
 * no other request follows, most because they went away. */
#define HALF_CLOSED_MS 5000

/* What is read and dropped after an answer so that it is not lost to a reset. Clients that send
 * all of a body before they read an answer are many. */
#define LINGER_MAX (64 * 1024 * 1024)

/* Pipelined requests that are answered one behind the other before others have their turn. What
 * one of them used is given back at the end of the loop's turn, so a flood must not be one turn. */
#define REQUESTS_AT_ONCE 8

static void read_requests(struct h1_down *c);

void h1_server_init(struct h1_server *s)
{
    list_init(&s->connections);
    s->connection_count = 0;
    s->idle_count = 0;
    s->request_count = 0;
    pool_init(&s->turns, sizeof(struct h1_down_turn), 256);
}

void h1_server_fini(struct h1_server *s)
{
    MUST(list_is_empty(&s->connections));
    pool_fini(&s->turns);
}

struct h1_server *h1_down_server(const struct down *d)
{
    return CONTAINER_OF(d, struct h1_down_turn, down)->connection->server;
}

/* ---- states ------------------------------------------------------------------------------- */

static void count_kept(struct h1_down *c, uint64_t change)
{
    if (c->place != NULL && c->has_served) {
        metrics_add(c->place, METRIC_ADDRESS_IDLE, change);
    }
}

static void enter(struct h1_down *c, enum h1_down_state state)
{
    if (c->state == H1_DOWN_IDLE) {
        c->server->idle_count--;
        count_kept(c, (uint64_t)-1);
    }
    c->state = state;
    if (state == H1_DOWN_IDLE) {
        c->server->idle_count++;
        count_kept(c, 1);
    }
}

void h1_down_touch(struct h1_down *c, int64_t ms)
{
    loop_timer_start(&c->deadline, (uint64_t)ms);
}

static void free_connection(void *arg)
{
    struct h1_down *c = arg;
    MEM_FREE(&c);
}

static void keep_peer(struct h1_down *c, const struct down_peer *peer)
{
    size_t length = peer->peer.length;

    c->is_tls = peer->is_tls;
    c->is_trusted = peer->is_trusted;
    c->listener = peer->listener;
    c->place = peer->place;
    memcpy(&c->peer, &peer->peer.any, length < sizeof(c->peer) ? length : sizeof(c->peer));
    c->peer.any.sa_family = peer->peer.any.sa_family;
}

static socklen_t length_of(sa_family_t family)
{
    switch (family) {
    case AF_INET:
        return sizeof(struct sockaddr_in);
    case AF_INET6:
        return sizeof(struct sockaddr_in6);
    default:
        return sizeof(sa_family_t);
    }
}

static void tell_peer(const struct h1_down *c, struct down_peer *into)
{
    into->is_tls = c->is_tls;
    into->is_trusted = c->is_trusted;
    into->listener = c->listener;
    into->place = c->place;
    memcpy(&into->peer, &c->peer, sizeof(c->peer));
    into->peer.length = length_of(c->peer.any.sa_family);
}

static void unmark(struct h1_down *c)
{
    if (c->is_marked) {
        metrics_sub(c->place, METRIC_ADDRESS_BEFORE, 1);
    }
    c->is_marked = false;
}

/* The socket is closed already, or is closed here. */
void h1_down_close(struct h1_down *c)
{
    struct h1_server *s = c->server;

    if (c->state == H1_DOWN_CLOSED) {
        return;
    }
    enter(c, H1_DOWN_CLOSED);
    MUST(c->turn == NULL);
    unmark(c);
    socket_close(&c->socket);
    h1_input_fini(&c->input);
    loop_timer_stop(&c->deadline);
    loop_task_cancel(&c->next);
    loop_slice_stop(&c->more);
    list_remove(&c->node);
    s->connection_count--;
    loop_bury(s->loop, c, free_connection);
    if (s->on_closed != NULL) {
        struct down_peer peer;
        tell_peer(c, &peer);
        s->on_closed(s, &peer);
    }
}

/* ---- turns -------------------------------------------------------------------------------- */

/* Before the user waits for the body the client is told to send it; when the body is broken the
 * user finds what the client may be told. */
static void on_pull(struct h1_reader *r, enum pull pull)
{
    struct h1_down_turn *t = CONTAINER_OF(r, struct h1_down_turn, reader);

    if (pull == PULL_WAIT && t->wants_continue) {
        t->wants_continue = false;
        /* Of a client that is gone the read that follows tells. */
        if (!t->is_answered &&
            !h1_writer_put(&t->writer, TEXT_OF("HTTP/1.1 100 Continue\r\n\r\n"))) {
            socket_resume_read(&t->connection->socket);
        }
    }
    if (pull == PULL_BROKEN && r->state == H1_READER_MALFORMED) {
        t->down.broken_status = refusal_status(r->refusal);
        t->down.broken_sentence = refusal_sentence(r->refusal).at;
    }
}

static void begin_turn(struct h1_down *c)
{
    struct h1_server *s = c->server;
    struct h1_down_turn *t = pool_take(&s->turns);
    struct h1_limits limits = { s->header_bytes, s->headers, s->header_bytes };

    memset(t, 0, offsetof(struct h1_down_turn, peer));
    tell_peer(c, &t->peer);
    t->connection = c;
    t->down.type = &h1_down_type;
    t->down.user = s->user;
    t->down.peer = &t->peer;
    t->down.socket = &c->socket;
    h1_reader_init(&t->reader, &c->input, &c->socket, s->buffers);
    h1_writer_init(&t->writer, &c->socket, s->buffers);
    t->reader.hook = on_pull;
    t->down.request_body = &t->reader.source;
    t->down.answer_body = &t->writer.sink;
    c->turn = t;
    enter(c, H1_DOWN_HEAD);
    h1_down_touch(c, s->header_timeout_ms);
    s->user->on_begin(&t->down);
    h1_request_init(&t->parser, t->down.head, t->down.arena, &limits);
}

static void free_turn(struct h1_down *c)
{
    struct h1_down_turn *t = c->turn;

    c->turn = NULL;
    h1_writer_fini(&t->writer);
    buffer_unref(&t->down.head_buffer);
    pool_give(&c->server->turns, t);
}

static void abandon(struct h1_down *c)
{
    c->server->user->on_abandoned(&c->turn->down);
    free_turn(c);
    h1_down_close(c);
}

/* The head is refused: the user answers, then the connection ends. */
static void refuse(struct h1_down *c, unsigned status, const char *sentence)
{
    struct h1_down_turn *t = c->turn;

    t->is_bad = true;
    if (c->input.buffer != NULL) {
        h1_request_rebase(&t->parser, h1_input_text(&c->input).at);
        t->down.head_buffer = buffer_ref(c->input.buffer);
    }
    enter(c, H1_DOWN_EXCHANGE);
    h1_down_touch(c, c->server->body_timeout_ms);
    c->server->user->on_bad_request(&t->down, status, sentence);
}

static void take_request(struct h1_down *c)
{
    struct h1_down_turn *t = c->turn;
    struct request_head *head = t->down.head;

    c->server->request_count++;
    h1_input_use(&c->input, t->parser.length);
    t->down.head_buffer = buffer_ref(c->input.buffer);
    h1_input_trim(&c->input);
    h1_reader_start(&t->reader, head->framing, head->body_length, t->down.arena);
    t->reader.may_read = !socket_is_drained(&c->socket);
    t->wants_continue = head->expect_continue && !h1_reader_has_ended(&t->reader);
    enter(c, H1_DOWN_EXCHANGE);
    h1_down_touch(c, c->server->body_timeout_ms);
    c->server->user->on_request(&t->down);
}

/* One step with what is buffered. False: more bytes are needed. */
static bool parse(struct h1_down *c)
{
    struct h1_down_turn *t = c->turn;

    switch (h1_request_parse(&t->parser, h1_input_text(&c->input))) {
    case H1_MORE:
        return false;
    case H1_DONE:
        take_request(c);
        return true;
    case H1_BAD:
        refuse(c, refusal_status(t->parser.refusal), refusal_sentence(t->parser.refusal).at);
        return true;
    }
    return false;
}

/* Only empty lines so far: not yet a request, and no reason to hold a turn. */
static bool has_begun(const struct h1_down *c)
{
    return c->turn != NULL && h1_request_has_begun(&c->turn->parser);
}

static bool has_unread_request(const struct h1_down *c)
{
    return (c->state == H1_DOWN_IDLE || c->state == H1_DOWN_HEAD) && !h1_input_is_empty(&c->input);
}

/* Parses what is buffered, request after request, as long as each is answered at once. */
static void read_requests(struct h1_down *c)
{
    unsigned count = 0;

    while (has_unread_request(c)) {
        if (c->state == H1_DOWN_IDLE) {
            if (count++ == REQUESTS_AT_ONCE) {
                loop_slice_start(&c->more);
                break;
            }
            begin_turn(c);
        }
        if (!parse(c)) {
            break;
        }
    }
    /* A request that was answered at once left this to the loop: it is done. */
    loop_task_cancel(&c->next);
}

/* ---- the end of a turn -------------------------------------------------------------------- */

static void on_next(void *arg)
{
    struct h1_down *c = arg;

    if (c->state == H1_DOWN_IDLE) {
        read_requests(c);
    }
}

/* False: the slice is over (and the connection may be gone). */
static bool on_more(void *arg)
{
    struct h1_down *c = arg;

    loop_slice_stop(&c->more);
    on_next(c);
    return loop_slice_is_started(&c->more);
}

static void become_idle(struct h1_down *c)
{
    c->has_served = true;
    enter(c, H1_DOWN_IDLE);
    if (c->is_half_closed && h1_input_is_empty(&c->input)) {
        h1_down_close(c);
        return;
    }
    h1_down_touch(c, c->server->idle_timeout_ms);
    socket_trim(&c->socket);
    socket_resume_read(&c->socket);
    if (!h1_input_is_empty(&c->input)) {
        loop_defer(c->server->loop, &c->next);
    }
}

/* Reads and drops the rest of a body. False: it is not all here yet. */
static bool skip(struct h1_down *c)
{
    struct h1_reader *r = &c->turn->reader;

    for (;;) {
        struct text piece;
        bool is_last;

        switch (r->source.type->peek(&r->source, &piece, &is_last)) {
        case PULL_READY:
            r->source.type->consume(&r->source, piece.length);
            break;
        case PULL_WAIT:
            return false;
        case PULL_END:
        case PULL_BROKEN:
            return true;
        }
    }
}

static void finish_skip(struct h1_down *c)
{
    bool is_whole = h1_reader_has_ended(&c->turn->reader);

    free_turn(c);
    if (is_whole) {
        become_idle(c);
    } else {
        h1_down_close(c);
    }
}

static void start_skip(struct h1_down *c)
{
    enter(c, H1_DOWN_SKIP);
    h1_down_touch(c, c->server->body_timeout_ms);
    if (skip(c)) {
        finish_skip(c);
    }
}

/* The rest of the body is known to be short, and the client was not told to wait before sending. */
static bool can_skip(const struct h1_down_turn *t)
{
    return t->reader.state == H1_READER_OPEN && t->reader.framing == BODY_LENGTH &&
           t->reader.left <= H1_DOWN_SKIP_MAX && !t->wants_continue;
}

/* Ends a connection whose answer went out whole: not so that a reset overtakes it. */
static void close_politely(struct h1_down *c)
{
    free_turn(c);
    if (socket_is_open(&c->socket) && !c->is_half_closed) {
        socket_close_lingering(&c->socket, LINGER_MAX, c->place);
    }
    h1_down_close(c);
}

static void close_visibly(struct h1_down *c)
{
    free_turn(c);
    if (socket_is_open(&c->socket)) {
        socket_reset(&c->socket);
    }
    h1_down_close(c);
}

void h1_down_end_turn(struct h1_down *c)
{
    struct h1_down_turn *t = c->turn;

    if (t->is_cut || !h1_writer_has_ended(&t->writer)) {
        close_visibly(c);
        return;
    }
    if (t->closes || t->is_upgraded) {
        close_politely(c);
        return;
    }
    if (h1_reader_try_end(&t->reader)) {
        free_turn(c);
        become_idle(c);
        return;
    }
    if (can_skip(t)) {
        start_skip(c);
        return;
    }
    close_politely(c);
}

/* ---- events ------------------------------------------------------------------------------- */

/* Of clients; the admin server's are not among them. */
static void count_handshake(const struct h1_down *c)
{
    if (c->listener == NULL) {
        return;
    }
    if (!socket_is_ready(&c->socket)) {
        metrics_add(metrics_node(), METRIC_TLS_FAILED, 1);
        metrics_add(metrics_node(), METRIC_CONNECTIONS_DROPPED, 1);
    } else if (socket_tls_is_resumed(&c->socket)) {
        metrics_add(metrics_node(), METRIC_TLS_RESUMED, 1);
    } else {
        metrics_add(metrics_node(), METRIC_TLS_HANDSHAKES, 1);
    }
}

static void on_ready(void *arg)
{
    struct h1_down *c = arg;

    count_handshake(c);
    if (!socket_is_ready(&c->socket)) {
        h1_down_close(c);
        return;
    }
    enter(c, H1_DOWN_IDLE);
    h1_down_touch(c, c->server->idle_timeout_ms);
}

/* Bytes of a head. */
static void read_head(struct h1_down *c)
{
    if (c->turn == NULL && !h1_input_is_empty(&c->input)) {
        /* The next request is begun at the end of this turn, with what is here. */
        return;
    }
    switch (h1_input_read_head(&c->input, &c->socket, c->server->buffers)) {
    case H1_INPUT_MORE:
        read_requests(c);
        return;
    case H1_INPUT_NOTHING:
        return;
    case H1_INPUT_FULL:
        refuse(c, refusal_status(REFUSAL_HEAD_TOO_LARGE),
               refusal_sentence(REFUSAL_HEAD_TOO_LARGE).at);
        return;
    case H1_INPUT_ENDED:
        if (c->turn != NULL) {
            abandon(c);
        } else {
            h1_down_close(c);
        }
        return;
    }
}

static void gone(struct h1_down *c)
{
    struct h1_down_turn *t = c->turn;

    t->is_cut = true;
    socket_pause_read(&c->socket);
    c->server->user->on_gone(&t->down);
}

/* The request was read whole: what comes is the next one, or the end. */
static void read_ahead(struct h1_down *c)
{
    if (!h1_input_is_empty(&c->input)) {
        socket_pause_read(&c->socket);
        return;
    }
    switch (h1_input_read(&c->input, &c->socket, c->server->buffers)) {
    case IO_DONE:
        return;
    case IO_AGAIN:
        h1_input_trim(&c->input);
        return;
    case IO_EOF:
        h1_input_trim(&c->input);
        c->is_half_closed = true;
        socket_pause_read(&c->socket);
        h1_down_touch(c, HALF_CLOSED_MS);
        return;
    case IO_BROKEN:
        gone(c);
        return;
    }
}

/* Bytes of a request's body, or of an upgraded connection. */
static void read_body(struct h1_down *c)
{
    struct h1_down_turn *t = c->turn;

    if (!h1_reader_on_readable(&t->reader)) {
        return;
    }
    h1_down_touch(c, c->server->body_timeout_ms);
    c->server->user->on_body(&t->down);
    if (c->turn == t) {
        h1_reader_after_body(&t->reader);
    }
}

static void read_skipped(struct h1_down *c)
{
    if (!h1_reader_on_readable(&c->turn->reader)) {
        socket_resume_read(&c->socket);
    }
    if (skip(c)) {
        finish_skip(c);
    }
}

static void on_readable(void *arg)
{
    struct h1_down *c = arg;

    switch (c->state) {
    case H1_DOWN_IDLE:
    case H1_DOWN_HEAD:
        read_head(c);
        return;
    case H1_DOWN_EXCHANGE:
        if (c->turn->is_bad || c->turn->is_cut) {
            socket_pause_read(&c->socket);
        } else if (h1_reader_try_end(&c->turn->reader)) {
            read_ahead(c);
        } else {
            read_body(c);
        }
        return;
    case H1_DOWN_SKIP:
        read_skipped(c);
        return;
    case H1_DOWN_HANDSHAKE:
    case H1_DOWN_CLOSED:
        return;
    }
}

static void on_writable(void *arg)
{
    struct h1_down *c = arg;

    if (c->state != H1_DOWN_EXCHANGE) {
        return;
    }
    h1_down_touch(c, c->server->body_timeout_ms);
    if (h1_writer_on_writable(&c->turn->writer)) {
        c->server->user->on_writable(&c->turn->down);
    }
}

/* ---- deadlines ---------------------------------------------------------------------------- */

static void body_is_late(struct h1_down *c)
{
    struct h1_down_turn *t = c->turn;

    t->down.broken_status = 408;
    t->down.broken_sentence = "The body of the request did not come in time.";
    if (h1_reader_fail(&t->reader, H1_READER_LATE)) {
        c->server->user->on_body(&t->down);
    }
}

/* How much of body_timeout is left to a client that is waited for since then. False: none. */
static bool has_time_left(struct h1_down *c, uint64_t since_ms)
{
    int64_t left = c->server->body_timeout_ms - (int64_t)(loop_now_ms(c->server->loop) - since_ms);

    if (left <= 0) {
        return false;
    }
    h1_down_touch(c, left);
    return true;
}

/* The deadline comes round again and again; whether it means anything is seen only then. While the
 * upstream works it means nothing. */
static void exchange_is_late(struct h1_down *c)
{
    struct h1_down_turn *t = c->turn;

    if (t->is_cut) {
        return;
    }
    if (c->is_half_closed || t->is_bad) {
        gone(c);
    } else if (t->writer.is_blocked) {
        if (!has_time_left(c, t->writer.blocked_ms)) {
            gone(c);
        }
    } else if (t->reader.is_wanted && !t->is_upgraded) {
        if (!has_time_left(c, t->reader.wanted_ms)) {
            body_is_late(c);
        }
    } else {
        h1_down_touch(c, c->server->body_timeout_ms);
    }
}

static void on_deadline(void *arg)
{
    struct h1_down *c = arg;

    switch (c->state) {
    case H1_DOWN_HANDSHAKE:
    case H1_DOWN_IDLE:
        h1_down_close(c);
        return;
    case H1_DOWN_HEAD:
        if (has_begun(c)) {
            refuse(c, 408, "The head of the request did not come in time.");
        } else {
            abandon(c);
        }
        return;
    case H1_DOWN_EXCHANGE:
        exchange_is_late(c);
        return;
    case H1_DOWN_SKIP:
        free_turn(c);
        h1_down_close(c);
        return;
    case H1_DOWN_CLOSED:
        return;
    }
}

/* ---- the beginning and the end ------------------------------------------------------------ */

static const struct socket_handlers handlers = {
    .on_ready = on_ready,
    .on_readable = on_readable,
    .on_writable = on_writable,
};

void h1_down_start(struct h1_server *s, int fd, const struct down_peer *peer,
                   struct tls_server *tls)
{
    struct h1_down *c = mem_new(sizeof(*c));

    c->server = s;
    keep_peer(c, peer);
    c->state = H1_DOWN_HANDSHAKE;
    list_add_last(&s->connections, &c->node);
    s->connection_count++;
    loop_timer_init(&c->deadline, s->loop, on_deadline, c);
    loop_task_init(&c->next, on_next, c);
    loop_slice_init(&c->more, s->loop, on_more, c);
    socket_init(&c->socket, s->loop, &handlers, c);
    socket_open(&c->socket, fd);
    if (tls == NULL) {
        enter(c, H1_DOWN_IDLE);
        h1_down_touch(c, s->idle_timeout_ms);
        return;
    }
    h1_down_touch(c, s->header_timeout_ms);
    if (socket_start_tls_server(&c->socket, tls) == IO_BROKEN) {
        h1_down_close(c);
    }
}

void h1_server_close_idle(struct h1_server *s)
{
    LIST_EACH_SAFE (node, next, &s->connections) {
        struct h1_down *c = LIST_ITEM(node, struct h1_down, node);
        if (c->state == H1_DOWN_IDLE || c->state == H1_DOWN_HANDSHAKE) {
            h1_down_close(c);
        }
    }
}

static void close_now(struct h1_down *c)
{
    switch (c->state) {
    case H1_DOWN_HEAD:
        abandon(c);
        break;
    case H1_DOWN_EXCHANGE:
        if (!c->turn->is_cut) {
            gone(c);
        }
        break;
    case H1_DOWN_SKIP:
        free_turn(c);
        h1_down_close(c);
        break;
    case H1_DOWN_HANDSHAKE:
    case H1_DOWN_IDLE:
    case H1_DOWN_CLOSED:
        h1_down_close(c);
        break;
    }
}

void h1_server_close_all(struct h1_server *s)
{
    LIST_EACH_SAFE (node, next, &s->connections) {
        close_now(LIST_ITEM(node, struct h1_down, node));
    }
}

static struct h1_down *find_oldest(const struct h1_server *s, unsigned states)
{
    LIST_EACH (node, &s->connections) {
        struct h1_down *c = LIST_ITEM(node, struct h1_down, node);
        if ((states >> c->state & 1) != 0) {
            return c;
        }
    }
    return NULL;
}

void h1_server_make_room(struct h1_server *s)
{
    struct h1_down *c = find_oldest(s, 1u << H1_DOWN_IDLE);

    if (c == NULL) {
        c = find_oldest(s, 1u << H1_DOWN_HANDSHAKE | 1u << H1_DOWN_HEAD | 1u << H1_DOWN_SKIP);
    }
    if (c != NULL) {
        close_now(c);
    }
}

/* ---- of one virtual address --------------------------------------------------------------- */

void h1_server_close_all_of(struct h1_server *s, const struct metrics_block *place)
{
    LIST_EACH_SAFE (node, next, &s->connections) {
        struct h1_down *c = LIST_ITEM(node, struct h1_down, node);
        if (c->place == place) {
            close_now(c);
        }
    }
}

void h1_server_close_kept_of(struct h1_server *s, const struct metrics_block *place)
{
    LIST_EACH_SAFE (node, next, &s->connections) {
        struct h1_down *c = LIST_ITEM(node, struct h1_down, node);
        if (c->place == place && c->state == H1_DOWN_IDLE && (c->has_served || c->is_marked) &&
            h1_input_is_empty(&c->input) && !socket_has_unread(&c->socket)) {
            h1_down_close(c);
        }
    }
}

void h1_server_mark(struct h1_server *s, struct metrics_block *place, bool mark)
{
    LIST_EACH (node, &s->connections) {
        struct h1_down *c = LIST_ITEM(node, struct h1_down, node);
        if (c->place != place || c->is_marked == mark) {
            continue;
        }
        if (mark) {
            c->is_marked = true;
            metrics_add(place, METRIC_ADDRESS_BEFORE, 1);
        } else {
            unmark(c);
        }
    }
}
