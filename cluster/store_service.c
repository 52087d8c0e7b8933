/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_service.c - the service "store": opens state.dir, loads it, puts it in force, applies the
 * bootstrap document to an empty store, keeps quotas.
 *
 *     prepare: open, lock ─▶ start: load the journal ─▶ load quotas ─▶ begin: publish, take commits
 *
 * With state.store = "redis" a node waits until it stands where the shared history does: as long as
 * it takes when its journal is empty, else for one timeout of Redis, and then begins with what is
 * in the journal. So what a node that comes back counts and admits is shared from its first request
 * on.
 */
#include <sys/stat.h>

#include "cluster/cluster.h"
#include "cluster/quota_keeper.h"
#include "cluster/state_dir.h"
#include "cluster/store_embedded.h"
#include "cluster/store_port.h"
#include "cluster/store_shared.h"
#include "conf/base/mem.h"
#include "conf/config.h"
#include "gatewayd/control.h"
#include "gatewayd/core/log.h"
#include "gatewayd/route/pattern.h"
#include "gatewayd/service.h"

#define BOOTSTRAP_RETRY_MS 500

static const struct log_scope log_store = { .subject = LOG_SUBJECT_store };
static const struct checks strict_checks = { .pattern = pattern_check };
static const struct checks stored_checks = { .lenient = true, .pattern = pattern_check };

/* One per process. */
static struct {
    struct control *control;
    struct state_dir *dir;
    struct store_embedded *embedded;
    struct store_shared *shared; /* NULL: with the embedded store */
    struct loop_timer bootstrap_timer;
    struct loop_timer patience; /* with the shared history, as there is a journal to begin with */
    struct quota_keeper *quotas;
    struct config bootstrap;
    struct store_commit commit; /* of the bootstrap document */
    uint64_t load_began_ms;
    bool has_begun;   /* something was put in force */
    bool is_released; /* state.dir is another process's, or still is */
    bool is_stopping;
} the;

/* ---- the bootstrap document ------------------------------------------------------------------ */

static bool read_bootstrap(const struct node_config *node, struct problems *ps,
                           struct config *config_out)
{
    char *file = mem_copy_text(node->bootstrap.at, node->bootstrap.length);
    bool is_right = config_read(file, &strict_checks, ps, config_out);
    MEM_FREE(&file);
    return is_right;
}

static void add_change(struct resource *r)
{
    the.commit.changes[the.commit.change_count++] = (struct store_change){
        .change = STORE_PUT, .kind = r->kind, .name = r->name, .resource = r
    };
}

static void fill_commit(void)
{
    const struct config *config = &the.bootstrap;
    size_t count = config->consumer_count;
    for (int kind = 0; kind < RESOURCE_CONSUMER; kind++)
        count += resources_count(config->resources, (enum resource_kind)kind);
    MEM_FREE(&the.commit.changes);
    the.commit = (struct store_commit){ .author = TEXT("bootstrap") };
    the.commit.changes = mem_new_array(count, sizeof(*the.commit.changes));
    for (int kind = 0; kind < RESOURCE_CONSUMER; kind++) {
        struct resources_cursor cursor;
        struct resource *r;
        resources_cursor_init(&cursor, config->resources, (enum resource_kind)kind);
        while ((r = resources_next(&cursor)) != NULL)
            add_change(r);
    }
    for (size_t i = 0; i < config->consumer_count; i++)
        add_change(config->consumers[i]);
}

static void free_bootstrap(void)
{
    MEM_FREE(&the.commit.changes);
    if (the.bootstrap.resources != NULL)
        config_fini(&the.bootstrap);
    the.bootstrap = (struct config){ 0 };
}

/* With a shared store the answer of which may be lost, or that was away just then. */
static bool can_be_tried_again(const struct store_result *result)
{
    return the.shared != NULL &&
           (result->outcome == STORE_AWAY || result->outcome == STORE_UNKNOWN);
}

