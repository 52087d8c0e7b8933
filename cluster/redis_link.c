/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_link.c - a connection that is kept up, and the calls on it.
 *
 *   away --(a server is known, back-off over)--> connecting --> up --> away
 *                                                            \-> leaving --> away
 *
 * Leaving: the server said that it is of no use now (loading, a replica, busy): what was sent is
 * still answered, nothing is sent any more. Calls that end otherwise than by a reply are put on a
 * list and answered by a task.
 */
#include "cluster/redis_link.h"

#include <stdarg.h>
#include <stdio.h>

#include "cluster/redis_backoff.h"
#include "cluster/redis_clock.h"
#include "cluster/redis_metrics.h"
#include "cluster/redis_private.h"
#include "cluster/redis_scripts.h"
#include "cluster/redis_wire.h"
#include "conf/base/list.h"
#include "conf/base/mem.h"
#include "gatewayd/core/loop.h"

#define CONNECT_MS     2000
#define BEAT_MS        1000
#define ANSWER_MS      2000 /* of a beat, where no shorter one is set */
#define RETRY_FIRST_MS 10
#define RETRY_MOST_MS  1000
#define QUEUE_MAX      ((size_t)64 << 20)
#define REPLY_MAX      ((size_t)128 << 20)
#define LEASE_MAX      ((size_t)1 << 20) /* a reply on the link for limits */
#define WORD_COST      32                /* of a word on the wire, beside itself; more than it is */
#define REASON_SIZE    1400

enum state { AWAY, CONNECTING, UP, LEAVING };

/* What of a run is kept until it is known that its script is known. */
struct retry {
    const struct redis_script *script;
    size_t key_count;
    size_t count;
    struct text *words; /* with their bytes behind them */
};

struct call {
    struct list node;
    redis_done_fn *done; /* NULL: a beat of ours */
    void *arg;
    uint64_t due_ms;
    uint64_t begins; /* on the wire */
    uint64_t sent_us;
    struct retry *retry; /* NULL: no script, or sent by its text */
    enum redis_outcome outcome;
};

struct redis_link {
    struct redis_link_settings settings;
    struct loop *loop;
    enum state state;
    struct redis_wire *wire;
    struct redis_greeting greeting;
    bool is_greeting;
    uint64_t greeted_us;
    struct redis_server server; /* that it uses, or used last */
    uint64_t run;
    struct redis_clock clock;
    struct list calls;    /* sent, in order */
    struct list finished; /* to be answered by .task */
    size_t waiting;
    uint64_t earliest_ms; /* what .deadline was set for */
    struct loop_timer deadline;
    struct loop_timer retry;
    struct loop_timer beat;
    struct loop_task task;
    struct redis_backoff backoff;
    bool is_beating; /* a beat is not answered yet */
    bool is_stopped;
    bool needs_care;
    bool has_changed;
    char reason[REASON_SIZE];
};

static void lose(struct redis_link *l, const char *format, ...) PRINTF_LIKE(2, 3);

static uint64_t now_us(void)
{
    return clock_read_ns() / 1000;
}

/* ---- answering ------------------------------------------------------------------------------ */

static void free_call(struct call *c)
{
    list_remove(&c->node);
    if (c->retry != NULL)
        MEM_FREE(&c->retry->words);
    MEM_FREE(&c->retry);
    MEM_FREE(&c);
}

static void answer(struct redis_link *l, struct call *c, const struct redis_result *result)
{
    redis_done_fn *done = c->done;
    void *arg = c->arg;
    free_call(c);
    if (done == NULL)
        return;
    redis_metrics_count(l->settings.use, result->outcome);
    done(arg, result);
}

static void answer_finished(struct redis_link *l)
{
    struct list now;
    if (list_is_empty(&l->finished))
        return;
    /* Who calls again while it is answered waits for the next time. */
    list_add_after(&l->finished, &now);
    list_remove(&l->finished);
    while (!list_is_empty(&now)) {
        struct call *c = LIST_ITEM(now.next, struct call, node);
        struct redis_result result = { .outcome = c->outcome, .reason = text_of(l->reason) };
        if (l->state == UP && c->outcome == REDIS_AWAY)
            result.reason = TEXT_OF("Redis: more waits to be sent than there is room for.");
        answer(l, c, &result);
    }
}

static void on_task(void *arg)
{
    struct redis_link *l = arg;
    answer_finished(l);
    if (!l->has_changed)
        return;
    l->has_changed = false;
    l->settings.changed(l->settings.arg, l);
}

