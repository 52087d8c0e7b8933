/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_wire.c - a socket, a reader, and what is to be sent.
 *
 *   resolving → connecting (each address in turn) → [shaking hands →] ready → ended
 *
 * An end that is known inside a call is told by a task. After the end nothing but closing happens.
 */
#include "cluster/redis_wire.h"

#include <stdarg.h>
#include <stdio.h>

#include "cluster/redis_reader.h"
#include "conf/base/mem.h"
#include "gatewayd/net/resolve.h"
#include "gatewayd/net/socket.h"
#include "gatewayd/net/tls.h"

#define PIECE_SIZE 32768
#define SEND_SIZE  ((size_t)256 << 10)
#define SENDS_MAX  8
/* Addresses of one name that are tried. */
#define ADDRESSES_MAX 8
/* Memory for sending that is kept while there is nothing to send. */
#define KEPT_MAX 262144

struct redis_wire {
    const struct redis_wire_handlers *handlers;
    void *arg;
    struct loop *loop;
    struct resolve_query *query;
    struct tls_client *tls;
    struct redis_reader *reader;
    struct socket socket;
    struct address addresses[ADDRESSES_MAX];
    size_t address_count;
    size_t address_now;
    struct host_port parts; /* of .server */
    char *server;
    char *server_name; /* NULL: the host */
    char *out;         /* to be sent: .out_from to .out_end */
    size_t out_from;
    size_t out_end;
    size_t out_size;
    uint64_t queued;
    uint64_t gone;
    struct loop_task task; /* go_on, at the end of the turn */
    char reason[320];
    bool is_shaking;
    bool is_ready;
    bool is_told; /* on_ready was called */
    bool has_ended;
    bool is_closed;
};

/* ---- the end -------------------------------------------------------------------------------- */

static void free_wire(void *arg)
{
    struct redis_wire *w = arg;
    redis_reader_free(&w->reader);
    MEM_FREE(&w->out);
    MEM_FREE(&w->server);
    MEM_FREE(&w->server_name);
    MEM_FREE(&w);
}

void redis_wire_close(struct redis_wire **wire)
{
    struct redis_wire *w = *wire;
    *wire = NULL;
    if (w == NULL)
        return;
    w->is_closed = true;
    if (w->query != NULL)
        resolve_query_stop(&w->query);
    socket_close(&w->socket);
    loop_task_cancel(&w->task);
    tls_client_unref(&w->tls);
    loop_bury(w->loop, w, free_wire);
}

static void end(struct redis_wire *w, const char *format, ...) PRINTF_LIKE(2, 3);

/* Told by the task. */
static void end(struct redis_wire *w, const char *format, ...)
{
    va_list args;
    if (w->has_ended)
        return;
    w->has_ended = true;
    va_start(args, format);
    (void)vsnprintf(w->reason, sizeof(w->reason), format, args);
    va_end(args);
    socket_close(&w->socket);
    loop_defer(w->loop, &w->task);
}

static void end_broken(struct redis_wire *w)
{
    char into[SOCKET_WHY_SIZE];
    struct text why = socket_print_why(&w->socket, into);
    end(w, "%s%.*s", w->is_shaking && !w->is_ready ? "TLS: " : "", TEXT_ARGS(why));
}

/* ---- sending -------------------------------------------------------------------------------- */

static void forget_sent(struct redis_wire *w, size_t sent)
{
    w->out_from += sent;
    if (w->out_from < w->out_end)
        return;
    w->out_from = w->out_end = 0;
    if (w->out_size > KEPT_MAX) {
        MEM_FREE(&w->out);
        w->out_size = 0;
    }
}

/* False: no more can be sent now. */
static bool send_piece(struct redis_wire *w)
{
    size_t waiting = w->out_end - w->out_from;
    struct iovec piece = { w->out + w->out_from, waiting < SEND_SIZE ? waiting : SEND_SIZE };
    uint64_t before = w->queued - waiting;
    size_t sent = 0;
    enum io result = socket_writev(&w->socket, &piece, 1, &sent);
    /* TLS may have made a record of what it does not call written. */
    bool is_unsure = socket_is_tls(&w->socket) && result != IO_DONE;
    w->gone = before + (is_unsure ? piece.iov_len : sent);
    forget_sent(w, sent);
    if (result != IO_DONE && result != IO_AGAIN)
        end_broken(w);
    return result == IO_DONE;
}

/* So much in one turn, and others have theirs. */
static void send_waiting(struct redis_wire *w)
{
    for (int i = 0; i < SENDS_MAX; i++) {
        if (!w->is_ready || w->has_ended || w->out_from == w->out_end || !send_piece(w))
            return;
    }
    if (w->out_from < w->out_end)
        socket_want_write(&w->socket);
}

static void make_room(struct redis_wire *w, size_t length)
{
    if (w->out_size - w->out_end >= length)
        return;
    size_t waiting = w->out_end - w->out_from;
    if (w->out_from > 0)
        memmove(w->out, w->out + w->out_from, waiting);
    w->out_from = 0;
    w->out_end = waiting;
    if (w->out_size - waiting >= length && waiting <= w->out_size / 2)
        return;
    w->out_size = 2 * (waiting + length) < 4096 ? 4096 : 2 * (waiting + length);
    w->out = mem_resize(w->out, w->out_size);
}

void redis_wire_send(struct redis_wire *w, const struct text *words, size_t count)
{
    struct redis_command c = redis_reader_command(words, count);
    make_room(w, c.length);
    memcpy(w->out + w->out_end, c.at, c.length);
    w->out_end += c.length;
    w->queued += c.length;
    redis_reader_free_command(&c);
    if (w->is_ready)
        loop_defer(w->loop, &w->task);
}