static void on_bootstrapped(void *arg, const struct store_result *result)
{
    if (can_be_tried_again(result) && !the.is_stopping) {
        loop_timer_start(&the.bootstrap_timer, BOOTSTRAP_RETRY_MS);
        return;
    }
    if (result->outcome == STORE_DONE) {
        log_info(&log_store, "the bootstrap document is revision %llu",
                 (unsigned long long)result->revision);
    } else {
        if (result->outcome != STORE_UNCHANGED)
            log_error(&log_store, "the bootstrap document was not taken: %.*s",
                      TEXT_ARGS(result->reason));
        control_publish(the.control, store_resources(store_get()), store_revision(store_get()),
                        NULL, NULL);
    }
    free_bootstrap();
}

/* ---- hooks of the store ---------------------------------------------------------------------- */

struct publishing {
    store_embedded_published_fn *done;
    void *arg;
};

static void on_published(void *arg, bool is_in_force, struct text reason)
{
    struct publishing *p = arg;
    p->done(p->arg, is_in_force ? TEXT_EMPTY : reason);
    MEM_FREE(&p);
}

static void publish(void *arg, struct resources *resources, uint64_t revision,
                    store_embedded_published_fn *done, void *done_arg)
{
    struct publishing *p = mem_new(sizeof(*p));
    *p = (struct publishing){ done, done_arg };
    control_publish(arg, resources, revision, on_published, p);
}

static void advance(void *arg, uint64_t revision)
{
    control_advance(arg, revision);
}

static void pass(void *arg, uint64_t revision)
{
    control_advance(arg, revision);
}

static void behind(void *arg, struct text reason)
{
    control_set_behind(arg, reason);
}

static void say_starting(void *arg, struct text what)
{
    control_set_starting(arg, what);
}

static void end_key(void *arg, struct key_handle handle, store_embedded_ended_fn *done,
                    void *done_arg)
{
    control_end_key(arg, handle, done, done_arg);
}

/* ---- the service ----------------------------------------------------------------------------- */

static void begin_with_what_there_is(void)
{
    control_set_starting(the.control, TEXT_EMPTY);
    if (!the.has_begun)
        control_publish(the.control, store_resources(store_get()), store_revision(store_get()),
                        NULL, NULL);
    the.has_begun = true;
}

static void on_patience_over(void *arg)
{
    begin_with_what_there_is();
}

/* This node stands where the shared history does, for the first time. */
static void on_shared(void *arg)
{
    loop_timer_stop(&the.patience);
    if (the.bootstrap.resources == NULL || store_revision(store_get()) > 0) {
        begin_with_what_there_is();
        return;
    }
    control_set_starting(the.control, TEXT_EMPTY);
    the.has_begun = true;
    loop_timer_start(&the.bootstrap_timer, 0);
}

/* Beside a running node: nothing is locked, the journal is not read. */
static bool check(const struct node_config *node, struct problems *ps)
{
    if (node->state.store == NODE_STORE_REDIS && !redis_check(node, ps))
        return false;
    struct state_dir *dir = state_dir_open(node->state.dir, ps);
    if (dir == NULL)
        return false;
    struct stat st;
    bool is_empty = fstatat(dir->fd, "journal", &st, 0) != 0;
    struct config config;
    bool is_right = true;
    /* Once the store holds something the document is not looked at any more. */
    if (is_empty && node->bootstrap.length > 0) {
        is_right = read_bootstrap(node, ps, &config);
        if (is_right)
            config_fini(&config);
    }
    state_dir_close(&dir);
    return is_right;
}

static void on_loaded_beside(void *arg)
{
    control_can_take_over(arg);
}

static bool open_quotas(struct control *control, struct problems *ps)
{
    the.quotas = quota_keeper_new(the.dir, control_limiter(control), control_loop(control), ps);
    return the.quotas != NULL;
}

