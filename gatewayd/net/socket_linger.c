/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socket_linger.c - closing towards a peer that is still sending.
 *
 * close(2) with unread bytes resets the connection, and a reset makes the peer forget the answer
 * it has not read yet. So the descriptor lives on for a moment, dropping what comes.
 */
#include <errno.h>
#include <unistd.h>

#include "conf/base/mem.h"
#include "gatewayd/core/metrics.h"
#include "gatewayd/net/socket_private.h"

#define SILENCE_MS 2000
#define LINGER_MS  30000
#define MAX_COUNT  1024 /* per worker: a flood of refused senders is reset instead */

struct lingerer {
    struct list node;
    struct loop_watch watch;
    struct loop_timer timer;
    struct metrics_block *place; /* counted; NULL: none */
    uint64_t until_ms;           /* the end, on the loop's clock */
    size_t left;                 /* bytes to drop yet */
};

static __thread struct list lingerers;
static __thread unsigned lingerer_count;
static __thread char dropped[65536];

static void free_lingerer(void *arg)
{
    struct lingerer *l = arg;
    MEM_FREE(&l);
}

static void finish(struct lingerer *l)
{
    loop_watch_stop(&l->watch);
    loop_timer_stop(&l->timer);
    close(l->watch.fd);
    list_remove(&l->node);
    lingerer_count--;
    if (l->place != NULL) {
        metrics_sub(l->place, METRIC_ADDRESS_LINGERING, 1);
        metrics_block_unref(&l->place);
    }
}

static void end(void *arg)
{
    struct lingerer *l = arg;
    finish(l);
    loop_bury(l->watch.loop, l, free_lingerer);
}

/* Until the peer has been silent for so long, or the end. */
static void wait(struct lingerer *l, uint64_t ms)
{
    uint64_t now = loop_now_ms(l->watch.loop);
    uint64_t left = l->until_ms > now ? l->until_ms - now : 0;
    loop_timer_start(&l->timer, ms < left ? ms : left);
}

static void on_readable(void *arg)
{
    struct lingerer *l = arg;
    ssize_t n = recv(l->watch.fd, dropped, sizeof(dropped), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || (size_t)n >= l->left) {
        end(l);
        return;
    }
    l->left -= (size_t)n;
    wait(l, SILENCE_MS);
}

static int give_up_fd(struct socket *s)
{
    socket_shutdown(s);
    int fd = dup(s->watch.fd); /* the socket closes its own, with TLS and all */
    socket_close(s);
    return fd;
}

void socket_close_lingering(struct socket *s, size_t max_bytes, struct metrics_block *place)
{
    if (s->state != SOCKET_READY || lingerer_count >= MAX_COUNT || max_bytes == 0) {
        socket_close(s);
        return;
    }
    struct loop *loop = s->watch.loop;
    int fd = give_up_fd(s);
    if (fd < 0)
        return;
    if (lingerers.next == NULL)
        list_init(&lingerers);
    struct lingerer *l = mem_new(sizeof(*l));
    l->left = max_bytes;
    if (place != NULL) {
        l->place = metrics_block_ref(place);
        metrics_add(place, METRIC_ADDRESS_LINGERING, 1);
    }
    list_add_last(&lingerers, &l->node);
    lingerer_count++;
    loop_watch_init(&l->watch, loop, fd, l);
    loop_watch_start_read(&l->watch, on_readable);
    loop_timer_init(&l->timer, loop, end, l);
    l->until_ms = loop_now_ms(loop) + LINGER_MS;
    wait(l, SILENCE_MS);
}

void socket_finish_lingering(struct loop *loop, uint64_t ms)
{
    if (lingerer_count == 0)
        return;
    LIST_EACH (node, &lingerers) {
        struct lingerer *l = LIST_ITEM(node, struct lingerer, node);
        uint64_t until_ms = loop_now_ms(loop) + ms;
        if (until_ms < l->until_ms)
            l->until_ms = until_ms;
        wait(l, ms < SILENCE_MS ? ms : SILENCE_MS);
    }
    while (lingerer_count > 0)
        loop_run_once(loop, true);
}

void socket_stop_lingering(void)
{
    while (lingerer_count > 0) {
        struct lingerer *l = LIST_ITEM(lingerers.next, struct lingerer, node);
        finish(l);
        free_lingerer(l);
    }
}