static void finish(struct redis_link *l, struct call *c, enum redis_outcome outcome)
{
    c->outcome = outcome;
    list_remove(&c->node);
    list_add_last(&l->finished, &c->node);
    loop_defer(l->loop, &l->task);
}

static void tell_change(struct redis_link *l)
{
    l->has_changed = true;
    loop_defer(l->loop, &l->task);
}

/* ---- losing it ------------------------------------------------------------------------------ */

static void end_calls(struct redis_link *l)
{
    uint64_t gone = redis_wire_gone(l->wire);
    while (!list_is_empty(&l->calls)) {
        struct call *c = LIST_ITEM(l->calls.next, struct call, node);
        if (c->done == NULL)
            free_call(c);
        else
            finish(l, c, c->begins < gone ? REDIS_LOST : REDIS_AWAY);
    }
    l->waiting = 0;
    l->is_beating = false;
}

static void hang_up(struct redis_link *l)
{
    loop_timer_stop(&l->deadline);
    loop_timer_stop(&l->beat);
    end_calls(l);
    redis_wire_close(&l->wire);
    if (l->state != CONNECTING)
        redis_metrics_on_lost(l->settings.use);
    l->is_greeting = false;
    l->state = AWAY;
    tell_change(l);
}

static void lose(struct redis_link *l, const char *format, ...)
{
    va_list args;
    char why[REDIS_GREETING_REASON_SIZE];
    if (l->state == AWAY)
        return;
    va_start(args, format);
    (void)vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    snprintf(l->reason, sizeof(l->reason), "Redis %s: %s.", l->server.name, why);
    hang_up(l);
    loop_timer_start(&l->retry, redis_backoff_next(&l->backoff));
    redis_site_doubt(l->settings.site);
}

/* ---- deadlines ------------------------------------------------------------------------------ */

static void arm(struct redis_link *l, uint64_t due_ms)
{
    uint64_t now = loop_now_ms(l->loop);
    if (loop_timer_is_started(&l->deadline) && due_ms >= l->earliest_ms)
        return;
    l->earliest_ms = due_ms;
    loop_timer_start(&l->deadline, due_ms > now ? due_ms - now : 0);
}

static void on_deadline(void *arg)
{
    struct redis_link *l = arg;
    uint64_t earliest = UINT64_MAX;
    if (l->state == CONNECTING) {
        lose(l, "it does not answer");
        return;
    }
    LIST_EACH (node, &l->calls) {
        struct call *c = LIST_ITEM(node, struct call, node);
        if (c->due_ms < earliest)
            earliest = c->due_ms;
    }
    if (earliest <= loop_now_ms(l->loop))
        lose(l, "it did not answer in time");
    else if (earliest != UINT64_MAX)
        arm(l, earliest);
}

/* ---- calls ---------------------------------------------------------------------------------- */

static struct call *new_call(struct redis_link *l, redis_done_fn *done, void *arg,
                             int64_t timeout_ms)
{
    struct call *c = mem_new(sizeof(*c));
    list_init(&c->node);
    c->done = done;
    c->arg = arg;
    c->due_ms = loop_now_ms(l->loop) + (timeout_ms > 0 ? (uint64_t)timeout_ms : 0);
    return c;
}

static void push(struct redis_link *l, struct call *c, const struct text *words, size_t count)
{
    c->begins = redis_wire_queued(l->wire);
    redis_wire_send(l->wire, words, count);
    list_add_last(&l->calls, &c->node);
    l->waiting++;
    arm(l, c->due_ms);
}

static size_t size_of(const struct text *words, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += words[i].length + WORD_COST;
    return size;
}

static bool can_take(const struct redis_link *l, size_t size)
{
    if (l->state != UP)
        return false;
    uint64_t unsent = redis_wire_queued(l->wire) - redis_wire_gone(l->wire);
    return size <= QUEUE_MAX && unsent <= QUEUE_MAX - size;
}

void redis_link_call(struct redis_link *l, const struct redis_call *call)
{
    struct call *c = new_call(l, call->done, call->arg, call->timeout_ms);
    if (can_take(l, size_of(call->words, call->count)))
        push(l, c, call->words, call->count);
    else
        finish(l, c, REDIS_AWAY);
}

/* ---- scripts -------------------------------------------------------------------------------- */