static bool open_store(struct control *control, struct problems *ps)
{
    const struct node_config *node = control_node(control);
    struct store_embedded_settings settings = {
        .loop = control_loop(control),
        .mailbox = control_mailbox(control),
        .credentials = control_credentials(control),
        .history = (size_t)node->state.history,
        .tombstones = node->state.tombstones,
        .checks = &stored_checks,
        .publish = publish,
        .pass = pass,
        .advance = advance,
        .end_key = end_key,
        .behind = behind,
        .starting = say_starting,
        .loaded_beside = control_is_inheriting(control) ? on_loaded_beside : NULL,
        .arg = control,
    };
    the.control = control;
    the.is_released = control_is_inheriting(control);
    the.dir = state_dir_open(node->state.dir, ps);
    if (the.dir == NULL || (!the.is_released && !state_dir_lock(the.dir, ps)))
        return false;
    the.embedded = store_embedded_new(&settings, the.dir, ps);
    if (the.embedded == NULL)
        return false;
    if (node->state.store == NODE_STORE_REDIS) {
        the.shared = store_shared_new(control, the.embedded, the.dir, on_shared, NULL, ps);
        if (the.shared == NULL)
            return false;
        cluster_get()->thread = store_shared_thread(the.shared);
        cluster_get()->redis = store_shared_redis(the.shared);
    }
    return the.is_released || open_quotas(control, ps);
}

static void close_store(void)
{
    store_set(NULL);
    cluster_get()->scribe = NULL;
    cluster_get()->dir = NULL;
    cluster_get()->thread = NULL;
    cluster_get()->redis = NULL;
    quota_keeper_free(&the.quotas);
    store_shared_free(&the.shared);
    store_embedded_free(&the.embedded);
    state_dir_close(&the.dir);
    free_bootstrap();
}

static bool prepare(struct control *control, struct problems *ps)
{
    if (!open_store(control, ps)) {
        close_store();
        return false;
    }
    store_set(store_embedded_port(the.embedded));
    cluster_get()->dir = the.dir;
    return true;
}

/* ---- loading --------------------------------------------------------------------------------- */

static void log_loaded(void)
{
    struct credentials_counts counts;
    if (store_embedded_cut(the.embedded) > 0)
        log_info(&log_store, "%llu bytes that were not acknowledged were cut off the journal",
                 (unsigned long long)store_embedded_cut(the.embedded));
    credentials_count(control_credentials(the.control), &counts);
    log_info(&log_store, "loaded revision %llu in %llu ms: %zu consumers, %zu keys, %zu revoked",
             (unsigned long long)store_revision(store_get()),
             (unsigned long long)(clock_read_ms() - the.load_began_ms), counts.consumers,
             counts.keys, counts.revoked);
}

static void bootstrap(void *arg)
{
    fill_commit();
    the.commit.done = on_bootstrapped;
    the.commit.only_if_empty = true;
    store_commit(store_get(), &the.commit);
}

static void begin(void)
{
    bool has_bootstrap = the.bootstrap.resources != NULL;
    bool is_empty = store_revision(store_get()) == 0;
    bool waits = the.shared != NULL && !the.is_released;
    loop_timer_init(&the.bootstrap_timer, control_loop(the.control), bootstrap, NULL);
    loop_timer_init(&the.patience, control_loop(the.control), on_patience_over, NULL);
    store_embedded_start(the.embedded, !has_bootstrap && !waits);
    quota_keeper_start(the.quotas, store_embedded_scribe(the.embedded));
    if (the.is_released && !quota_keeper_try_release(the.quotas))
        log_debug(&log_store, "quotas are kept by the process before this one");
    cluster_get()->scribe = store_embedded_scribe(the.embedded);
    if (the.shared != NULL)
        store_shared_start(the.shared);
    the.has_begun = !waits;
    if (waits)
        control_set_starting(the.control, TEXT_OF("waiting for the shared history"));
    else if (has_bootstrap)
        bootstrap(NULL);
    if (waits && !is_empty)
        loop_timer_start(&the.patience, (uint64_t)control_node(the.control)->state.redis->timeout);
}

