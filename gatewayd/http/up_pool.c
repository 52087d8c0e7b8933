/* SPDX-License-Identifier: Apache-2.0 */
/* up_pool.c - see up_pool.h. */
#include "gatewayd/http/up_place.h"

#include "conf/base/mem.h"

/* How many connections that were released in this turn are passed over to find another. */
#define LOOK_MAX 8

struct up_pool *up_pool_new(struct loop *loop, struct buffer_pool *buffers, struct up_limits limits)
{
    struct up_pool *p = mem_new(sizeof(*p));

    p->loop = loop;
    p->buffers = buffers;
    p->limits = limits;
    list_init(&p->connections);
    return p;
}

void up_pool_free(struct up_pool **pool_at)
{
    struct up_pool *p = *pool_at;

    LIST_EACH_SAFE (node, next, &p->connections) {
        struct h1_up *c = LIST_ITEM(node, struct h1_up, all);
        MUST(c->state == H1_UP_IDLE);
        h1_up_close(c);
    }
    MEM_FREE(pool_at);
}

void up_pool_set_limits(struct up_pool *p, struct up_limits limits)
{
    p->limits = limits;
}

/* ---- places ------------------------------------------------------------------------------- */

static struct up_place **bucket_of(struct up_pool *p, const void *key)
{
    uint64_t mixed = (uint64_t)(uintptr_t)key * 0x9E3779B97F4A7C15ull;

    return &p->places[mixed >> 54];
}

static struct up_place *find(struct up_pool *p, const void *key, const struct tls_client *tls)
{
    struct up_place *place = *bucket_of(p, key);

    while (place != NULL && (place->key != key || place->tls != tls)) {
        place = place->next;
    }
    return place;
}

static struct up_place *get(struct up_pool *p, void *key, const struct tls_client *tls)
{
    struct up_place *place = find(p, key, tls);

    if (place != NULL) {
        return place;
    }
    struct up_place **bucket = bucket_of(p, key);
    place = mem_new(sizeof(*place));
    place->key = key;
    place->tls = tls;
    place->next = *bucket;
    list_init(&place->idle);
    tls_session_init(&place->session);
    *bucket = place;
    return place;
}

static void free_place(void *arg)
{
    struct up_place *place = arg;

    tls_session_fini(&place->session);
    MEM_FREE(&place);
}

static void remove_place(struct up_pool *p, struct up_place *place)
{
    struct up_place **at = bucket_of(p, place->key);

    while (*at != place) {
        at = &(*at)->next;
    }
    *at = place->next;
    loop_bury(p->loop, place, free_place);
}

/* ---- keeping ------------------------------------------------------------------------------ */

static struct h1_up *first_idle(const struct up_place *place)
{
    return list_is_empty(&place->idle) ? NULL : LIST_ITEM(place->idle.next, struct h1_up, node);
}

/* The last used that has been idle while the loop looked at the descriptors; NULL: none nearby. */
static struct h1_up *find_rested(const struct up_pool *p, const struct up_place *place)
{
    unsigned looks = 0;

    LIST_EACH (node, &place->idle) {
        struct h1_up *c = LIST_ITEM(node, struct h1_up, node);
        if (c->idle_turn != loop_turn_number(p->loop)) {
            return c;
        }
        if (++looks == LOOK_MAX) {
            break;
        }
    }
    return NULL;
}

/* An idle connection to be lent; NULL: none. */
static struct h1_up *choose_idle(const struct up_pool *p, const struct up_place *place)
{
    struct h1_up *c = find_rested(p, place);

    while (c == NULL && (c = first_idle(place)) != NULL && socket_has_unread(&c->socket)) {
        h1_up_close(c); /* the place may go with it, but not before the end of the turn */
        c = NULL;
    }
    return c;
}

static void take_idle(struct up_pool *p, struct h1_up *c)
{
    list_remove(&c->node);
    c->place->idle_count--;
    p->counts.idle--;
}

void up_pool_keep(struct up_pool *p, struct h1_up *c)
{
    struct up_place *place = c->place;

    p->counts.lent--;
    if (c->origin.keep_idle == 0 || place->is_dropped) {
        h1_up_close(c);
        return;
    }
    c->idle_turn = loop_turn_number(p->loop);
    list_add_first(&place->idle, &c->node);
    place->idle_count++;
    p->counts.idle++;
    if (place->idle_count > c->origin.keep_idle) {
        h1_up_close(LIST_ITEM(place->idle.prev, struct h1_up, node));
    }
}

void up_pool_forget(struct up_pool *p, struct h1_up *c)
{
    struct up_place *place = c->place;

    if (c->state == H1_UP_IDLE && !list_is_empty(&c->node)) {
        take_idle(p, c);
    } else if (c->state != H1_UP_IDLE) {
        p->counts.lent--;
    }
    list_remove(&c->all);
    if (--place->count == 0) {
        remove_place(p, place);
    }
    if (c->origin.on_closed != NULL) {
        c->origin.on_closed(c->origin.key);
    }
}

/* ---- lending ------------------------------------------------------------------------------ */

static struct h1_up *open_new(struct up_pool *p, const struct up_origin *origin)
{
    struct up_place *place = get(p, origin->key, origin->tls);

    place->count++;
    place->is_dropped &= origin->keep_idle == 0;
    p->counts.opened++;
    if (origin->on_opened != NULL) {
        origin->on_opened(origin->key);
    }
    struct h1_up *c = h1_up_new(p, place, origin);
    list_add_last(&p->connections, &c->all);
    return c;
}

struct up *up_open(struct up_pool *p, const struct up_origin *origin, bool fresh,
                   const struct up_user *user, void *owner)
{
    struct up_place *place = fresh ? NULL : find(p, origin->key, origin->tls);
    struct h1_up *c = place == NULL ? NULL : choose_idle(p, place);

    p->counts.lent++;
    if (c != NULL) {
        take_idle(p, c);
        p->counts.reused++;
        c->origin.response_timeout_ms = origin->response_timeout_ms;
        c->origin.idle_timeout_ms = origin->idle_timeout_ms;
        c->origin.keep_idle = origin->keep_idle;
        c->origin.keep_timeout_ms = origin->keep_timeout_ms;
        c->origin.keep_requests = origin->keep_requests;
    } else {
        c = open_new(p, origin);
    }
    h1_up_lend(c, user, owner);
    return &c->up;
}

void up_pool_drop(struct up_pool *p, const void *key, const struct tls_client *tls)
{
    struct up_place *place = find(p, key, tls);

    if (place == NULL) {
        return;
    }
    place->is_dropped = true;
    /* The last connection takes the place along. */
    for (unsigned n = place->idle_count; n > 0; n--) {
        h1_up_close(first_idle(place));
    }
}

struct up_pool_counts up_pool_counts(const struct up_pool *p)
{
    return p->counts;
}
