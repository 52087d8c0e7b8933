/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/limits_redis.h"

#include <stdatomic.h>
#include <stdio.h>

#include "cluster/redis_scripts.h"
#include "conf/base/digest.h"
#include "conf/base/mem.h"
#include "gatewayd/control.h"
#include "gatewayd/core/log.h"
#include "gatewayd/policy/limiter.h"

REDIS_SCRIPT(limits);

#define TICK_MS       10
#define WAITING_MOST  8192 /* asks under way; past it they are refused and come again */
#define LEAVE_LOOK_MS 2
#define LEAVE_MOST_NS 1000000000LL
#define SAY_EACH_NS   60000000000
#define NEED_MOST     1000000000000
#define WORDS         19 /* two keys and what limits.lua is told */
#define NUMBER_SIZE   24
#define HOLDER_SIZE   24
#define KEY_SIZE      512
#define ANSWERS       10

static const struct log_scope log_limits = { .subject = LOG_SUBJECT_limit };

struct limits_redis {
    struct limits_port port;
    struct limits_redis_settings settings;
    struct redis_link *link;
    struct loop *loop;
    struct bucket_holder holder;
    char holder_name[HOLDER_SIZE];
    char prefix[KEY_SIZE / 2];
    struct text head; /* key of the history's */
    _Atomic int64_t timeout_ms;
    _Atomic unsigned nodes;
    struct mail wanted;
    _Atomic bool is_wanted_posted;
    /* The store's thread's. */
    struct loop_timer tick;
    bool is_stopped;
    size_t waiting;
    int64_t server_us; /* the server's clock when it last told, and ours (ns) then */
    int64_t server_at;
    uint64_t said_at; /* ns: when an error was last logged */
    struct loop_timer leave_timer;
    int64_t leave_until; /* ns */
    bool has_left;       /* control's */
};

/* One ask under way. */
struct limits_call {
    struct limits_redis *lr;
    uint64_t seq;
    uint64_t run;
    limits_answered_fn *answered;
    void *arg;
};

/* ---- the thread's work ---- */

/* Holds end and divided limits come back by the clock; with none of them nothing wakes. */
static void keep_ticking(struct limits_redis *lr)
{
    if (limiter_has_later(lr->settings.limiter) && !loop_timer_is_started(&lr->tick))
        loop_timer_start(&lr->tick, TICK_MS);
}

static void on_tick(void *arg)
{
    struct limits_redis *lr = arg;
    limiter_tick(lr->settings.limiter);
    keep_ticking(lr);
}

static void look_at_wanted(struct limits_redis *lr)
{
    if (lr->is_stopped)
        return;
    limiter_on_wanted(lr->settings.limiter);
    keep_ticking(lr);
}

/* The mail's receiver, called by nobody else: only once it was delivered may it be posted again. */
static void on_wanted(void *arg)
{
    struct limits_redis *lr = arg;
    atomic_store(&lr->is_wanted_posted, false);
    look_at_wanted(lr);
}

static void post_wanted(void *arg)
{
    struct limits_redis *lr = arg;
    if (!atomic_exchange(&lr->is_wanted_posted, true))
        mailbox_post(store_thread_mailbox(lr->settings.thread), &lr->wanted);
}

/* ---- the server's clock ---- */

static int64_t now_ns(void)
{
    return (int64_t)clock_read_ns();
}

static void learn_time(struct limits_redis *lr, int64_t server_us)
{
    lr->server_us = server_us;
    lr->server_at = now_ns();
}

/* An ask that is older than this when Redis comes to it changes nothing. */
static int64_t not_after(struct limits_redis *lr, int64_t timeout_ms)
{
    if (lr->server_at == 0)
        learn_time(lr, redis_link_time_us(lr->link));
    int64_t now_us = lr->server_us + (now_ns() - lr->server_at) / 1000;
    return now_us + 2 * timeout_ms * 1000;
}

/* ---- answers ---- */

/* The script's answer: two integers (nothing has changed), or all ten. */
static bool read_answer(const struct redis_reply *reply, int64_t *values)
{
    size_t count = redis_reply_count(reply);
    if (count != 2 && count != ANSWERS)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!redis_reply_integer(redis_reply_at(reply, i), &values[i]))
            return false;
    }
    return (values[0] == 1) == (count == ANSWERS);
}

static struct bucket_answer answer_of(const int64_t *values)
{
    return (struct bucket_answer){
        .time = values[1],
        .granted = values[2],
        .held = values[3],
        .life = values[4],
        .ask_again = values[5],
        .left = values[6],
        .next = values[7],
        .asking = (unsigned)values[8],
        .is_scarce = values[9] != 0,
    };
}

