/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heartbeat.c - one call at a time, on the store's thread; what comes of it is mailed to control.
 */
#include "cluster/heartbeat.h"

#include <stdatomic.h>
#include <stdio.h>

#include "cluster/redis.h"
#include "cluster/redis_scripts.h"
#include "conf/base/mem.h"

#define EACH_MS       1000
#define HURRIED_LEAST 2
#define HURRIED_MOST  50
#define TIMEOUT_MS    2000
#define BREAK_MS      5000 /* between two answers: then Redis was away */

REDIS_SCRIPT(heartbeat);

struct heartbeat {
    struct heartbeat_settings settings;
    char *name;
    char *incarnation;
    char kept[TEXT_NUMBER_SIZE];

    /* The store's thread. */
    struct redis_link *link;
    struct text key;
    struct text head;
    struct loop_timer timer;
    char *said; /* NULL: nothing was said yet */
    bool is_busy;
    bool has_news;
    bool has_written;
    bool is_held;
    bool is_hurried;
    uint64_t hurried_ms;
    uint64_t answered_ms; /* of the loop; 0: never, or Redis was away since */

    /* Control. */
    bool is_stopped;
    bool has_left;
};

/* From control to the store's thread. */
struct order {
    struct heartbeat *h;
    char *name;
    char *incarnation;
    char *said;
    bool is_hurried;
    bool is_leaving;
    heartbeat_removed_fn *removed;
    void *arg;
    bool is_done;
    char *reason;
};

/* From the store's thread to control: an answer, copied. */
struct look {
    struct heartbeat *h;
    struct arena arena;
    struct members_row *rows;
    struct members_read read;
};

static void beat(struct heartbeat *h);

/* ---- answers ---- */

static void on_look(void *arg)
{
    struct look *look = arg;
    struct heartbeat *h = look->h;
    if (!h->is_stopped)
        h->settings.on_read(h->settings.arg, &look->read);
    arena_reset(&look->arena);
    MEM_FREE(&look);
}

/* "MS INCARNATION rest" */
static bool parse_row(struct arena *arena, struct text name, struct text value,
                      struct members_row *out)
{
    struct text ms;
    struct text incarnation;
    uint64_t seen;
    if (!text_cut(&value, ' ', &ms) || !text_cut(&value, ' ', &incarnation) ||
        !text_parse_u64(ms, &seen) || seen > INT64_MAX)
        return false;
    bool is_gone = text_starts_with(value, TEXT_OF("-"));
    *out = (struct members_row){ .name = arena_copy(arena, name),
                                 .seen_ms = (int64_t)seen,
                                 .is_gone = is_gone,
                                 .said = arena_copy(arena, is_gone ? incarnation : value) };
    return true;
}

static void report(struct heartbeat *h, const struct redis_reply *reply)
{
    size_t count = redis_reply_count(reply);
    struct look *look = mem_new(sizeof(*look));
    uint64_t now = loop_now_ms(h->timer.loop);
    look->h = h;
    arena_init(&look->arena, SIZE_MAX);
    look->rows = arena_alloc(&look->arena, (count / 2 + 1) * sizeof(*look->rows));
    look->read.rows = look->rows;
    look->read.is_shared_name =
        text_equals(redis_reply_text(redis_reply_at(reply, 2)), TEXT_OF("1"));
    if (!redis_reply_integer(redis_reply_at(reply, 1), &look->read.now_ms))
        look->read.now_ms = 0;
    if (h->answered_ms != 0 && now - h->answered_ms < BREAK_MS)
        look->read.elapsed_ms = (int64_t)(now - h->answered_ms);
    h->answered_ms = now;
    for (size_t i = 3; i + 1 < count; i += 2) {
        if (parse_row(&look->arena, redis_reply_text(redis_reply_at(reply, i)),
                      redis_reply_text(redis_reply_at(reply, i + 1)),
                      &look->rows[look->read.count]))
            look->read.count++;
    }
    mailbox_post_call(store_thread_control(h->settings.thread), on_look, look);
}

