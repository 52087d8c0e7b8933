/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_proxy.c - connections that begin with a PROXY header: it is looked at in the kernel's
 * buffer and taken out of it exactly, in as many pieces as it comes, so that codec and TLS find the
 * first byte of their own.
 *
 * Addresses are believed if the sender is in trusted_proxies; of anybody else the header is read
 * and its addresses are not used.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/base/mem.h"
#include "gatewayd/core/metrics.h"
#include "gatewayd/net/proxy_protocol.h"
#include "gatewayd/worker_private.h"

struct proxy_wait {
    struct list node;
    struct worker_listener *listener;
    const struct down_listener *down;
    struct loop_watch watch;
    struct loop_timer deadline;
    struct address peer;
    int fd;
    size_t filled; /* bytes of the header that were taken */
    char seen[PROXY_PROTOCOL_MAX];
};

static void free_wait(void *arg)
{
    struct proxy_wait *p = arg;
    MEM_FREE(&p);
}

static void end_wait(struct proxy_wait *p)
{
    struct worker *w = p->listener->worker;

    loop_watch_stop(&p->watch);
    loop_timer_stop(&p->deadline);
    list_remove(&p->node);
    loop_bury(w->loop, p, free_wait);
}

static void drop(struct proxy_wait *p)
{
    struct worker *w = p->listener->worker;

    end_wait(p);
    close(p->fd);
    metrics_add(metrics_node(), METRIC_CONNECTIONS_DROPPED, 1);
    metrics_sub(p->listener->down.metrics, METRIC_LISTENER_CONNECTIONS, 1);
    worker_forget_connection(w, worker_place_of(p->down));
}

static void pass_on(struct proxy_wait *p, const struct proxy_protocol *header)
{
    const struct exchanges *all = p->listener->down.exchanges;
    bool is_believed =
        p->listener->is_unix || forwarded_is_trusted(&all->settings.trusted, &p->peer);
    const struct address *peer = header->has_addresses && is_believed ? &header->source : &p->peer;

    end_wait(p);
    worker_take_connection(p->listener, p->down, p->fd, peer);
}

static void refuse(struct proxy_wait *p)
{
    log_debug(&p->listener->worker->log, "a connection without a right PROXY header was closed");
    drop(p);
}

/* Takes what belongs to the header out of the kernel's buffer. False: it is not there any more. */
static bool take(struct proxy_wait *p, size_t length)
{
    if (recv(p->fd, p->seen + p->filled, length, MSG_DONTWAIT) != (ssize_t)length)
        return false;
    p->filled += length;
    return true;
}

static void on_readable(void *arg)
{
    struct proxy_wait *p = arg;
    struct proxy_protocol header;
    size_t used = 0;
    ssize_t n =
        recv(p->fd, p->seen + p->filled, sizeof(p->seen) - p->filled, MSG_PEEK | MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        drop(p);
        return;
    }
    switch (proxy_protocol_parse(text_from(p->seen, p->filled + (size_t)n), &header, &used)) {
    case PROXY_PROTOCOL_DONE:
        if (take(p, used - p->filled))
            pass_on(p, &header);
        else
            drop(p);
        return;
    case PROXY_PROTOCOL_MORE:
        /* All of it belongs to the header; left there, it would be announced in every turn. */
        if (!take(p, (size_t)n) || p->filled == sizeof(p->seen))
            refuse(p);
        return;
    case PROXY_PROTOCOL_BAD:
        refuse(p);
        return;
    }
}

static void on_deadline(void *arg)
{
    drop(arg);
}

void worker_await_proxy(struct worker_listener *l, const struct down_listener *down, int fd,
                        const struct address *peer)
{
    struct worker *w = l->worker;
    struct proxy_wait *p = mem_new(sizeof(*p));

    p->listener = l;
    p->down = down;
    p->peer = *peer;
    p->fd = fd;
    list_add_last(&w->proxies, &p->node);
    loop_timer_init(&p->deadline, w->loop, on_deadline, p);
    loop_timer_start(&p->deadline, (uint64_t)w->server.header_timeout_ms);
    loop_watch_init(&p->watch, w->loop, fd, p);
    loop_watch_start_read(&p->watch, on_readable);
}

void worker_close_proxies(struct worker *w)
{
    while (!list_is_empty(&w->proxies))
        drop(LIST_ITEM(w->proxies.next, struct proxy_wait, node));
}
