/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listen_acceptor.c - accepting on one worker, and knowing when not to.
 */
#include <errno.h>
#include <unistd.h>

#include "gatewayd/core/log.h"
#include "gatewayd/core/metrics.h"
#include "gatewayd/net/listen_private.h"

#define RETRY_MS 20

static const struct log_scope scope = { .subject = LOG_SUBJECT_listener };

static void on_readable(void *arg);

static void watch_or_not(struct listen_acceptor *a)
{
    bool is_paused = loop_timer_is_started(&a->retry);
    if (a->is_started && !a->is_held && !is_paused)
        loop_watch_start_read(&a->watch, on_readable);
    else
        loop_watch_stop_read(&a->watch);
}

static void on_retry(void *arg)
{
    watch_or_not(arg);
}

static void pause_accepting(struct listen_acceptor *a, enum metric reason)
{
    metrics_add(metrics_node(), reason, 1);
    loop_timer_start(&a->retry, RETRY_MS);
    watch_or_not(a);
}

static bool is_out_of_resources(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void give_back(struct listen_acceptor *a)
{
    if (a->budget != NULL)
        listen_budget_give(a->budget);
}

/* True if there may be more. */
static bool accept_one(struct listen_acceptor *a)
{
    if (a->budget != NULL && !listen_budget_try_take(a->budget)) {
        pause_accepting(a, METRIC_ACCEPT_PAUSES_CONNECTIONS);
        return false;
    }
    struct address peer = { .length = sizeof(peer.local) };
    int fd = accept4(a->watch.fd, &peer.any, &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        listen_hold_take_over(fd);
        a->fn(a->arg, fd, &peer);
        return true;
    }
    int error = errno;
    give_back(a);
    if (error == EAGAIN)
        return false;
    if (is_out_of_resources(error)) {
        log_debug(&scope, "accepting pauses: out of descriptors or memory");
        pause_accepting(a, METRIC_ACCEPT_PAUSES_DESCRIPTORS);
        return false;
    }
    /* The connection was gone again, or had an error of its network (accept(2)). */
    return true;
}

static void on_readable(void *arg)
{
    struct listen_acceptor *a = arg;
    for (int i = 0; i < LISTEN_BATCH; i++) {
        /* The callee may have stopped or held us. */
        if (!a->watch.is_reading || !accept_one(a))
            return;
    }
}

void listen_acceptor_start(struct listen_acceptor *a, struct loop *loop, int fd,
                           struct listen_budget *budget, listen_fn *fn, void *arg)
{
    *a = (struct listen_acceptor){ .budget = budget, .fn = fn, .arg = arg, .is_started = true };
    loop_watch_init(&a->watch, loop, fd, a);
    loop_timer_init(&a->retry, loop, on_retry, a);
    watch_or_not(a);
}

/* Bounded by what the kernel queues: new ones are refused by then, or never end. */
void listen_acceptor_finish(struct listen_acceptor *a)
{
    for (unsigned i = 0; a->is_started && i < LISTEN_BACKLOG && accept_one(a); i++)
        continue;
    listen_acceptor_stop(a);
}

void listen_acceptor_stop(struct listen_acceptor *a)
{
    if (!a->is_started)
        return;
    a->is_started = false;
    loop_timer_stop(&a->retry);
    watch_or_not(a);
}

void listen_acceptor_hold(struct listen_acceptor *a)
{
    a->is_held = true;
    if (a->is_started)
        watch_or_not(a);
}

void listen_acceptor_resume(struct listen_acceptor *a)
{
    a->is_held = false;
    if (a->is_started)
        watch_or_not(a);
}