static void say(struct limits_redis *lr, struct text reason)
{
    uint64_t now = clock_read_ns();
    if (lr->said_at != 0 && now - lr->said_at < SAY_EACH_NS)
        return;
    lr->said_at = now;
    log_warn(&log_limits, "Redis does not answer for limits, which are divided meanwhile: %.*s",
             TEXT_ARGS(reason));
}

static enum limits_outcome outcome_of(struct limits_redis *lr, const struct redis_result *result,
                                      struct bucket_answer *answer_out)
{
    int64_t values[ANSWERS];
    switch (result->outcome) {
    case REDIS_ANSWERED:
        if (!read_answer(result->reply, values)) {
            say(lr, TEXT_OF("an answer that is none"));
            return LIMITS_AWAY;
        }
        learn_time(lr, values[1]);
        if (values[0] < 0) {
            say(lr, TEXT_OF("it holds another cluster's state"));
            return LIMITS_AWAY;
        }
        if (values[0] == 0)
            return LIMITS_REFUSED;
        *answer_out = answer_of(values);
        return LIMITS_ANSWERED;
    case REDIS_REFUSED:
        say(lr, result->reason);
        return LIMITS_AWAY;
    case REDIS_LOST:
        return redis_link_is_up(lr->link) ? LIMITS_REFUSED : LIMITS_AWAY;
    case REDIS_AWAY:
        break;
    }
    return LIMITS_AWAY;
}

static void on_done(void *arg, const struct redis_result *result)
{
    struct limits_call *call = arg;
    struct limits_redis *lr = call->lr;
    struct limits_answer answer = { .run = call->run, .nodes = atomic_load(&lr->nodes) };
    lr->waiting--;
    answer.outcome = outcome_of(lr, result, &answer.bucket);
    call->answered(call->arg, call->seq, &answer);
    MEM_FREE(&call);
    keep_ticking(lr);
}

/* ---- asks ---- */

struct words {
    struct text items[WORDS];
    char numbers[WORDS][NUMBER_SIZE];
    char key[KEY_SIZE];
    size_t count;
};

static void add_text(struct words *w, struct text t)
{
    MUST(w->count < WORDS);
    w->items[w->count++] = t;
}

static void add_number(struct words *w, int64_t n)
{
    char *into = w->numbers[w->count];
    snprintf(into, NUMBER_SIZE, "%lld", (long long)n);
    add_text(w, text_of(into));
}

/* The third slash is followed by who is counted. The value of a header may be a secret: then what
 * the key is named after is a digest. */
static bool is_by_header(struct text identity)
{
    size_t slashes = 0;
    for (size_t i = 0; i + 1 < identity.length; i++) {
        slashes += identity.at[i] == '/';
        if (slashes == 3)
            return identity.at[i + 1] == 'h';
    }
    return false;
}

static void add_key(struct words *w, const struct limits_redis *lr, struct text identity)
{
    char hex[2 * DIGEST_SIZE + 1];
    struct text name = identity;
    if (is_by_header(identity)) {
        struct digest digest = digest_sha256(identity);
        name = digest_print_hex(digest.bytes, DIGEST_SIZE / 2, hex);
    }
    snprintf(w->key, sizeof(w->key), "%s:%.*s", lr->prefix, TEXT_ARGS(name));
    add_text(w, text_of(w->key));
}

static void fill(struct words *w, struct limits_redis *lr, struct text identity,
                 const struct bucket_ask *ask, uint64_t run)
{
    int64_t timeout_ms = atomic_load(&lr->timeout_ms);
    w->count = 0;
    add_key(w, lr, identity);
    add_text(w, lr->head);
    add_number(w, ask->spec.kind);
    add_number(w, ask->spec.rate);
    add_number(w, ask->spec.per);
    add_number(w, ask->spec.burst);
    add_number(w, ask->spec.period);
    snprintf(w->numbers[w->count], NUMBER_SIZE, "%llx", (unsigned long long)run);
    add_text(w, text_of(w->numbers[w->count]));
    add_text(w, text_of(lr->holder_name));
    add_number(w, (int64_t)ask->seq);
    add_number(w, ask->have);
    add_number(w, ask->back);
    add_number(w, ask->need < NEED_MOST ? ask->need : NEED_MOST);
    add_number(w, ask->want);
    add_number(w, not_after(lr, timeout_ms));
    add_number(w, ask->returning);
    add_number(w, ask->spent);
    add_number(w, ask->cost);
    add_text(w, redis_cluster(lr->settings.redis));
}