static void rest(struct heartbeat *h)
{
    uint64_t ms = EACH_MS;
    if (h->is_hurried) {
        ms = h->hurried_ms;
        h->hurried_ms = ms * 2 < HURRIED_MOST ? ms * 2 : HURRIED_MOST;
    }
    loop_timer_start(&h->timer, ms);
}

/* In another cluster's Redis nothing was said and nobody heard of. */
static bool is_answered(const struct redis_result *result)
{
    return result->outcome == REDIS_ANSWERED &&
           !text_equals(redis_reply_text(redis_reply_at(result->reply, 0)), TEXT_OF("foreign"));
}

static void on_beaten(void *arg, const struct redis_result *result)
{
    struct heartbeat *h = arg;
    h->is_busy = false;
    if (is_answered(result)) {
        h->has_written = !h->is_held;
        report(h, result->reply);
    } else {
        h->answered_ms = 0;
    }
    if (h->has_news && result->outcome == REDIS_ANSWERED)
        beat(h);
    else if (!h->is_held)
        rest(h);
}

/* ---- beating ---- */

static void beat(struct heartbeat *h)
{
    if (h->said == NULL || h->is_busy) {
        h->has_news = true;
        return;
    }
    struct text words[] = {
        h->key,           h->head,
        TEXT_OF("beat"),  redis_cluster(h->settings.redis),
        text_of(h->name), text_of(h->incarnation),
        text_of(h->said), h->has_written ? TEXT_OF("1") : TEXT_OF("0"),
        text_of(h->kept),
    };
    h->is_busy = true;
    h->has_news = false;
    loop_timer_stop(&h->timer);
    redis_link_run(h->link, &(struct redis_run){ .script = &redis_script_heartbeat,
                                                 .words = words,
                                                 .count = ARRAY_LENGTH(words),
                                                 .key_count = 2,
                                                 .timeout_ms = TIMEOUT_MS,
                                                 .done = on_beaten,
                                                 .arg = h });
}

static void on_timer(void *arg)
{
    beat(arg);
}

static void on_link(void *arg, struct redis_link *link, bool is_up)
{
    struct heartbeat *h = arg;
    if (is_up)
        beat(h);
    else
        h->answered_ms = 0;
}

/* ---- orders ---- */

static struct order *order_new(struct heartbeat *h)
{
    struct order *order = mem_new(sizeof(*order));
    order->h = h;
    return order;
}

static void order_free(struct order *order)
{
    MEM_FREE(&order->name);
    MEM_FREE(&order->incarnation);
    MEM_FREE(&order->said);
    MEM_FREE(&order->reason);
    MEM_FREE(&order);
}

static void post(struct heartbeat *h, mailbox_fn *fn, struct order *order)
{
    mailbox_post_call(store_thread_mailbox(h->settings.thread), fn, order);
}

static void on_say(void *arg)
{
    struct order *order = arg;
    struct heartbeat *h = order->h;
    MEM_FREE(&h->said);
    h->said = order->said;
    h->is_held = false;
    order->said = NULL;
    order_free(order);
    beat(h);
}

void heartbeat_say(struct heartbeat *h, struct text said)
{
    struct order *order = order_new(h);
    order->said = mem_copy_text(said.at, said.length);
    post(h, on_say, order);
}

static void on_hold(void *arg)
{
    struct heartbeat *h = arg;
    loop_timer_stop(&h->timer);
    MEM_FREE(&h->said);
    h->is_held = true;
    h->has_written = false;
}

void heartbeat_hold(struct heartbeat *h)
{
    mailbox_post_call(store_thread_mailbox(h->settings.thread), on_hold, h);
}

static void on_hurry(void *arg)
{
    struct order *order = arg;
    struct heartbeat *h = order->h;
    bool begins = order->is_hurried && !h->is_hurried;
    h->is_hurried = order->is_hurried;
    order_free(order);
    if (begins) {
        h->hurried_ms = HURRIED_LEAST;
        beat(h);
    }
}