static struct retry *keep(const struct redis_run *run)
{
    struct retry *r = mem_new(sizeof(*r));
    size_t size = run->count * sizeof(struct text);
    for (size_t i = 0; i < run->count; i++)
        size += run->words[i].length;
    r->script = run->script;
    r->key_count = run->key_count;
    r->count = run->count;
    r->words = mem_new(size);
    char *at = (char *)(r->words + run->count);
    for (size_t i = 0; i < run->count; i++) {
        r->words[i] = text_from(at, run->words[i].length);
        if (run->words[i].length > 0)
            memcpy(at, run->words[i].at, run->words[i].length);
        at += run->words[i].length;
    }
    return r;
}

/* `name` EVALSHA and the digest, or EVAL and the text. */
static void push_script(struct redis_link *l, struct call *c, struct text name, struct text what,
                        const struct retry *r)
{
    char number[TEXT_NUMBER_SIZE];
    struct text *words = mem_new_array(r->count + 3, sizeof(*words));
    words[0] = name;
    words[1] = what;
    words[2] = text_print_u64(r->key_count, number);
    if (r->count > 0)
        memcpy(words + 3, r->words, r->count * sizeof(*words));
    push(l, c, words, r->count + 3);
    MEM_FREE(&words);
}

void redis_link_run(struct redis_link *l, const struct redis_run *run)
{
    char digest[REDIS_SCRIPTS_DIGEST_SIZE];
    struct call *c = new_call(l, run->done, run->arg, run->timeout_ms);
    MUST(run->key_count <= run->count);
    if (!can_take(l, size_of(run->words, run->count) + run->script->text.length)) {
        finish(l, c, REDIS_AWAY);
        return;
    }
    c->retry = keep(run);
    push_script(l, c, TEXT_OF("EVALSHA"), redis_scripts_digest(run->script, digest), c->retry);
}

/* The server does not know the script: it is sent whole, within the same deadline. */
static void run_by_text(struct redis_link *l, struct call *c)
{
    struct retry *r = c->retry;
    c->retry = NULL;
    push_script(l, c, TEXT_OF("EVAL"), r->script->text, r);
    MEM_FREE(&r->words);
    MEM_FREE(&r);
}

/* ---- beats: an idle link notices, and keeps time --------------------------------------------- */

static int64_t answer_ms(const struct redis_link *l)
{
    return l->settings.use == REDIS_LIMITS ? atomic_load(&l->settings.access->timeout_ms)
                                           : ANSWER_MS;
}

static void on_beat(void *arg)
{
    struct redis_link *l = arg;
    /* Behind an XREAD that blocks it would wait as long, and tell nothing. */
    bool is_blocked = l->settings.use == REDIS_FOLLOW && l->waiting > 0;
    loop_timer_start(&l->beat, BEAT_MS);
    /* Not before: one that is lost at once each time must not be tried faster and faster. */
    redis_backoff_reset(&l->backoff);
    if (l->state != UP || l->is_beating || is_blocked)
        return;
    struct call *c = new_call(l, NULL, NULL, answer_ms(l));
    c->sent_us = now_us();
    l->is_beating = true;
    push(l, c, (struct text[]){ TEXT("TIME") }, 1);
}

static void on_beat_answered(struct redis_link *l, struct call *c, const struct redis_reply *reply)
{
    int64_t seconds;
    int64_t us;
    l->is_beating = false;
    if (redis_reply_integer(redis_reply_at(reply, 0), &seconds) &&
        redis_reply_integer(redis_reply_at(reply, 1), &us) && seconds >= 0 &&
        seconds < INT64_MAX / 2000000 && us >= 0 && us < 1000000)
        redis_clock_note(&l->clock, seconds * 1000000 + us, c->sent_us, now_us());
    free_call(c);
}

/* ---- replies -------------------------------------------------------------------------------- */

/* Errors that say nothing of the call but that this server is of no use now. */
static bool is_useless(const struct redis_reply *reply)
{
    static const char *const words[] = { "LOADING", "READONLY", "MASTERDOWN", "NOAUTH", "BUSY" };
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        if (redis_reply_is_error(reply, words[i]))
            return true;
    }
    /* Before version 7 a script's error is wrapped into one of its own. */
    return redis_reply_kind(reply) == REDIS_REPLY_ERROR &&
           text_contains(redis_reply_text(reply), TEXT_OF("-READONLY "));
}

