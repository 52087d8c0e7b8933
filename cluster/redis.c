/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis.c - puts the parts together: secrets, the site, a link for each use, who watches them.
 */
#include "cluster/redis.h"

#include <stdatomic.h>

#include "cluster/redis_metrics.h"
#include "cluster/redis_news.h"
#include "cluster/redis_private.h"
#include "cluster/redis_reader.h"
#include "conf/base/mem.h"
#include "gatewayd/net/resolve.h"

#define WATCHERS_MAX 8

struct watcher {
    redis_watch_fn *fn;
    void *arg;
};

struct watched {
    struct redis *redis;
    struct redis_link *link;
    struct redis_news news;
    struct watcher watchers[WATCHERS_MAX];
    size_t watcher_count;
    bool was_up;  /* as told */
    uint64_t why; /* the same, of the reason for being away */
};

struct redis {
    struct store_thread *thread;
    struct arena arena; /* of names and keys */
    struct node_config *node;
    struct redis_access access;
    struct redis_site *site;
    struct watched uses[REDIS_USES];
    struct text prefix;
    struct text name_prefix; /* "{PREFIX}:" */
    struct arena clusters;   /* control's: the few that there ever were */
    _Atomic(const struct text *) cluster;
};

/* ---- checking ------------------------------------------------------------------------------- */

bool redis_check(const struct node_config *node, struct problems *ps)
{
    struct redis_secrets *secrets = redis_secrets_read(node->state.redis, ps);
    bool is_right = secrets != NULL;
    redis_secrets_unref(&secrets);
    return is_right;
}

/* ---- what happens --------------------------------------------------------------------------- */

static void on_changed(void *arg, struct redis_link *link)
{
    struct watched *w = arg;
    bool is_up = redis_link_is_up(link);
    uint64_t why = text_hash_stable(redis_link_reason(link));
    redis_news_on_change(&w->news);
    if (w->was_up == is_up && w->why == why)
        return;
    w->was_up = is_up;
    w->why = why;
    for (size_t i = 0; i < w->watcher_count; i++)
        w->watchers[i].fn(w->watchers[i].arg, link, is_up);
}

