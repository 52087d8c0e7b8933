/* SPDX-License-Identifier: Apache-2.0 */
/* h1_up.c - see h1_up.h. */
#include "gatewayd/http/h1_up.h"

#include <errno.h>
#include <linux/tcp.h>

#include "conf/base/mem.h"
#include "gatewayd/http/h1_print.h"
#include "gatewayd/http/up_place.h"

/* 1xx heads before an answer: more is a flood. */
#define INTERIM_MAX 8

static const struct up_type h1_up_type;

static struct h1_up *connection_of(struct up *u)
{
    return CONTAINER_OF(u, struct h1_up, up);
}

static void touch(struct h1_up *c, int64_t ms)
{
    loop_timer_start(&c->deadline, (uint64_t)ms);
}

/* ---- the end ------------------------------------------------------------------------------ */

static void free_connection(void *arg)
{
    struct h1_up *c = arg;
    MEM_FREE(&c);
}

static void let_go(struct h1_up *c)
{
    h1_writer_fini(&c->writer);
    buffer_unref(&c->up.head_buffer);
    c->up.user = NULL;
    c->up.owner = NULL;
}

void h1_up_close(struct h1_up *c)
{
    if (c->state == H1_UP_CLOSED) {
        return;
    }
    up_pool_forget(c->pool, c);
    c->state = H1_UP_CLOSED;
    socket_close(&c->socket);
    loop_timer_stop(&c->deadline);
    loop_task_cancel(&c->connected);
    h1_input_fini(&c->input);
    let_go(c);
    tls_client_unref(&c->origin.tls);
    loop_bury(c->pool->loop, c, free_connection);
}

/* Tells the user, once. The user may release from inside. */
static void fail(struct h1_up *c, enum up_failure failure, const char *sentence)
{
    if (c->is_failed) {
        return;
    }
    c->is_failed = true;
    c->may_keep = false;
    socket_pause_read(&c->socket);
    c->up.user->on_failed(&c->up, failure, sentence);
}

static void fail_socket(struct h1_up *c, enum up_failure failure)
{
    char why[SOCKET_WHY_SIZE];
    struct text t = socket_print_why(&c->socket, why);

    if (t.at != why && t.length < sizeof(why)) {
        memcpy(why, t.at, t.length);
    }
    why[t.length < sizeof(why) ? t.length : sizeof(why) - 1] = '\0';
    fail(c, failure, why);
}

/* A kept connection that the upstream closed while the request was on its way: then not a byte of
 * the request was acknowledged, so nobody can have read it, and it may be sent again whatever it
 * is. Asked only after a failure. With TLS or a unix socket it is certain only before a byte was
 * written. A reset that no end (FIN) came before says nothing: unlike the end it acknowledges
 * nothing, so somebody who had read the request may have sent it. After an end the error of a reset
 * is EPIPE. */
