/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_places.c - virtual addresses: a listener on every address of the node takes connections to
 * several of them, and each may be drained alone. A connection is told apart once, when it is
 * accepted, by the address it was made to; its listener is then the one of that address.
 */
#include "conf/base/mem.h"
#include "conf/ha_addresses.h"
#include "gatewayd/core/metrics.h"
#include "gatewayd/worker_private.h"

void worker_init_places(struct worker *w)
{
    const struct ha_addresses *all = w->settings.addresses;

    if (all == NULL)
        return;
    w->place_count = all->count;
    w->places = mem_new_array(all->count, sizeof(w->places[0]));
    for (size_t i = 0; i < all->count; i++)
        w->places[i].metrics = metrics_block_new(METRICS_ADDRESS, &all->items[i].name);
}

void worker_fini_places(struct worker *w)
{
    for (size_t i = 0; i < w->place_count; i++)
        metrics_block_unref(&w->places[i].metrics);
    MEM_FREE(&w->places);
}

static bool is_same_ip(const struct address *a, const struct address *b)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    if (a->any.sa_family == AF_INET)
        return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    return a->any.sa_family == AF_INET6 &&
           memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0;
}

static size_t find_place(const struct worker *w, const struct address *local)
{
    const struct ha_addresses *all = w->settings.addresses;

    for (size_t i = 0; i < w->place_count; i++) {
        if (is_same_ip(&all->items[i].at, local))
            return i;
    }
    return w->place_count;
}

/* A listener on one address needs no look at each connection. */
void worker_init_listener_places(struct worker_listener *l)
{
    struct worker *w = l->worker;
    const struct address *at = &w->node->listeners.items[l - w->listeners].at;

    if (w->place_count == 0 || at->any.sa_family == AF_UNIX)
        return;
    if (!address_is_any(at)) {
        size_t i = find_place(w, at);
        l->down.place = i < w->place_count ? &w->places[i] : NULL;
        return;
    }
    l->at_places = mem_new_array(w->place_count, sizeof(l->at_places[0]));
    for (size_t i = 0; i < w->place_count; i++) {
        l->at_places[i] = l->down;
        l->at_places[i].place = &w->places[i];
    }
}

const struct down_listener *worker_find_down(const struct worker_listener *l, int fd)
{
    struct address local = { .length = sizeof(local.local) };

    if (l->at_places == NULL || getsockname(fd, &local.any, &local.length) != 0)
        return &l->down;
    size_t i = find_place(l->worker, &local);
    return i < l->worker->place_count ? &l->at_places[i] : &l->down;
}

void worker_obey_place(struct worker *w, size_t place, enum worker_place_order order,
                       uint64_t spread_ms)
{
    struct down_place *p = &w->places[place];

    switch (order) {
    case WORKER_PLACE_DRAIN:
        h1_server_mark(&w->server, p->metrics, true);
        exchanges_drain_place(&w->exchanges, p, spread_ms);
        return;
    case WORKER_PLACE_UNDRAIN:
        h1_server_mark(&w->server, p->metrics, false);
        exchanges_undrain_place(&w->exchanges, p);
        return;
    case WORKER_PLACE_MARK:
        h1_server_mark(&w->server, p->metrics, true);
        return;
    case WORKER_PLACE_CLOSE_KEPT:
        h1_server_close_kept_of(&w->server, p->metrics);
        return;
    case WORKER_PLACE_CUT:
        h1_server_close_all_of(&w->server, p->metrics);
        return;
    }
}
