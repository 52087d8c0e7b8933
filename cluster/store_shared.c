/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_shared.c - made in the order thread, Redis, history; ended in the order in which nothing is
 * told to what is gone: the history asks no more, the thread ends, what was on its way arrives.
 */
#include "cluster/store_shared.h"

#include "cluster/cluster.h"
#include "cluster/limits_redis.h"
#include "cluster/redis_history.h"
#include "cluster/store_thread.h"
#include "conf/base/mem.h"
#include "gatewayd/control.h"
#include "gatewayd/policy/limiter.h"

#define COUNT_NODES_MS 1000

struct store_shared {
    struct control *control;
    struct store_embedded *store;
    struct store_thread *thread;
    struct redis *redis;
    struct redis_history *history;
    struct limits_redis *limits;
    struct loop_timer count_nodes;
    bool is_started;
};

/* By so many limits are divided. */
static void on_count_nodes(void *arg)
{
    struct store_shared *s = arg;
    limits_redis_set_nodes(s->limits, cluster_member_count());
    loop_timer_start(&s->count_nodes, COUNT_NODES_MS);
}

struct store_shared *store_shared_new(struct control *control, struct store_embedded *store,
                                      struct state_dir *dir, void (*on_ready)(void *arg), void *arg,
                                      struct problems *ps)
{
    const struct node_config *node = control_node(control);
    struct store_shared *s = mem_new(sizeof(*s));
    s->control = control;
    s->store = store;
    s->thread = store_thread_new(control_mailbox(control));
    s->redis = redis_new(node, s->thread, ps);
    if (s->redis == NULL) {
        store_shared_free(&s);
        return NULL;
    }
    s->history = redis_history_new(&(struct redis_history_settings){
        .loop = control_loop(control),
        .redis = s->redis,
        .thread = s->thread,
        .store = store,
        .dir = dir,
        .history = (size_t)node->state.history,
        .tombstones = node->state.tombstones,
        .replicas = node->state.redis->replicas,
        .on_ready = on_ready,
        .arg = arg,
    });
    s->limits = limits_redis_new(&(struct limits_redis_settings){
        .redis = s->redis,
        .thread = s->thread,
        .limiter = control_limiter(control),
        .node = node->node,
        .timeout_ms = node->state.redis->timeout,
    });
    limits_redis_share(s->limits, control);
    loop_timer_init(&s->count_nodes, control_loop(control), on_count_nodes, s);
    store_embedded_set_authority(store, redis_history_authority(s->history));
    return s;
}

void store_shared_start(struct store_shared *s)
{
    s->is_started = true;
    store_thread_start(s->thread);
    on_count_nodes(s);
    limiter_recall(control_limiter(s->control));
    redis_history_start(s->history);
    redis_start(s->redis);
}

void store_shared_leave(struct store_shared *s)
{
    if (s->is_started)
        limits_redis_leave(s->limits, control_loop(s->control));
}

void store_shared_stop(struct store_shared *s)
{
    redis_history_stop(s->history);
    loop_timer_stop(&s->count_nodes);
    if (s->is_started)
        store_thread_stop(s->thread);
    redis_stop(s->redis);
    limits_redis_stop(s->limits);
}

void store_shared_free(struct store_shared **at)
{
    struct store_shared *s = *at;
    if (s == NULL)
        return;
    redis_free(&s->redis);
    store_thread_free(&s->thread);
    limits_redis_free(&s->limits);
    /* What the thread sent before it ended. */
    if (s->history != NULL)
        loop_run_once(control_loop(s->control), false);
    redis_history_free(&s->history);
    MEM_FREE(at);
}

struct redis *store_shared_redis(struct store_shared *s)
{
    return s->redis;
}

struct store_thread *store_shared_thread(struct store_shared *s)
{
    return s->thread;
}

void store_shared_reload(struct store_shared *s, const struct node_redis *config,
                         struct problems *ps)
{
    redis_reload(s->redis, config, ps);
    if (config != NULL)
        limits_redis_set_timeout(s->limits, config->timeout);
}

void store_shared_set_keeping(struct store_shared *s, size_t history, int64_t tombstones)
{
    redis_history_set_keeping(s->history, history, tombstones);
}
