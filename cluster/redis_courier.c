/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_courier.c - one bag for each call: packed by control, carried to the store's thread, and
 * back with the answer.
 */
#include "cluster/redis_courier.h"

#include "conf/base/mem.h"
#include "gatewayd/core/loop.h"

struct redis_courier {
    struct redis *redis;
    struct store_thread *thread;
    redis_courier_watch_fn *watch;
    void *watch_arg;
    bool is_closed;
    struct list out; /* bags; control's */
};

struct bag {
    struct list node;
    struct redis_courier *courier;
    struct mail mail;
    struct arena arena;
    struct redis_errand errand; /* words are in the arena */
    struct redis_answer answer;
    struct redis_value value;
    bool is_answered; /* control's: it was closed meanwhile */
};

/* ---- back on control ---- */

static void bag_free(struct bag *bag)
{
    list_remove(&bag->node);
    arena_reset(&bag->arena);
    MEM_FREE(&bag);
}

static void on_back(void *arg)
{
    struct bag *bag = arg;
    if (!bag->is_answered)
        bag->errand.done(bag->errand.arg, &bag->answer);
    bag_free(bag);
}

static void bring_back(struct bag *bag)
{
    mail_init(&bag->mail, on_back, bag);
    mailbox_post(store_thread_control(bag->courier->thread), &bag->mail);
}

/* ---- on the store's thread ---- */

static void on_result(void *arg, const struct redis_result *result)
{
    struct bag *bag = arg;
    bag->answer.outcome = result->outcome;
    bag->answer.reason = arena_copy(&bag->arena, result->reason);
    if (result->outcome == REDIS_ANSWERED || result->outcome == REDIS_REFUSED)
        redis_value_copy(result->reply, &bag->arena, &bag->value);
    bring_back(bag);
}

/* Where the server's clock is not known yet nothing may be changed: 0 is in the past. */
static void put_not_after(struct bag *bag, const struct redis_link *link)
{
    char number[TEXT_NUMBER_SIZE];
    struct text *words = (struct text *)(void *)bag->errand.words;
    int64_t now = redis_link_time_us(link);
    uint64_t not_after = now == 0 ? 0 : (uint64_t)(now + bag->errand.timeout_ms * 1000);
    size_t at = bag->errand.not_after_at != 0 ? bag->errand.not_after_at : bag->errand.key_count;
    words[at] = arena_copy(&bag->arena, text_print_u64(not_after, number));
}

static void put_other_run(struct bag *bag)
{
    struct text *words = (struct text *)(void *)bag->errand.words;
    if (bag->errand.run != 0 && bag->errand.run != bag->answer.run)
        words[bag->errand.count - 1] = TEXT_OF("0");
}

static void on_arrived(void *arg)
{
    struct bag *bag = arg;
    const struct redis_errand *e = &bag->errand;
    struct redis_link *link = redis_link_of(bag->courier->redis, e->use);
    bag->answer.run = redis_link_run_of_server(link);
    put_other_run(bag);
    if (e->has_not_after)
        put_not_after(bag, link);
    if (e->script == NULL) {
        redis_link_call(link,
                        &(struct redis_call){ e->words, e->count, e->timeout_ms, on_result, bag });
        return;
    }
    redis_link_run(link, &(struct redis_run){ .script = e->script,
                                              .words = e->words,
                                              .count = e->count,
                                              .key_count = e->key_count,
                                              .timeout_ms = e->timeout_ms,
                                              .done = on_result,
                                              .arg = bag });
}

/* ---- from control ---- */

void redis_courier_send(struct redis_courier *c, const struct redis_errand *errand)
{
    struct bag *bag = mem_new(sizeof(*bag));
    bag->courier = c;
    bag->errand = *errand;
    bag->answer = (struct redis_answer){ .outcome = REDIS_AWAY, .value = &bag->value };
    arena_init(&bag->arena, SIZE_MAX);
    list_add_last(&c->out, &bag->node);
    if (c->is_closed) {
        bag->answer.reason = TEXT_OF("This node is stopping.");
        bring_back(bag);
        return;
    }
    struct text *words = arena_alloc(&bag->arena, (errand->count + 1) * sizeof(*words));
    for (size_t i = 0; i < errand->count; i++)
        words[i] = arena_copy(&bag->arena, errand->words[i]);
    bag->errand.words = words;
    mail_init(&bag->mail, on_arrived, bag);
    mailbox_post(store_thread_mailbox(c->thread), &bag->mail);
}

/* ---- links ---- */

struct news {
    struct redis_courier *courier;
    enum redis_use use;
    bool is_up;
    char *reason;
};

static void on_news(void *arg)
{
    struct news *n = arg;
    if (!n->courier->is_closed)
        n->courier->watch(n->courier->watch_arg, n->use, n->is_up, text_of(n->reason));
    MEM_FREE(&n->reason);
    MEM_FREE(&n);
}

static void tell(struct redis_courier *c, enum redis_use use, struct redis_link *link, bool is_up)
{
    struct news *n = mem_new(sizeof(*n));
    struct text reason = redis_link_reason(link);
    *n = (struct news){ c, use, is_up, mem_copy_text(reason.at, reason.length) };
    mailbox_post_call(store_thread_control(c->thread), on_news, n);
}

static void on_calls_link(void *arg, struct redis_link *link, bool is_up)
{
    tell(arg, REDIS_CALLS, link, is_up);
}

static void on_follow_link(void *arg, struct redis_link *link, bool is_up)
{
    tell(arg, REDIS_FOLLOW, link, is_up);
}

struct renewal {
    struct redis_courier *courier;
    enum redis_use use;
    char *reason;
};

static void on_renew(void *arg)
{
    struct renewal *r = arg;
    redis_link_renew(redis_link_of(r->courier->redis, r->use), text_of(r->reason));
    MEM_FREE(&r->reason);
    MEM_FREE(&r);
}

void redis_courier_renew(struct redis_courier *c, enum redis_use use, struct text reason)
{
    if (c->is_closed)
        return;
    struct renewal *r = mem_new(sizeof(*r));
    *r = (struct renewal){ c, use, mem_copy_text(reason.at, reason.length) };
    mailbox_post_call(store_thread_mailbox(c->thread), on_renew, r);
}

/* ---- lifetime ---- */

struct redis_courier *redis_courier_new(struct redis *redis, struct store_thread *thread,
                                        redis_courier_watch_fn *watch, void *arg)
{
    struct redis_courier *c = mem_new(sizeof(*c));
    *c = (struct redis_courier){ redis, thread, watch, arg, false, { NULL, NULL } };
    list_init(&c->out);
    redis_watch(redis, REDIS_CALLS, on_calls_link, c);
    redis_watch(redis, REDIS_FOLLOW, on_follow_link, c);
    return c;
}

void redis_courier_close(struct redis_courier *c)
{
    static const struct redis_value nothing = { .kind = REDIS_REPLY_NIL };
    c->is_closed = true;
    LIST_EACH_SAFE (node, following, &c->out) {
        struct bag *bag = LIST_ITEM(node, struct bag, node);
        if (bag->is_answered)
            continue;
        bag->is_answered = true;
        bag->errand.done(
            bag->errand.arg,
            &(struct redis_answer){ REDIS_LOST, &nothing, TEXT_OF("This node is stopping."), 0 });
    }
}

bool redis_courier_is_idle(const struct redis_courier *c)
{
    return list_is_empty(&c->out);
}

void redis_courier_free(struct redis_courier **c)
{
    if (*c == NULL)
        return;
    MUST(list_is_empty(&(*c)->out));
    MEM_FREE(c);
}