/* ---- receiving ------------------------------------------------------------------------------ */

static void hand_over(struct redis_wire *w)
{
    struct redis_reply *reply = NULL;
    enum redis_read result = REDIS_READ_MORE;
    while (!w->is_closed && !w->has_ended &&
           (result = redis_reader_next(w->reader, &reply)) == REDIS_READ_REPLY) {
        w->handlers->on_reply(w->arg, reply);
        redis_reader_free_reply(&reply);
    }
    if (!w->is_closed && !w->has_ended && result == REDIS_READ_BAD)
        end(w, "the reply cannot be read: %.*s", TEXT_ARGS(redis_reader_reason(w->reader)));
}

static void on_readable(void *arg)
{
    struct redis_wire *w = arg;
    char piece[PIECE_SIZE];
    size_t got;
    switch (socket_read(&w->socket, piece, sizeof(piece), &got)) {
    case IO_DONE:
        redis_reader_feed(w->reader, text_from(piece, got));
        hand_over(w);
        return;
    case IO_AGAIN:
        return;
    case IO_EOF:
        end(w, "the server closed the connection");
        return;
    case IO_BROKEN:
        end_broken(w);
        return;
    }
}

static void on_writable(void *arg)
{
    send_waiting(arg);
}

/* ---- connecting ----------------------------------------------------------------------------- */

static void try_address(struct redis_wire *w);

static void try_next_address(struct redis_wire *w)
{
    socket_close(&w->socket);
    w->address_now++;
    try_address(w);
}

/* The last address' failure is the one that is told. */
static void fail_connecting(struct redis_wire *w)
{
    if (!w->is_shaking && w->address_now + 1 < w->address_count)
        try_next_address(w);
    else
        end_broken(w);
}

static void become_ready(struct redis_wire *w)
{
    w->is_ready = true;
    loop_defer(w->loop, &w->task);
}

static void on_connected(struct redis_wire *w)
{
    if (w->tls == NULL || w->is_shaking) {
        become_ready(w);
        return;
    }
    w->is_shaking = true;
    struct text name = w->server_name == NULL ? w->parts.host : text_of(w->server_name);
    if (socket_start_tls_client(&w->socket, w->tls, name, NULL) == IO_BROKEN)
        end_broken(w);
}

static void try_address(struct redis_wire *w)
{
    switch (socket_connect(&w->socket, &w->addresses[w->address_now])) {
    case IO_DONE:
        on_connected(w);
        return;
    case IO_AGAIN:
        return;
    case IO_EOF:
    case IO_BROKEN:
        fail_connecting(w);
        return;
    }
}

static void on_socket_ready(void *arg)
{
    struct redis_wire *w = arg;
    if (socket_is_ready(&w->socket))
        on_connected(w);
    else
        fail_connecting(w);
}

static void on_resolved(void *arg, const struct resolve_answer *answer)
{
    struct redis_wire *w = arg;
    w->query = NULL;
    if (answer->result != RESOLVE_OK || answer->count == 0) {
        end(w, "the name cannot be resolved: %s",
            answer->why == NULL ? "it has no address" : answer->why);
        return;
    }
    w->address_count = answer->count < ADDRESSES_MAX ? answer->count : ADDRESSES_MAX;
    memcpy(w->addresses, answer->addresses, w->address_count * sizeof(w->addresses[0]));
    try_address(w);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void go_on(void *arg)
{
    struct redis_wire *w = arg;
    if (w->has_ended) {
        w->handlers->on_end(w->arg, text_of(w->reason));
        return;
    }
    if (w->is_ready && !w->is_told) {
        w->is_told = true;
        w->handlers->on_ready(w->arg);
    }
    if (!w->is_closed)
        send_waiting(w);
}

static const struct socket_handlers socket_handlers = { on_socket_ready, on_readable, on_writable };

static void begin(struct redis_wire *w, const struct redis_wire_options *o)
{
    struct address literal;
    if (o->at != NULL)
        w->addresses[w->address_count++] = *o->at;
    else if (address_parse(text_of(w->server), &literal))
        w->addresses[w->address_count++] = literal;
    if (w->address_count > 0)
        try_address(w);
    else
        w->query = resolve_query_start(o->resolve, w->parts.host, w->parts.port, on_resolved, w);
}

struct redis_wire *redis_wire_open(const struct redis_wire_options *o,
                                   const struct redis_wire_handlers *handlers, void *arg)
{
    struct redis_wire *w = mem_new(sizeof(*w));
    w->handlers = handlers;
    w->arg = arg;
    w->loop = o->loop;
    w->server = mem_copy_text(o->server.at, o->server.length);
    if (!text_is_empty(o->server_name))
        w->server_name = mem_copy_text(o->server_name.at, o->server_name.length);
    w->tls = o->tls == NULL ? NULL : tls_client_ref(o->tls);
    w->reader = redis_reader_new(o->reply_max);
    loop_task_init(&w->task, go_on, w);
    socket_init(&w->socket, w->loop, &socket_handlers, w);
    if (address_split(text_of(w->server), &w->parts))
        begin(w, o);
    else
        end(w, "\"%s\" is no address", w->server);
    return w;
}

uint64_t redis_wire_queued(const struct redis_wire *w)
{
    return w->queued;
}

uint64_t redis_wire_gone(const struct redis_wire *w)
{
    return w->gone;
}

const struct address *redis_wire_address(const struct redis_wire *w)
{
    return &w->addresses[w->address_now];
}