static void leave(struct redis_link *l, const struct redis_reply *reply)
{
    char text[200];
    redis_greeting_print_error(redis_reply_text(reply), text, sizeof(text));
    snprintf(l->reason, sizeof(l->reason), "Redis %s: %s", l->server.name, text);
    l->state = LEAVING;
    tell_change(l);
}

static void finish_leaving(struct redis_link *l)
{
    if (l->state != LEAVING || !list_is_empty(&l->calls))
        return;
    hang_up(l);
    loop_timer_start(&l->retry, redis_backoff_next(&l->backoff));
    redis_site_doubt(l->settings.site);
}

static void answer_error(struct redis_link *l, struct call *c, const struct redis_reply *reply)
{
    char text[300];
    char reason[640];
    redis_greeting_print_error(redis_reply_text(reply), text, sizeof(text));
    snprintf(reason, sizeof(reason), "Redis %s refuses: %s", l->server.name, text);
    struct redis_result result = { REDIS_REFUSED, reply, text_of(reason) };
    if (is_useless(reply) && l->state == UP)
        leave(l, reply);
    if (c->done == NULL)
        on_beat_answered(l, c, reply);
    else
        answer(l, c, &result);
}

static void on_call_answered(struct redis_link *l, const struct redis_reply *reply)
{
    struct redis_result result = { .outcome = REDIS_ANSWERED, .reply = reply };
    if (list_is_empty(&l->calls)) {
        lose(l, "it speaks without being asked");
        return;
    }
    struct call *c = LIST_ITEM(l->calls.next, struct call, node);
    list_remove(&c->node);
    l->waiting--;
    if (c->retry != NULL && redis_reply_is_error(reply, "NOSCRIPT"))
        run_by_text(l, c);
    else if (redis_reply_kind(reply) == REDIS_REPLY_ERROR)
        answer_error(l, c, reply);
    else if (c->done == NULL)
        on_beat_answered(l, c, reply);
    else
        answer(l, c, &result);
    finish_leaving(l);
}

/* ---- connecting ----------------------------------------------------------------------------- */

static void on_ready(void *arg)
{
    struct redis_link *l = arg;
    const struct redis_access *access = l->settings.access;
    l->is_greeting = true;
    l->greeted_us = now_us();
    redis_greeting_start(&l->greeting, l->wire, access->config, &access->secrets->server,
                         access->key);
}

static void become_up(struct redis_link *l)
{
    int64_t took_ms = (int64_t)(now_us() - l->greeted_us) / 1000;
    l->is_greeting = false;
    if (l->settings.use == REDIS_LIMITS && took_ms > answer_ms(l)) {
        lose(l, "it answers after %lld ms, and state.redis.timeout is %lld ms", (long long)took_ms,
             (long long)answer_ms(l));
        return;
    }
    loop_timer_stop(&l->deadline);
    if (l->run != l->greeting.facts.run)
        l->clock = (struct redis_clock){ 0 };
    l->run = l->greeting.facts.run;
    redis_clock_note(&l->clock, l->greeting.facts.time_us, l->greeted_us, now_us());
    l->state = UP;
    redis_metrics_on_up(l->settings.use);
    l->needs_care = false;
    l->reason[0] = '\0';
    loop_timer_start(&l->beat, BEAT_MS);
    tell_change(l);
}

static void on_greeted(struct redis_link *l, const struct redis_reply *reply)
{
    switch (redis_greeting_on_reply(&l->greeting, reply)) {
    case REDIS_GREETING_MORE:
        return;
    case REDIS_GREETING_DONE:
        become_up(l);
        return;
    case REDIS_GREETING_BAD:
        l->needs_care = l->greeting.needs_care;
        lose(l, "%s", l->greeting.reason);
        return;
    }
}

static void on_reply(void *arg, const struct redis_reply *reply)
{
    struct redis_link *l = arg;
    if (l->is_greeting)
        on_greeted(l, reply);
    else
        on_call_answered(l, reply);
}

static void on_end(void *arg, struct text reason)
{
    struct redis_link *l = arg;
    lose(l, "%.*s", TEXT_ARGS(reason));
}

static const struct redis_wire_handlers handlers = { on_ready, on_reply, on_end };