static void on_quotas_loaded(void *arg, const struct problems *ps)
{
    const struct node_config *node = control_node(the.control);
    struct problems found;
    if (!problems_is_empty(ps)) {
        control_refuse_start(the.control, ps);
        return;
    }
    log_loaded();
    control_set_starting(the.control, TEXT_EMPTY);
    problems_init(&found);
    bool is_empty = store_revision(store_get()) == 0;
    /* What the process before us did not take is for another start. */
    is_empty = is_empty && !the.is_released;
    if (is_empty && node->bootstrap.length > 0 && !read_bootstrap(node, &found, &the.bootstrap))
        control_refuse_start(the.control, &found);
    else
        begin();
    problems_fini(&found);
}

static void on_loaded(void *arg, const struct problems *ps)
{
    if (!problems_is_empty(ps))
        control_refuse_start(the.control, ps);
    else
        quota_keeper_load(the.quotas, on_quotas_loaded, NULL);
}

static void start(struct control *control)
{
    the.load_began_ms = clock_read_ms();
    store_embedded_load(the.embedded, on_loaded, NULL);
}

static void reload(struct control *control, const struct node_config *node, struct problems *ps)
{
    if (the.shared != NULL) {
        store_shared_set_keeping(the.shared, (size_t)node->state.history, node->state.tombstones);
        store_shared_reload(the.shared, node->state.redis, ps);
    }
    store_embedded_set_keeping(the.embedded, (size_t)node->state.history, node->state.tombstones);
}

/* ---- from process to process ----------------------------------------------------------------- */

static void keep_still(struct control *control, bool is_still)
{
    store_embedded_keep_still(the.embedded, is_still);
}

static bool try_release(struct control *control)
{
    if (the.is_released)
        return true;
    bool is_at_rest = quota_keeper_try_release(the.quotas);
    if (!store_embedded_try_release(the.embedded) || !is_at_rest)
        return false;
    if (the.shared != NULL && !store_status(store_get()).is_away)
        state_dir_set_fresh(the.dir);
    state_dir_unlock(the.dir);
    the.is_released = true;
    return true;
}

static void take_over(struct control *control)
{
    struct problems ps;
    problems_init(&ps);
    if (!state_dir_lock(the.dir, &ps) || !open_quotas(control, &ps))
        control_refuse_start(control, &ps);
    else
        store_embedded_take(the.embedded);
    problems_fini(&ps);
}

static bool is_settled(const struct control *control)
{
    return the.shared == NULL || !store_status(store_get()).is_away;
}

/* The process that was to take it is gone, so nobody can hold it. */
static void lock_again(void)
{
    struct problems ps;
    problems_init(&ps);
    if (!state_dir_lock(the.dir, &ps))
        log_error(&log_store, "state.dir cannot be locked again: %s", ps.items[0].sentence);
    problems_fini(&ps);
}

static void resume(struct control *control)
{
    if (the.is_released && the.dir->lock_fd < 0)
        lock_again();
    the.is_released = false;
    quota_keeper_resume(the.quotas);
    store_embedded_resume(the.embedded);
}

static void leave(struct control *control)
{
    store_embedded_leave(the.embedded);
}

static void stop(struct control *control)
{
    if (the.embedded == NULL)
        return;
    the.is_stopping = true;
    if (the.bootstrap_timer.loop != NULL) {
        loop_timer_stop(&the.bootstrap_timer);
        loop_timer_stop(&the.patience);
    }
    if (the.shared != NULL)
        store_shared_leave(the.shared);
    if (the.quotas != NULL)
        quota_keeper_stop(the.quotas);
    store_embedded_stop(the.embedded);
    if (the.shared != NULL)
        store_shared_stop(the.shared);
    close_store();
}

static void versions(struct builder *b)
{
    builder_addf(b, "%s\n", redis_library_version());
}

const struct service store_service = {
    .name = "store",
    .check = check,
    .prepare = prepare,
    .start = start,
    .reload = reload,
    .stop = stop,
    .keep_still = keep_still,
    .try_release = try_release,
    .take_over = take_over,
    .is_settled = is_settled,
    .resume = resume,
    .leave = leave,
    .versions = versions,
};
