/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health_probe.c - one check from connecting to the verdict: a connection of its own, a deadline
 * over all of it, closed at the end.
 */
#include "gatewayd/health_private.h"

#include <stdarg.h>
#include <stdio.h>

#include "conf/base/mem.h"

#define REQUEST_CEILING (64u * 1024)

enum health_verdict health_probe_say(struct health_probe *p, enum health_verdict verdict,
                                     const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(p->because, sizeof(p->because), format, args);
    va_end(args);
    return verdict;
}

enum health_verdict health_probe_say_broken(struct health_probe *p, const char *what)
{
    char into[SOCKET_WHY_SIZE];
    struct text why = socket_print_why(&p->socket, into);

    return health_probe_say(p,
                            socket_why(&p->socket) == SOCKET_NO_RESOURCE ? HEALTH_NONE : HEALTH_BAD,
                            "%s: %.*s", what, TEXT_ARGS(why));
}

static void free_probe(void *arg)
{
    struct health_probe *p = arg;

    builder_fini(&p->request);
    MEM_FREE(&p);
}

void health_probe_stop(struct health_probe **probe)
{
    struct health_probe *p = *probe;

    *probe = NULL;
    if (p == NULL)
        return;
    socket_close(&p->socket);
    loop_timer_stop(&p->timer);
    loop_task_cancel(&p->task);
    loop_bury(p->loop, p, free_probe);
}

/* From the loop, never from health_probe_start. */
static void conclude(struct health_probe *p, enum health_verdict verdict)
{
    if (verdict == HEALTH_WAIT)
        return;
    p->done(p->arg, verdict, p->because);
    health_probe_stop(&p);
}

static void on_known(void *arg)
{
    struct health_probe *p = arg;

    conclude(p, p->verdict);
}

static void on_timeout(void *arg)
{
    struct health_probe *p = arg;
    char number[TEXT_NUMBER_SIZE];
    struct text timeout = text_print_duration(p->question.health->timeout, number);

    conclude(p, health_probe_say(p, HEALTH_BAD, "timeout after %.*s", TEXT_ARGS(timeout)));
}

/* Connected: shake hands if that is still to be done, then ask. */
static enum health_verdict connected(struct health_probe *p)
{
    const struct health_question *q = &p->question;

    if (q->tls == NULL || p->is_shaken)
        return q->type->begin(p);
    p->is_shaken = true;
    if (socket_start_tls_client(&p->socket, q->tls, q->server_name, NULL) == IO_BROKEN)
        return health_probe_say_broken(p, "tls");
    return HEALTH_WAIT;
}

static void on_ready(void *arg)
{
    struct health_probe *p = arg;

    if (!socket_is_ready(&p->socket))
        conclude(p, health_probe_say_broken(p, p->is_shaken ? "tls" : "connect"));
    else
        conclude(p, connected(p));
}

static void on_event(void *arg)
{
    struct health_probe *p = arg;

    if (p->question.type->go_on != NULL)
        conclude(p, p->question.type->go_on(p));
    else
        socket_pause_read(&p->socket);
}

static const struct socket_handlers handlers = { on_ready, on_event, on_event };

static enum health_verdict connect_now(struct health_probe *p)
{
    switch (socket_connect(&p->socket, &p->question.target->address)) {
    case IO_DONE:
        return connected(p);
    case IO_AGAIN:
        return HEALTH_WAIT;
    case IO_EOF:
    case IO_BROKEN:
        break;
    }
    return health_probe_say_broken(p, "connect");
}

struct health_probe *health_probe_start(struct loop *loop, const struct health_question *question,
                                        health_done_fn *done, void *arg)
{
    struct health_probe *p = mem_new(sizeof(*p));

    p->question = *question;
    p->loop = loop;
    p->done = done;
    p->arg = arg;
    builder_init(&p->request, REQUEST_CEILING);
    loop_timer_init(&p->timer, loop, on_timeout, p);
    loop_task_init(&p->task, on_known, p);
    socket_init(&p->socket, loop, &handlers, p);
    loop_timer_start(&p->timer, (uint64_t)question->health->timeout);
    p->verdict = connect_now(p);
    if (p->verdict != HEALTH_WAIT)
        loop_defer(loop, &p->task);
    return p;
}