void heartbeat_hurry(struct heartbeat *h, bool is_hurried)
{
    struct order *order = order_new(h);
    order->is_hurried = is_hurried;
    post(h, on_hurry, order);
}

/* ---- going ---- */

/* Back on control. */
static void on_removed(void *arg)
{
    struct order *order = arg;
    if (order->is_leaving)
        order->h->has_left = true;
    else if (order->removed != NULL)
        order->removed(order->arg, order->is_done, text_of(order->reason));
    order_free(order);
}

static void on_gone(void *arg, const struct redis_result *result)
{
    struct order *order = arg;
    order->is_done = is_answered(result) &&
                     text_equals(redis_reply_text(redis_reply_at(result->reply, 1)), TEXT_OF("1"));
    if (result->outcome != REDIS_ANSWERED)
        order->reason = mem_copy_text(result->reason.at, result->reason.length);
    mailbox_post_call(store_thread_control(order->h->settings.thread), on_removed, order);
}

static void on_remove(void *arg)
{
    struct order *order = arg;
    struct heartbeat *h = order->h;
    struct text words[] = {
        h->key,
        h->head,
        TEXT_OF("gone"),
        redis_cluster(h->settings.redis),
        text_of(order->name),
        text_of(order->incarnation),
        order->is_leaving ? TEXT_OF("left") : TEXT_OF("removed"),
    };
    if (order->is_leaving) {
        /* Nothing is said after it. */
        loop_timer_stop(&h->timer);
        MEM_FREE(&h->said);
    }
    redis_link_run(h->link, &(struct redis_run){ .script = &redis_script_heartbeat,
                                                 .words = words,
                                                 .count = ARRAY_LENGTH(words),
                                                 .key_count = 2,
                                                 .timeout_ms = TIMEOUT_MS,
                                                 .done = on_gone,
                                                 .arg = order });
}

void heartbeat_remove(struct heartbeat *h, struct text name, struct text incarnation,
                      heartbeat_removed_fn *removed, void *arg)
{
    struct order *order = order_new(h);
    order->name = mem_copy_text(name.at, name.length);
    order->incarnation = mem_copy_text(incarnation.at, incarnation.length);
    order->removed = removed;
    order->arg = arg;
    post(h, on_remove, order);
}

/* ---- lifetime ---- */

struct heartbeat *heartbeat_new(const struct heartbeat_settings *settings)
{
    struct heartbeat *h = mem_new(sizeof(*h));
    h->settings = *settings;
    h->name = mem_copy_text(settings->name.at, settings->name.length);
    h->incarnation = mem_copy_text(settings->incarnation.at, settings->incarnation.length);
    snprintf(h->kept, sizeof(h->kept), "%lld", (long long)settings->kept_ms);
    h->link = redis_link_of(settings->redis, REDIS_CALLS);
    h->key = redis_key(settings->redis, "members");
    h->head = redis_key(settings->redis, "head");
    loop_timer_init(&h->timer, store_thread_loop(settings->thread), on_timer, h);
    redis_watch(settings->redis, REDIS_CALLS, on_link, h);
    return h;
}

void heartbeat_stop(struct heartbeat *h, struct loop *control)
{
    struct order *order = order_new(h);
    h->is_stopped = true;
    order->name = mem_copy_text(h->name, strlen(h->name));
    order->incarnation = mem_copy_text(h->incarnation, strlen(h->incarnation));
    order->is_leaving = true;
    post(h, on_remove, order);
    /* Calls are answered in their order: nothing is under way after this one. */
    while (!h->has_left)
        loop_run_once(control, true);
}

void heartbeat_free(struct heartbeat **at)
{
    struct heartbeat *h = *at;
    if (h == NULL)
        return;
    loop_timer_stop(&h->timer);
    MEM_FREE(&h->said);
    MEM_FREE(&h->name);
    MEM_FREE(&h->incarnation);
    MEM_FREE(at);
}