static void on_site(void *arg, const struct redis_server *server)
{
    struct redis *r = arg;
    for (size_t i = 0; i < REDIS_USES; i++)
        redis_link_on_site(r->uses[i].link, server);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void make_link(struct redis *r, enum redis_use use)
{
    struct watched *w = &r->uses[use];
    struct redis_link_settings settings = {
        .access = &r->access, .site = r->site, .use = use, .changed = on_changed, .arg = w
    };
    w->redis = r;
    w->link = redis_link_new(&settings);
    redis_news_init(&w->news, r->access.loop, w->link,
                    use == REDIS_CALLS ? NULL : &r->uses[REDIS_CALLS].news);
}

struct redis *redis_new(const struct node_config *node, struct store_thread *thread,
                        struct problems *ps)
{
    struct redis_secrets *secrets = redis_secrets_read(node->state.redis, ps);
    if (secrets == NULL)
        return NULL;
    struct redis *r = mem_new(sizeof(*r));
    r->thread = thread;
    r->node = node_config_ref((struct node_config *)node);
    arena_init(&r->arena, SIZE_MAX);
    arena_init(&r->clusters, SIZE_MAX);
    r->prefix = node->state.redis->prefix;
    r->name_prefix = arena_print(&r->arena, "{%.*s}:", TEXT_ARGS(r->prefix));
    r->access.loop = store_thread_loop(thread);
    r->access.config = node->state.redis;
    atomic_init(&r->access.timeout_ms, node->state.redis->timeout);
    r->access.secrets = secrets;
    r->access.key = redis_key(r, "head");
    r->access.resolve = resolve_new(r->access.loop, TEXT_EMPTY);
    if (r->access.resolve == NULL) {
        problems_add(ps, (struct place){ .path = "state.redis" },
                     "The resolver of host names cannot start.");
        redis_free(&r);
        return NULL;
    }
    r->site = redis_site_new(&r->access, on_site, r);
    for (int use = 0; use < REDIS_USES; use++)
        make_link(r, (enum redis_use)use);
    return r;
}

static void begin(void *arg)
{
    struct redis *r = arg;
    redis_site_start(r->site);
}

void redis_start(struct redis *r)
{
    redis_metrics_start();
    mailbox_post_call(store_thread_mailbox(r->thread), begin, r);
}

void redis_stop(struct redis *r)
{
    for (size_t i = 0; i < REDIS_USES; i++) {
        if (r->uses[i].link == NULL)
            continue;
        redis_news_stop(&r->uses[i].news);
        redis_link_stop(r->uses[i].link);
    }
    redis_site_free(&r->site);
    resolve_free(&r->access.resolve);
    /* What was buried goes, and what the last callbacks deferred. */
    loop_run_once(r->access.loop, false);
}

void redis_free(struct redis **redis)
{
    struct redis *r = *redis;
    if (r == NULL)
        return;
    redis_stop(r);
    for (size_t i = 0; i < REDIS_USES; i++)
        redis_link_free(&r->uses[i].link);
    redis_secrets_unref(&r->access.secrets);
    node_config_unref(&r->node);
    arena_reset(&r->arena);
    arena_reset(&r->clusters);
    MEM_FREE(redis);
}

/* ---- SIGHUP --------------------------------------------------------------------------------- */

struct new_secrets {
    struct redis *redis;
    struct redis_secrets *secrets;
    struct mail mail;
};

/* Freeing a TLS context takes time, so it is control's. */
static void on_old_secrets(void *arg)
{
    struct new_secrets *n = arg;
    redis_secrets_unref(&n->secrets);
    MEM_FREE(&n);
}

static void on_new_secrets(void *arg)
{
    struct new_secrets *n = arg;
    struct redis_secrets *old = n->redis->access.secrets;
    n->redis->access.secrets = n->secrets;
    n->secrets = old;
    mail_init(&n->mail, on_old_secrets, n);
    mailbox_post(store_thread_control(n->redis->thread), &n->mail);
}

void redis_reload(struct redis *r, const struct node_redis *config, struct problems *ps)
{
    const struct node_redis *before = r->node->state.redis;
    /* With or without sentinels is decided when the node starts. */
    if (config == NULL || (config->sentinel == NULL) != (before->sentinel == NULL))
        config = before;
    struct redis_secrets *secrets = redis_secrets_read(config, ps);
    if (secrets == NULL)
        return;
    atomic_store(&r->access.timeout_ms, config->timeout);
    struct new_secrets *n = mem_new(sizeof(*n));
    n->redis = r;
    n->secrets = secrets;
    mail_init(&n->mail, on_new_secrets, n);
    mailbox_post(store_thread_mailbox(r->thread), &n->mail);
}

/* ---- whose state it is ----------------------------------------------------------------------- */

void redis_set_cluster(struct redis *r, struct text id)
{
    if (text_equals(redis_cluster(r), id))
        return;
    struct text *copy = arena_alloc(&r->clusters, sizeof(*copy));
    *copy = arena_copy(&r->clusters, id);
    atomic_store(&r->cluster, copy);
}

struct text redis_cluster(const struct redis *r)
{
    const struct text *cluster = atomic_load(&r->cluster);
    return cluster == NULL ? TEXT_EMPTY : *cluster;
}

/* ---- access --------------------------------------------------------------------------------- */

struct redis_link *redis_link_of(struct redis *r, enum redis_use use)
{
    MUST(use < REDIS_USES);
    return r->uses[use].link;
}

void redis_watch(struct redis *r, enum redis_use use, redis_watch_fn *fn, void *arg)
{
    struct watched *w = &r->uses[use];
    MUST(use < REDIS_USES && w->watcher_count < WATCHERS_MAX);
    w->watchers[w->watcher_count++] = (struct watcher){ fn, arg };
}

struct text redis_key(struct redis *r, const char *name)
{
    return arena_print(&r->arena, "%.*s%s", TEXT_ARGS(r->name_prefix), name);
}

struct text redis_prefix(const struct redis *r)
{
    return r->prefix;
}

struct text redis_server_name(const struct redis *r)
{
    return text_of(redis_link_server(r->uses[REDIS_CALLS].link));
}

const char *redis_library_version(void)
{
    return redis_reader_library_version();
}
