/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ha_hold.c - asks gatewayd-hold (FOLDER/hold.sock): a line there, a line back. It is not waited
 * for: what it does takes some milliseconds, less than what is in flight.
 */
#include <errno.h>
#include <stdio.h>

#include "conf/base/mem.h"
#include "gatewayd/ha_private.h"
#include "gatewayd/net/socket.h"

#define TIMEOUT_MS  500
#define LINE_SIZE   128
#define ANSWER_SIZE 256

struct call {
    struct list node;
    struct ha *ha;
    struct ha_place *place;
    struct socket socket;
    struct loop_timer deadline;
    char line[LINE_SIZE];
    char answer[ANSWER_SIZE];
    size_t filled;
};

static void free_call(void *arg)
{
    struct call *call = arg;
    MEM_FREE(&call);
}

static void end(struct call *call)
{
    loop_timer_stop(&call->deadline);
    socket_close(&call->socket);
    list_remove(&call->node);
    loop_bury(call->ha->loop, call, free_call);
}

static void note(const struct call *call, enum ha_hold outcome)
{
    if (call->place->drain.hold == HA_HOLD_ASKED)
        call->place->drain.hold = outcome;
}

/* Said once, until it works again. */
static void fail(struct call *call, const char *why)
{
    if (!call->ha->hold.is_missed)
        log_warn(&call->ha->log,
                 "new handshakes cannot be held back while an address moves: gatewayd-hold %s",
                 why);
    call->ha->hold.is_missed = true;
    note(call, HA_HOLD_FAILED);
    end(call);
}

static void on_deadline(void *arg)
{
    fail(arg, "does not answer");
}

static void send_line(struct call *call)
{
    struct iovec line = { .iov_base = call->line, .iov_len = strlen(call->line) };
    size_t written = 0;

    if (socket_writev(&call->socket, &line, 1, &written) != IO_DONE)
        fail(call, "does not listen");
}

static void on_ready(void *arg)
{
    struct call *call = arg;

    if (socket_is_ready(&call->socket))
        send_line(call);
    else
        fail(call, "cannot be reached");
}

static void take_answer(struct call *call)
{
    struct text line =
        text_from(call->answer, text_find_byte(text_from(call->answer, call->filled), '\n'));

    if (text_equals(line, TEXT_OF("ok"))) {
        call->ha->hold.is_missed = false;
        note(call, HA_HOLD_DONE);
        end(call);
        return;
    }
    call->answer[line.length < sizeof(call->answer) ? line.length : 0] = '\0';
    fail(call, call->answer);
}

static void on_readable(void *arg)
{
    struct call *call = arg;
    size_t got = 0;

    switch (socket_read(&call->socket, call->answer + call->filled,
                        sizeof(call->answer) - call->filled, &got)) {
    case IO_DONE:
        call->filled += got;
        if (call->filled == sizeof(call->answer) ||
            memchr(call->answer, '\n', call->filled) != NULL)
            take_answer(call);
        return;
    case IO_AGAIN:
        return;
    case IO_EOF:
    case IO_BROKEN:
        fail(call, "ended the connection");
        return;
    }
}

static const struct socket_handlers handlers = {
    .on_ready = on_ready,
    .on_readable = on_readable,
};

static bool print_address(const struct ha *ha, struct address *to)
{
    char text[128];
    int length = snprintf(text, sizeof(text), "unix:%s/hold.sock", ha->folder);

    return length > 0 && (size_t)length < sizeof(text) && address_parse(text_of(text), to);
}

void ha_hold_ask(struct ha_place *p, unsigned ms)
{
    struct ha *ha = p->ha;
    struct call *call = mem_new(sizeof(*call));
    struct address to;

    call->ha = ha;
    call->place = p;
    if (ms > 0)
        snprintf(call->line, sizeof(call->line), "hold %.*s %u\n", TEXT_ARGS(p->address->name), ms);
    else
        snprintf(call->line, sizeof(call->line), "release %.*s\n", TEXT_ARGS(p->address->name));
    list_add_last(&ha->hold.calls, &call->node);
    loop_timer_init(&call->deadline, ha->loop, on_deadline, call);
    socket_init(&call->socket, ha->loop, &handlers, call);
    if (!print_address(ha, &to)) {
        fail(call, "has a socket with too long a name");
        return;
    }
    switch (socket_connect(&call->socket, &to)) {
    case IO_DONE:
        loop_timer_start(&call->deadline, TIMEOUT_MS);
        send_line(call);
        return;
    case IO_AGAIN:
        loop_timer_start(&call->deadline, TIMEOUT_MS);
        return;
    case IO_EOF:
    case IO_BROKEN:
        fail(call, "is not there");
        return;
    }
}

void ha_hold_stop(struct ha *ha)
{
    LIST_EACH_SAFE (node, next, &ha->hold.calls)
        end(LIST_ITEM(node, struct call, node));
}