static void connect_to(struct redis_link *l, const struct redis_server *server)
{
    const struct redis_access *access = l->settings.access;
    l->server = *server;
    l->state = CONNECTING;
    loop_timer_stop(&l->retry);
    loop_timer_start(&l->deadline, CONNECT_MS);
    l->wire = redis_wire_open(
        &(struct redis_wire_options){
            .loop = l->loop,
            .resolve = access->resolve,
            .server = text_of(l->server.name),
            .at = &l->server.at,
            .tls = access->secrets->server.tls,
            .server_name = text_of(access->secrets->server.server_name),
            .reply_max = l->settings.use == REDIS_LIMITS ? LEASE_MAX : REPLY_MAX,
        },
        &handlers, l);
}

/* Back-off is over: the site knows a server, or tells of one when it does. */
static void on_retry(void *arg)
{
    struct redis_link *l = arg;
    const struct redis_server *server = redis_site_server(l->settings.site);
    if (l->state == AWAY && server != NULL)
        connect_to(l, server);
}

void redis_link_on_site(struct redis_link *l, const struct redis_server *server)
{
    if (l->is_stopped)
        return;
    if (server == NULL) {
        if (l->state != AWAY)
            return;
        snprintf(l->reason, sizeof(l->reason), "No Redis can be used: %.*s.",
                 TEXT_ARGS(redis_site_reason(l->settings.site)));
        l->needs_care = redis_site_needs_care(l->settings.site);
        tell_change(l);
        return;
    }
    if (l->state != AWAY && !address_equals(&l->server.at, &server->at)) {
        snprintf(l->reason, sizeof(l->reason), "The master is %s now.", server->name);
        hang_up(l);
        redis_backoff_reset(&l->backoff);
        loop_timer_stop(&l->retry);
    }
    if (l->state == AWAY && !loop_timer_is_started(&l->retry))
        connect_to(l, server);
    else if (l->state != AWAY)
        l->server = *server;
}

void redis_link_renew(struct redis_link *l, struct text reason)
{
    if (l->state == AWAY)
        return;
    redis_site_shun(l->settings.site, l->server.name);
    lose(l, "%.*s", TEXT_ARGS(reason));
}

/* ---- life ----------------------------------------------------------------------------------- */

struct redis_link *redis_link_new(const struct redis_link_settings *settings)
{
    struct redis_link *l = mem_new(sizeof(*l));
    l->settings = *settings;
    l->loop = settings->access->loop;
    list_init(&l->calls);
    list_init(&l->finished);
    redis_backoff_init(&l->backoff, RETRY_FIRST_MS, RETRY_MOST_MS);
    loop_timer_init(&l->deadline, l->loop, on_deadline, l);
    loop_timer_init(&l->retry, l->loop, on_retry, l);
    loop_timer_init(&l->beat, l->loop, on_beat, l);
    loop_task_init(&l->task, on_task, l);
    snprintf(l->reason, sizeof(l->reason), "Redis has not been looked for yet.");
    return l;
}

void redis_link_stop(struct redis_link *l)
{
    if (l->is_stopped)
        return;
    l->is_stopped = true;
    snprintf(l->reason, sizeof(l->reason), "The node ends.");
    if (l->state != AWAY)
        hang_up(l);
    loop_timer_stop(&l->retry);
    loop_task_cancel(&l->task);
    while (!list_is_empty(&l->finished))
        answer_finished(l);
}

void redis_link_free(struct redis_link **link)
{
    struct redis_link *l = *link;
    if (l == NULL)
        return;
    redis_link_stop(l);
    loop_task_cancel(&l->task);
    MEM_FREE(link);
}

/* ---- how it is ------------------------------------------------------------------------------ */

bool redis_link_is_up(const struct redis_link *l)
{
    return l->state == UP;
}

struct text redis_link_reason(const struct redis_link *l)
{
    return l->state == UP ? TEXT_EMPTY : text_of(l->reason);
}

bool redis_link_is_named(const struct redis_link *l)
{
    return l->server.is_named;
}

int64_t redis_link_time_us(const struct redis_link *l)
{
    return redis_clock_read(&l->clock, now_us());
}

uint64_t redis_link_run_of_server(const struct redis_link *l)
{
    return l->run;
}

size_t redis_link_waiting(const struct redis_link *l)
{
    return l->waiting;
}

enum redis_use redis_link_use(const struct redis_link *l)
{
    return l->settings.use;
}

const char *redis_link_server(const struct redis_link *l)
{
    return l->server.name;
}

const char *redis_link_version(const struct redis_link *l)
{
    return l->server.facts.version;
}

bool redis_link_needs_care(const struct redis_link *l)
{
    return l->needs_care;
}
