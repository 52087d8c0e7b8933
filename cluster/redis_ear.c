/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_ear.c - SUBSCRIBE +switch-master, a PING now and then, and again with back-off when the
 * sentinel is gone.
 */
#include "cluster/redis_ear.h"

#include "cluster/redis_backoff.h"
#include "cluster/redis_sentinel.h"
#include "cluster/redis_wire.h"
#include "conf/base/mem.h"
#include "gatewayd/core/loop.h"

#define PING_MS        2000
#define RETRY_FIRST_MS 200
#define RETRY_MOST_MS  5000

struct redis_ear {
    const struct redis_access *access;
    redis_ear_fn *heard;
    void *arg;
    char *sentinel;
    struct redis_wire *wire; /* NULL: waits for the next try */
    struct loop_timer timer;
    struct redis_backoff backoff;
    bool is_answered; /* something came since the last PING */
    bool was_deaf;    /* something may have been missed */
};

static void free_ear(void *arg)
{
    struct redis_ear *e = arg;
    MEM_FREE(&e->sentinel);
    MEM_FREE(&e);
}

void redis_ear_stop(struct redis_ear **ear)
{
    struct redis_ear *e = *ear;
    *ear = NULL;
    if (e == NULL)
        return;
    redis_wire_close(&e->wire);
    loop_timer_stop(&e->timer);
    loop_bury(e->access->loop, e, free_ear);
}

static void hang_up(struct redis_ear *e)
{
    redis_wire_close(&e->wire);
    e->was_deaf = true;
    loop_timer_start(&e->timer, redis_backoff_next(&e->backoff));
}

static void on_ready(void *arg)
{
    struct redis_ear *e = arg;
    (void)redis_sentinel_login(e->access, e->wire);
    redis_wire_send(e->wire, (struct text[]){ TEXT("SUBSCRIBE"), TEXT("+switch-master") }, 2);
}

/* "message", "+switch-master", "NAME OLD-IP OLD-PORT NEW-IP NEW-PORT" */
static bool is_of_ours(const struct redis_ear *e, const struct redis_reply *reply)
{
    struct text payload = redis_reply_text(redis_reply_at(reply, 2));
    struct text name = text_first(payload, text_find_byte(payload, ' '));
    return text_equals(name, e->access->config->sentinel->master);
}

static void on_reply(void *arg, const struct redis_reply *reply)
{
    struct redis_ear *e = arg;
    struct text kind = redis_reply_text(redis_reply_at(reply, 0));
    e->is_answered = true;
    if (redis_reply_kind(reply) == REDIS_REPLY_ERROR) {
        hang_up(e);
        return;
    }
    bool is_news = text_equals(kind, TEXT_OF("message")) && is_of_ours(e, reply);
    if (text_equals(kind, TEXT_OF("subscribe"))) {
        redis_backoff_reset(&e->backoff);
        is_news = e->was_deaf;
        e->was_deaf = false;
    }
    if (is_news)
        e->heard(e->arg);
}

static void on_end(void *arg, struct text reason)
{
    hang_up(arg);
}

static const struct redis_wire_handlers handlers = { on_ready, on_reply, on_end };

static void listen_again(struct redis_ear *e)
{
    e->is_answered = false;
    e->wire = redis_sentinel_open(e->access, text_of(e->sentinel), &handlers, e);
    loop_timer_start(&e->timer, PING_MS);
}

static void on_timer(void *arg)
{
    struct redis_ear *e = arg;
    if (e->wire == NULL) {
        listen_again(e);
        return;
    }
    if (!e->is_answered) {
        hang_up(e);
        return;
    }
    e->is_answered = false;
    redis_wire_send(e->wire, (struct text[]){ TEXT("PING") }, 1);
    loop_timer_start(&e->timer, PING_MS);
}

struct redis_ear *redis_ear_start(const struct redis_access *access, struct text sentinel,
                                  redis_ear_fn *heard, void *arg)
{
    struct redis_ear *e = mem_new(sizeof(*e));
    e->access = access;
    e->heard = heard;
    e->arg = arg;
    e->sentinel = mem_copy_text(sentinel.at, sentinel.length);
    redis_backoff_init(&e->backoff, RETRY_FIRST_MS, RETRY_MOST_MS);
    loop_timer_init(&e->timer, access->loop, on_timer, e);
    listen_again(e);
    return e;
}