static bool ask_redis(struct limits_port *port, struct text identity, const struct bucket_ask *ask,
                      limits_answered_fn *answered, void *arg, struct limits_answer *answer_out)
{
    struct limits_redis *lr = CONTAINER_OF(port, struct limits_redis, port);
    uint64_t run = redis_link_run_of_server(lr->link);
    *answer_out = (struct limits_answer){ .nodes = atomic_load(&lr->nodes), .run = run };
    answer_out->outcome = LIMITS_AWAY;
    if (!redis_link_is_up(lr->link) || run == 0)
        return false;
    answer_out->outcome = LIMITS_REFUSED;
    if (lr->waiting >= WAITING_MOST)
        return false;
    struct limits_call *call = mem_new(sizeof(*call));
    struct words w;
    *call = (struct limits_call){ lr, ask->seq, run, answered, arg };
    lr->waiting++;
    fill(&w, lr, identity, ask, run);
    redis_link_run(lr->link, &(struct redis_run){
                                 .script = &redis_script_limits,
                                 .words = w.items,
                                 .count = w.count,
                                 .key_count = 2,
                                 .timeout_ms = atomic_load(&lr->timeout_ms),
                                 .done = on_done,
                                 .arg = call,
                             });
    return true;
}

/* ---- leaving ---- */

static void on_left(void *arg)
{
    struct limits_redis *lr = arg;
    lr->has_left = true;
}

static void on_leave_timer(void *arg)
{
    struct limits_redis *lr = arg;
    if (limiter_leaving(lr->settings.limiter) == 0 || now_ns() >= lr->leave_until)
        mailbox_post_call(store_thread_control(lr->settings.thread), on_left, lr);
    else
        loop_timer_start(&lr->leave_timer, LEAVE_LOOK_MS);
}

static void on_leave(void *arg)
{
    struct limits_redis *lr = arg;
    lr->leave_until = now_ns() + LEAVE_MOST_NS;
    look_at_wanted(lr);
    on_leave_timer(lr);
}

void limits_redis_leave(struct limits_redis *lr, struct loop *control)
{
    limiter_leave(lr->settings.limiter);
    mailbox_post_call(store_thread_mailbox(lr->settings.thread), on_leave, lr);
    while (!lr->has_left)
        loop_run_once(control, true);
}

/* ---- making ---- */

static const struct limits_port_type type = { "redis", ask_redis };

static void name_holder(struct limits_redis *lr)
{
    struct digest node = digest_sha256(lr->settings.node);
    memcpy(&lr->holder.high, node.bytes, sizeof(lr->holder.high));
    digest_random(&lr->holder.low, sizeof(lr->holder.low));
    snprintf(lr->holder_name, sizeof(lr->holder_name), "%04x%016llx",
             (unsigned)(lr->holder.high & 0xffff), (unsigned long long)lr->holder.low);
}

struct limits_redis *limits_redis_new(const struct limits_redis_settings *settings)
{
    struct limits_redis *lr = mem_new(sizeof(*lr));
    struct text prefix = redis_key(settings->redis, "limit");
    MUST(prefix.length < sizeof(lr->prefix));
    memcpy(lr->prefix, prefix.at, prefix.length);
    lr->head = redis_key(settings->redis, "head");
    lr->port.type = &type;
    lr->settings = *settings;
    lr->link = redis_link_of(settings->redis, REDIS_LIMITS);
    lr->loop = store_thread_loop(settings->thread);
    atomic_init(&lr->nodes, 1);
    atomic_init(&lr->timeout_ms, settings->timeout_ms);
    mail_init(&lr->wanted, on_wanted, lr);
    loop_timer_init(&lr->tick, lr->loop, on_tick, lr);
    loop_timer_init(&lr->leave_timer, lr->loop, on_leave_timer, lr);
    name_holder(lr);
    return lr;
}

struct limiter_sharing limits_redis_sharing(struct limits_redis *lr)
{
    return (struct limiter_sharing){
        .port = &lr->port,
        .holder = lr->holder,
        .post_wanted = post_wanted,
        .wanted_arg = lr,
    };
}

void limits_redis_share(struct limits_redis *lr, struct control *control)
{
    struct limiter_sharing sharing = limits_redis_sharing(lr);
    control_share_limits(control, &sharing);
}

void limits_redis_stop(struct limits_redis *lr)
{
    MUST(lr->waiting == 0);
    lr->is_stopped = true;
    loop_timer_stop(&lr->tick);
    loop_timer_stop(&lr->leave_timer);
}

void limits_redis_free(struct limits_redis **at)
{
    MEM_FREE(at);
}

void limits_redis_set_nodes(struct limits_redis *lr, size_t nodes)
{
    atomic_store(&lr->nodes, nodes < 1 ? 1 : (unsigned)nodes);
}

void limits_redis_set_timeout(struct limits_redis *lr, int64_t timeout_ms)
{
    atomic_store(&lr->timeout_ms, timeout_ms);
}