static bool is_unread(const struct h1_up *c)
{
    struct tcp_info info;
    socklen_t size = sizeof(info);

    if (c->requests == 1 || c->answer_bytes > 0) {
        return false;
    }
    if (c->writer.wire == 0) {
        return true;
    }
    if (socket_is_tls(&c->socket) || c->socket.error == ECONNRESET ||
        getsockopt(c->socket.watch.fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof(info.tcpi_bytes_acked)) {
        return false;
    }
    /* The SYN counts as one byte. */
    return info.tcpi_bytes_acked <= c->wire_before + 1;
}

/* The connection ended before the head of the answer was complete. */
static void fail_early(struct h1_up *c)
{
    if (is_unread(c)) {
        fail(c, UP_STALE, "the kept connection was closed");
    } else if (c->answer_bytes > 0) {
        fail(c, UP_RESET, "the connection ended inside the head of the answer");
    } else {
        fail(c, UP_RESET, "the connection ended before an answer");
    }
}

/* Bytes that are read now were sent before the request was: none of it was written, or what says
 * that they are there is older than its first byte (within a turn, events tell of the time before
 * the turn). They are the rest of an answer before, or a time-out that an upstream tells of on its
 * own, and the answer to nothing. With TLS the event may have been about a session ticket, and the
 * bytes behind it come later. */
static bool is_unasked(const struct h1_up *c)
{
    return c->writer.wire == 0 ||
           (!socket_is_tls(&c->socket) && c->writer.begun_turn == loop_turn_number(c->pool->loop));
}

static void fail_unasked(struct h1_up *c)
{
    fail(c, c->requests > 1 && c->writer.wire == 0 ? UP_STALE : UP_RESET,
         "bytes came before the request");
}

/* ---- the head of the answer --------------------------------------------------------------- */

static void expect_head(struct h1_up *c)
{
    struct response_head *head = c->up.head;
    struct headers headers = head->headers;

    headers_init(&headers, headers.items, headers.capacity);
    *head = (struct response_head){ .headers = headers };
}

static void take_head(struct h1_up *c)
{
    struct response_head *head = c->up.head;

    c->up.head_buffer = buffer_ref(c->input.buffer);
    h1_input_use(&c->input, c->parser.length);
    h1_input_trim(&c->input);
    c->has_head = true;
    c->may_keep = head->keep_alive && !c->parser.is_switch && head->framing != BODY_CLOSE;
    h1_reader_start(&c->reader, head->framing, head->body_length, c->up.arena);
    c->reader.may_read = !socket_is_drained(&c->socket);
    touch(c, c->origin.idle_timeout_ms);
    c->up.user->on_head(&c->up);
}

/* A 1xx head: given to the user and forgotten. False: the connection failed. */
static bool take_interim(struct h1_up *c, const struct request_head *asked)
{
    if (++c->interim_count > INTERIM_MAX) {
        fail(c, UP_MALFORMED, "there were too many interim answers");
        return false;
    }
    c->up.user->on_interim(&c->up);
    /* The user may have let go of the exchange. */
    if (c->state != H1_UP_ACTIVE || c->is_failed)
        return false;
    h1_input_use(&c->input, c->parser.length);
    expect_head(c);
    h1_response_init(&c->parser, c->up.head, asked, &c->parser.limits);
    return true;
}

/* What h1_response_init needs to know of the request again, after an interim head. */
static struct request_head remember_request(const struct h1_up *c)
{
    return (struct request_head){
        .method = c->parser.to_head ? METHOD_HEAD : METHOD_GET,
        .is_upgrade = c->parser.may_switch,
    };
}

static void parse_head(struct h1_up *c)
{
    struct request_head asked = remember_request(c);

    while (!h1_input_is_empty(&c->input)) {
        switch (h1_response_parse(&c->parser, h1_input_text(&c->input))) {
        case H1_MORE:
            return;
        case H1_BAD:
            fail(c, UP_MALFORMED, refusal_sentence(c->parser.refusal).at);
            return;
        case H1_DONE:
            break;
        }
        if (c->up.head->status >= 200 || c->parser.is_switch) {
            take_head(c);
            return;
        }
        if (!take_interim(c, &asked)) {
            return;
        }
    }
}

static void read_head(struct h1_up *c)
{
    unsigned had = c->input.end - c->input.at;

    switch (h1_input_read_head(&c->input, &c->socket, c->pool->buffers)) {
    case H1_INPUT_MORE:
        if (c->answer_bytes == 0 && is_unasked(c)) {
            fail_unasked(c);
            return;
        }
        c->answer_bytes += c->input.end - c->input.at - had;
        parse_head(c);
        return;
    case H1_INPUT_NOTHING:
        return;
    case H1_INPUT_FULL:
        fail(c, UP_MALFORMED, refusal_sentence(REFUSAL_HEAD_TOO_LARGE).at);
        return;
    case H1_INPUT_ENDED:
        fail_early(c);
        return;
    }
}

/* ---- the body of the answer --------------------------------------------------------------- */

static void read_body(struct h1_up *c)
{
    if (!h1_reader_on_readable(&c->reader)) {
        return;
    }
    touch(c, c->origin.idle_timeout_ms);
    c->up.user->on_body(&c->up);
    if (c->state == H1_UP_ACTIVE) {
        h1_reader_after_body(&c->reader);
    }
}

/* ---- events ------------------------------------------------------------------------------- */

static void on_readable(void *arg)
{
    struct h1_up *c = arg;

    switch (c->state) {
    case H1_UP_IDLE:
        /* Closed by the upstream, or bytes nobody asked for. */
        h1_up_close(c);
        return;
    case H1_UP_ACTIVE:
        if (c->is_failed) {
            socket_pause_read(&c->socket);
        } else if (!c->has_head) {
            read_head(c);
        } else if (h1_reader_has_ended(&c->reader)) {
            /* More than the answer: not to be trusted with another request. */
            c->may_keep = false;
            socket_pause_read(&c->socket);
        } else {
            read_body(c);
        }
        return;
    case H1_UP_READY:
        /* Spoke, or closed, before it was asked. */
        c->may_keep = false;
        socket_pause_read(&c->socket);
        if (!c->is_failed) {
            fail(c, c->requests > 1 ? UP_STALE : UP_RESET, "the connection ended before a request");
        }
        return;
    case H1_UP_CONNECTING:
    case H1_UP_CLOSED:
        return;
    }
}

static void on_writable(void *arg)
{
    struct h1_up *c = arg;

    if (c->state != H1_UP_ACTIVE || c->is_failed) {
        return;
    }
    if (!c->has_head || h1_reader_has_ended(&c->reader)) {
        touch(c, c->origin.response_timeout_ms);
    }
    if (h1_writer_on_writable(&c->writer)) {
        c->up.user->on_writable(&c->up);
    }
}

static int64_t passed_ms(const struct h1_up *c, uint64_t since_ms)
{
    return (int64_t)(loop_now_ms(c->pool->loop) - since_ms);
}

/* response_timeout counts from the end of the request; while that is still being sent, it counts
 * only if it is the upstream that does not take it. */
static void wait_for_head(struct h1_up *c)
{
    int64_t left = c->origin.response_timeout_ms;

    if (h1_writer_has_ended(&c->writer)) {
        left -= passed_ms(c, c->writer.ended_ms);
    } else if (c->writer.is_blocked) {
        left -= passed_ms(c, c->writer.blocked_ms);
    }
    if (left <= 0) {
        fail(c, UP_TIMEOUT, "no answer in time");
    } else {
        touch(c, left);
    }
}

/* idle_timeout counts while it is the upstream that is waited for. */
static void wait_for_body(struct h1_up *c)
{
    int64_t left = c->origin.idle_timeout_ms;

    if (c->reader.is_wanted) {
        left -= passed_ms(c, c->reader.wanted_ms);
    }
    if (left <= 0) {
        fail(c, UP_IDLE, "the answer stood still too long");
    } else {
        touch(c, left);
    }
}

static void on_deadline(void *arg)
{
    struct h1_up *c = arg;

    switch (c->state) {
    case H1_UP_CONNECTING:
        fail(c, UP_CONNECT_TIMEOUT, "no connection in time");
        return;
    case H1_UP_READY:
    case H1_UP_ACTIVE:
        if (c->is_failed || c->is_upgraded) {
            return;
        }
        if (!c->has_head) {
            wait_for_head(c);
        } else {
            wait_for_body(c);
        }
        return;
    case H1_UP_IDLE:
        h1_up_close(c);
        return;
    case H1_UP_CLOSED:
        return;
    }
}

/* ---- connecting --------------------------------------------------------------------------- */

static enum up_failure connect_failure(const struct h1_up *c)
{
    switch (socket_why(&c->socket)) {
    case SOCKET_TLS:
    case SOCKET_CUT:
        return UP_TLS;
    case SOCKET_TIMED_OUT:
        return UP_CONNECT_TIMEOUT;
    case SOCKET_NO_RESOURCE:
        return UP_NO_RESOURCE;
    case SOCKET_OK:
    case SOCKET_REFUSED:
    case SOCKET_UNREACHABLE:
    case SOCKET_RESET:
    case SOCKET_OTHER:
        break;
    }
    return socket_is_tls(&c->socket) ? UP_TLS : UP_CONNECT_REFUSED;
}

static void become_ready(struct h1_up *c)
{
    c->state = c->is_sent ? H1_UP_ACTIVE : H1_UP_READY;
    touch(c, c->origin.response_timeout_ms);
    c->up.user->on_connected(&c->up);
    if (c->state == H1_UP_ACTIVE && !c->is_failed && c->writer.is_blocked) {
        c->writer.is_blocked = false;
        c->up.user->on_writable(&c->up);
    }
}

/* The next step of connecting was done, or failed. */
static void on_ready(void *arg)
{
    struct h1_up *c = arg;

    if (c->is_failed || c->state != H1_UP_CONNECTING) {
        return;
    }
    if (!socket_is_ready(&c->socket)) {
        fail_socket(c, connect_failure(c));
        return;
    }
    if (c->origin.tls != NULL && !socket_is_tls(&c->socket)) {
        switch (socket_start_tls_client(&c->socket, c->origin.tls, c->origin.server_name,
                                        &c->place->session)) {
        case IO_AGAIN:
            return;
        case IO_DONE:
            break;
        case IO_EOF:
        case IO_BROKEN:
            fail_socket(c, connect_failure(c));
            return;
        }
    }
    become_ready(c);
}

/* The outcome of a connect that was known at once is told from the loop. */
static void on_connected_at_once(void *arg)
{
    on_ready(arg);
}

static const struct socket_handlers handlers = {
    .on_ready = on_ready,
    .on_readable = on_readable,
    .on_writable = on_writable,
};

struct h1_up *h1_up_new(struct up_pool *pool, struct up_place *place,
                        const struct up_origin *origin)
{
    struct h1_up *c = mem_new(sizeof(*c));

    c->pool = pool;
    c->place = place;
    c->origin = *origin;
    if (c->origin.tls != NULL) {
        c->origin.tls = tls_client_ref(origin->tls);
    }
    c->up.type = &h1_up_type;
    c->up.socket = &c->socket;
    list_init(&c->node);
    list_init(&c->all);
    loop_timer_init(&c->deadline, pool->loop, on_deadline, c);
    loop_task_init(&c->connected, on_connected_at_once, c);
    socket_init(&c->socket, pool->loop, &handlers, c);
    c->state = H1_UP_CONNECTING;
    touch(c, origin->connect_timeout_ms);
    if (socket_connect(&c->socket, &origin->address) != IO_AGAIN) {
        loop_defer(pool->loop, &c->connected);
    }
    return c;
}

void h1_up_lend(struct h1_up *c, const struct up_user *user, void *owner)
{
    c->up.user = user;
    c->up.owner = owner;
    c->up.head = NULL;
    c->up.is_reused = c->state == H1_UP_IDLE;
    c->has_head = false;
    c->is_sent = false;
    c->is_upgraded = false;
    c->may_keep = true;
    c->interim_count = 0;
    c->answer_bytes = 0;
    c->requests++;
    c->wire_before += c->writer.wire;
    h1_reader_init(&c->reader, &c->input, &c->socket, c->pool->buffers);
    h1_writer_init(&c->writer, &c->socket, c->pool->buffers);
    c->up.request_body = &c->writer.sink;
    c->up.answer_body = &c->reader.source;
    if (c->state == H1_UP_IDLE) {
        c->state = H1_UP_READY;
        touch(c, c->origin.response_timeout_ms);
    }
}

/* ---- what the user may do ----------------------------------------------------------------- */

static void up_send(struct up *u, const struct request_head *head)
{
    struct h1_up *c = connection_of(u);
    struct h1_limits limits = { c->pool->limits.header_bytes, c->pool->limits.headers, 0 };
    size_t room = 0;
    enum h1_connection connection = head->is_upgrade ? H1_UPGRADE : H1_PERSIST;
    char *into = h1_writer_reserve(&c->writer, h1_print_request_size(head), &room);
    size_t length = into == NULL ? 0 : h1_print_request(head, connection, into, room);

    MUST(!c->is_sent && u->head != NULL);
    c->is_sent = true;
    if (c->state == H1_UP_READY) {
        c->state = H1_UP_ACTIVE;
    }
    if (length == 0) {
        /* Does not fit anywhere: what is written is broken, and the user learns it there. */
        c->writer.state = H1_WRITER_BROKEN;
        c->may_keep = false;
        return;
    }
    h1_writer_start(&c->writer, length, head->framing, head->body_length);
    h1_response_init(&c->parser, u->head, head, &limits);
}

static void up_upgrade(struct up *u)
{
    struct h1_up *c = connection_of(u);

    c->is_upgraded = true;
    c->may_keep = false;
    h1_reader_upgrade(&c->reader);
    h1_writer_upgrade(&c->writer);
    socket_resume_read(&c->socket);
}

static bool is_clean(struct h1_up *c)
{
    return c->state == H1_UP_ACTIVE && c->may_keep && c->has_head && !c->is_failed &&
           h1_reader_try_end(&c->reader) && h1_writer_has_ended(&c->writer) &&
           h1_input_is_empty(&c->input) &&
           (c->origin.keep_requests == 0 || c->requests < c->origin.keep_requests);
}

static void up_release(struct up *u)
{
    struct h1_up *c = connection_of(u);

    if (!is_clean(c)) {
        h1_up_close(c);
        return;
    }
    let_go(c);
    h1_input_trim(&c->input);
    socket_resume_read(&c->socket);
    touch(c, c->origin.keep_timeout_ms);
    c->state = H1_UP_IDLE;
    up_pool_keep(c->pool, c);
}

static const struct up_type h1_up_type = {
    .send = up_send,
    .upgrade = up_upgrade,
    .release = up_release,
};
