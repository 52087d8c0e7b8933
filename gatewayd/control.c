/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.c - the control thread: what it owns, from the first look at the node configuration to
 * the end of the process.
 */
#include "gatewayd/control_private.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/base/mem.h"
#include "conf/base/digest.h"
#include "conf/read_file.h"
#include "gatewayd/core/log_writer.h"
#include "gatewayd/exchange/exchange.h"
#include "gatewayd/notify.h"
#include "gatewayd/service.h"

#define CARE_MS 100

#define SERVICE(name) &name##_service,
const struct service *const control_services[] = {
#include "gatewayd/services.def"
    NULL,
};
#undef SERVICE
#define SERVICE_COUNT (ARRAY_LENGTH(control_services) - 1)

/* ---- what it owns --------------------------------------------------------------------------- */

struct loop *control_loop(struct control *c)
{
    return c->loop;
}

struct mailbox *control_mailbox(struct control *c)
{
    return c->mailbox;
}

const struct node_config *control_node(const struct control *c)
{
    return c->node;
}

struct credentials *control_credentials(struct control *c)
{
    return c->credentials;
}

struct limiter *control_limiter(struct control *c)
{
    return c->limiter;
}

static void resume_limited(void *arg, size_t worker)
{
    struct control *c = arg;

    worker_resume_limited(c->workers[worker]);
}

void control_share_limits(struct control *c, const struct limiter_sharing *sharing)
{
    struct limiter_sharing filled = *sharing;

    filled.post_answered = resume_limited;
    filled.answered_arg = c;
    limiter_share(c->limiter, &filled);
}

struct listen_table *control_listeners(struct control *c)
{
    return &c->listeners;
}

struct resolve *control_resolve(struct control *c)
{
    return c->resolve;
}

struct health *control_health(struct control *c)
{
    return c->health;
}

struct text control_secret(const struct control *c)
{
    return text_of(c->secret);
}

struct ha *control_ha(struct control *c)
{
    return c->ha;
}

unsigned control_workers(const struct control *c)
{
    return c->worker_count;
}

const struct snapshot *control_snapshot(const struct control *c)
{
    return c->snapshot;
}

const struct names *control_names(const struct control *c)
{
    return snapshot_compiler_names(c->publishing.compiler);
}

/* ---- state ---------------------------------------------------------------------------------- */

const char *control_state_name(enum control_state state)
{
    static const char *const names[] = {
        [CONTROL_STARTING] = "starting",
        [CONTROL_READY] = "ready",
        [CONTROL_DRAINING] = "draining",
        [CONTROL_BEHIND] = "behind",
    };
    return names[state];
}

void control_set_reason(char **reason_at, struct text reason)
{
    MEM_FREE(reason_at);
    if (reason.length > 0)
        *reason_at = mem_copy_text(reason.at, reason.length);
}

void control_set_behind(struct control *c, struct text reason)
{
    control_set_reason(&c->store_behind, reason);
}

static const char *why_behind(const struct control *c)
{
    return c->behind != NULL ? c->behind : c->store_behind;
}

static enum control_state state_of(const struct control *c)
{
    if (control_is_replaced(c)) /* the node is there: in another process */
        return CONTROL_READY;
    if (control_is_draining(c))
        return CONTROL_DRAINING;
    if (c->snapshot == NULL)
        return CONTROL_STARTING;
    return why_behind(c) != NULL ? CONTROL_BEHIND : CONTROL_READY;
}

struct control_rest control_get_rest(void)
{
    struct metrics_block *node = metrics_node();

    return (struct control_rest){
        .connections = metrics_sum(node, METRIC_CONNECTIONS),
        .exchanges = metrics_sum(node, METRIC_EXCHANGES),
        .streams = metrics_sum(node, METRIC_TUNNELS),
    };
}

struct control_status control_status(const struct control *c)
{
    const struct control_rest ours = control_get_rest();
    const struct control_rest *rest = &c->inherit.rest;
    enum control_state state = state_of(c);

    return (struct control_status){
        .state = state,
        .is_ready = state == CONTROL_READY || state == CONTROL_BEHIND,
        .revision = c->revision,
        .reason = text_of(state == CONTROL_STARTING ? c->starting : why_behind(c)),
        .started_at = c->started_at,
        .connections = ours.connections + rest->connections,
        .exchanges = ours.exchanges + rest->exchanges,
        .streams = ours.streams + rest->streams,
        .memory_bytes = memory_resident(),
    };
}

void control_watch(struct control *c, control_changed_fn *fn, void *arg)
{
    loop_task_cancel(&c->changed);
    c->on_changed = fn;
    loop_task_init(&c->changed, fn, arg);
}

void control_note_change(struct control *c)
{
    if (c->on_changed != NULL)
        loop_defer(c->loop, &c->changed);
}

/* ---- signals -------------------------------------------------------------------------------- */

static void on_terminate(void *arg)
{
    struct control *c = arg;

    if (control_upgrade_quits(c))
        return;
    if (!c->is_quitting && !c->upgrade.must_quit) {
        control_quit(c, 0);
        return;
    }
    control_upgrade_kill(c);
    log_warn(&c->log, "told to stop again: stopping at once");
    log_writer_flush();
    _exit(0); /* asked for, and no failure that a supervisor would answer by a start */
}

static void on_hangup(void *arg)
{
    struct control *c = arg;

    if (!c->is_quitting)
        control_reload(c);
}

static void on_reopen(void *arg)
{
    struct control *c = arg;

    log_writer_reopen();
    log_info(&c->log, "log files opened again");
}

static void on_upgrade(void *arg)
{
    static const char *const why[] = {
        [CONTROL_UPGRADE_BUSY] = "it is being replaced already",
        [CONTROL_UPGRADE_ENDING] = "this process is about to end",
        [CONTROL_UPGRADE_STARTING] = "this process is still starting",
    };
    struct control *c = arg;
    enum control_upgrade_begun begun = control_upgrade(c, NULL, NULL);

    if (begun != CONTROL_UPGRADE_BEGUN)
        log_warn(&c->log, "SIGUSR2: the binary is not replaced: %s", why[begun]);
}

/* Those that came before were held back (main.c). */
static void start_signals(struct control *c)
{
    sigset_t none;

    loop_signal_start(&c->signals[0], c->loop, SIGTERM, on_terminate, c);
    loop_signal_start(&c->signals[1], c->loop, SIGINT, on_terminate, c);
    loop_signal_start(&c->signals[2], c->loop, SIGHUP, on_hangup, c);
    loop_signal_start(&c->signals[3], c->loop, SIGUSR1, on_reopen, c);
    loop_signal_start(&c->signals[4], c->loop, SIGUSR2, on_upgrade, c);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* ---- care ----------------------------------------------------------------------------------- */

/* A step of what changes of resources and credentials left behind. What workers may still see waits
 * for the next time. */
static bool tidy_step(void *arg)
{
    struct control *c = arg;
    struct credentials_counts before;
    struct credentials_counts after;

    credentials_count(c->credentials, &before);
    bool has_more_sets = resources_tidy();
    bool has_more = credentials_tidy(c->credentials);
    credentials_count(c->credentials, &after);
    return has_more_sets || (has_more && after.waiting < before.waiting);
}

static void on_care(void *arg)
{
    struct control *c = arg;
    const struct clock *clock = &c->loop->clock;

    limiter_tidy(c->limiter,
                 (struct limiter_now){ (int64_t)clock_ns(clock), clock_wall_ms(clock) });
    plan_board_tidy(&c->board);
    loop_slice_start(&c->tidy);
    control_end_if_quiet(c);
    memory_tidy(&c->memory, clock_ms(clock));
    loop_timer_start(&c->care, CARE_MS);
}

void control_on_first(struct control *c)
{
    control_starting_stop(c);
    if (!c->is_quitting && control_inherit_on_first(c))
        control_begin_serving(c);
}

void control_begin_serving(struct control *c)
{
    for (unsigned i = 0; i < c->worker_count; i++)
        worker_accept(c->workers[i]);
    if (c->ha != NULL && c->inherit.phase == CONTROL_INHERIT_OURS)
        ha_take_over(c->ha, c->workers, c->worker_count);
    else if (c->ha != NULL)
        ha_on_ready(c->ha);
    log_info(&c->log, "ready: %u workers", c->worker_count);
    notify_send("READY=1\nSTATUS=ready");
}

/* ---- beginning ------------------------------------------------------------------------------ */

static unsigned count_workers(const struct node_config *node)
{
    cpu_set_t set;

    if (node->workers > 0)
        return (unsigned)node->workers;
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    return (unsigned)CPU_COUNT(&set);
}

unsigned control_connections_most(const struct node_config *node)
{
    return node->max.connections > 0 ? (unsigned)node->max.connections : listen_budget_default();
}

struct control *control_new(struct node_config *node, const char *file)
{
    struct control *c = mem_new(sizeof(*c));

    c->node = node_config_ref(node);
    c->file = mem_copy_text(file, strlen(file));
    c->log = (struct log_scope){ .subject = LOG_SUBJECT_node };
    c->started_at = clock_read_wall_ms();
    c->worker_count = count_workers(node);
    metrics_start(c->worker_count);
    metrics_name_vector(METRIC_FAILURES, failure_names(), FAILURE_COUNT);
    c->loop = loop_new("control");
    loop_measure(c->loop, LOOP_CONTROL);
    c->mailbox = mailbox_new(c->loop);
    c->turns = turns_new(c->worker_count);
    plan_board_init(&c->board, c->turns);
    c->credentials = credentials_new(c->turns);
    c->limiter = limiter_new(&(struct limiter_settings){ .turns = c->turns });
    c->resolve = resolve_new(c->loop, TEXT_EMPTY);
    c->health = health_new(c->loop);
    listen_table_init(&c->listeners);
    listen_budget_init(&c->budget, control_connections_most(node));
    loop_timer_init(&c->care, c->loop, on_care, c);
    loop_task_init(&c->changed, NULL, NULL);
    loop_slice_init(&c->tidy, c->loop, tidy_step, c);
    control_publish_init(c);
    control_upgrade_init(c);
    control_inherit_init(c);
    metrics_add_source(control_print_metrics, c);
    must_set_dump(exchange_dump);
    return c;
}

/* Without the newline at its end. */
static struct text trim_lines(struct text t)
{
    while (t.length > 0 && (t.at[t.length - 1] == '\n' || t.at[t.length - 1] == '\r'))
        t.length--;
    return text_trim(t);
}

/* Imported keys are digested with it; with the keys of TLS tickets derived from it, nodes resume
 * each other's sessions. */
static void use_secret(struct control *c, struct text secret)
{
    struct digest tickets = digest_hmac(secret, TEXT_OF("gatewayd tls tickets"));

    c->secret = mem_copy_text(secret.at, secret.length);
    credentials_set_secret(c->credentials, secret);
    tls_ticket_set_secret(tickets.bytes);
}

/* The secret that nodes of a cluster share, into the arena; empty without one. */
static bool read_secret(const struct node_config *node, struct arena *arena, struct problems *ps,
                        struct text *secret_out)
{
    struct text file = node->cluster == NULL ? TEXT_EMPTY : node->cluster->secret_file;
    struct place place = { .path = "cluster.secret_file", .pointer = "" };
    struct text secret = TEXT_EMPTY;

    if (file.length > 0 &&
        !read_file_closed(arena_copy(arena, file).at, &place, READ_FILE_RIGHTS, arena, ps, &secret))
        return false;
    secret = trim_lines(secret);
    if (file.length > 0 && secret.length == 0) {
        problems_add(ps, place, "%.*s holds no secret.", TEXT_ARGS(file));
        return false;
    }
    *secret_out = secret;
    return true;
}

/* Files are made by all kinds of tools, so one that others may read starts, but not in silence. */
static void warn_of_open_secrets(const struct control *c, struct arena *arena)
{
    const struct node_config *node = c->node;
    const struct node_redis *redis = node->state.redis;
    const struct node_sentinel *sentinel = redis == NULL ? NULL : redis->sentinel;
    const struct {
        const char *field;
        struct text file;
    } secrets[] = {
        { "cluster.secret_file", node->cluster == NULL ? TEXT_EMPTY : node->cluster->secret_file },
        { "state.redis.password_file", redis == NULL ? TEXT_EMPTY : redis->password_file },
        { "state.redis.sentinel.password_file",
          sentinel == NULL ? TEXT_EMPTY : sentinel->password_file },
    };

    for (size_t i = 0; i < ARRAY_LENGTH(secrets); i++) {
        unsigned mode = read_file_mode(arena_copy(arena, secrets[i].file).at);

        if (secrets[i].file.length > 0 && (mode & READ_FILE_SECRET) != 0)
            log_warn(&c->log,
                     "%s: %.*s is open to others (mode %04o), and who knows it can act as a node: "
                     "chmod 0600 it (or 0640)",
                     secrets[i].field, TEXT_ARGS(secrets[i].file), mode);
    }
}

static bool load_secret(struct control *c, struct problems *ps)
{
    struct text secret;
    struct arena arena;

    arena_init(&arena, SIZE_MAX);
    bool is_read = read_secret(c->node, &arena, ps, &secret);
    if (is_read && secret.length > 0)
        use_secret(c, secret);
    if (is_read)
        warn_of_open_secrets(c, &arena);
    arena_reset(&arena);
    return is_read;
}

static bool check_secret(const struct node_config *node, struct problems *ps)
{
    struct text secret;
    struct arena arena;

    arena_init(&arena, SIZE_MAX);
    bool is_read = read_secret(node, &arena, ps, &secret);
    arena_reset(&arena);
    return is_read;
}

bool control_check(const struct node_config *node, struct problems *ps)
{
    bool is_right = control_check_tls(node, ps);

    is_right = check_secret(node, ps) && is_right;
    is_right = ha_check(node, ps) && is_right;
    for (size_t i = 0; i < SERVICE_COUNT; i++) {
        if (control_services[i]->check != NULL)
            is_right = control_services[i]->check(node, ps) && is_right;
    }
    node_locate(node, ps);
    return is_right;
}

static struct text copy_text(struct text t)
{
    return text_from(mem_copy_text(t.at, t.length), t.length);
}

static bool open_ha(struct control *c, struct problems *ps)
{
    if (c->node->ha != NULL)
        c->ha = ha_new(c, &c->listeners, ps);
    return c->node->ha == NULL || c->ha != NULL;
}

static bool open_listeners(struct control *c, struct problems *ps)
{
    const struct node_listeners *all = &c->node->listeners;
    bool is_right = true;

    listen_table_take_systemd(&c->listeners);
    control_pass_on(c, &c->listeners, "client");
    c->listener_count = all->count;
    c->tls = mem_new_array(all->count + 1, sizeof(c->tls[0]));
    c->listener_addresses = mem_new_array(all->count + 1, sizeof(c->listener_addresses[0]));
    c->drained = mem_new_array(all->count + 1, sizeof(c->drained[0]));
    c->listener_names = mem_new_array(all->count + 1, sizeof(c->listener_names[0]));
    for (size_t i = 0; i < all->count; i++) {
        const struct node_listener *l = &all->items[i];
        char path[128];
        snprintf(path, sizeof(path), "listeners.%.*s.address", TEXT_ARGS(l->name));
        c->listener_names[i] = copy_text(l->name);
        c->listener_addresses[i] = copy_text(l->address);
        is_right = listen_table_open(&c->listeners, l->name, &l->at, c->worker_count,
                                     (struct place){ .path = path, .pointer = "" }, ps) != NULL &&
                   is_right;
    }
    return control_load_tls(c, ps) && open_ha(c, ps) && is_right;
}

static void make_workers(struct control *c)
{
    c->workers = mem_new_array(c->worker_count, sizeof(struct worker *));
    for (unsigned i = 0; i < c->worker_count; i++) {
        struct worker_settings settings = {
            .number = i,
            .workers = c->worker_count,
            .node = c->node,
            .control = c->mailbox,
            .credentials = c->credentials,
            .turn = turns_get(c->turns, i),
            .limiter = c->limiter,
            .plans = &c->board,
            .listeners = &c->listeners,
            .budget = &c->budget,
            .addresses = c->ha == NULL ? NULL : ha_addresses(c->ha),
            .tls = c->tls,
        };
        c->workers[i] = worker_new(&settings);
    }
    for (unsigned i = 0; i < c->worker_count; i++)
        worker_start(c->workers[i]);
    c->workers_running = c->worker_count;
}

static size_t prepare_services(struct control *c, struct problems *ps)
{
    size_t prepared = 0;

    while (prepared < SERVICE_COUNT && (control_services[prepared]->prepare == NULL ||
                                        control_services[prepared]->prepare(c, ps)))
        prepared++;
    return prepared;
}

static void start_services(struct control *c)
{
    for (size_t i = 0; i < SERVICE_COUNT; i++) {
        if (control_services[i]->start != NULL)
            control_services[i]->start(c);
    }
}

static void stop_services(struct control *c, size_t count)
{
    while (count > 0) {
        count--;
        if (control_services[count]->stop != NULL)
            control_services[count]->stop(c);
    }
}

static void serve(struct control *c)
{
    make_workers(c);
    start_signals(c);
    if (c->ha != NULL && !control_is_inheriting(c))
        ha_start(c->ha, c->workers, c->worker_count);
    loop_timer_start(&c->care, CARE_MS);
    control_watchdog_start(c);
    control_starting_start(c);
    start_services(c);
    loop_run(c->loop);
    for (unsigned i = 0; i < c->worker_count; i++)
        worker_join(c->workers[i]);
    loop_run_once(c->loop, false); /* what the workers said last */
    control_publish_stop(c);
}

int control_run(struct control *c)
{
    struct problems ps;

    problems_init(&ps);
    bool is_open = load_secret(c, &ps) && control_inherit_begin(c, &ps) && open_listeners(c, &ps);
    size_t prepared = is_open ? prepare_services(c, &ps) : 0;
    node_locate(c->node, &ps);
    control_log_problems(&c->log, &ps);
    if (!is_open || prepared < SERVICE_COUNT)
        control_inherit_refuse(c, &ps);
    problems_fini(&ps);
    if (!is_open || prepared < SERVICE_COUNT) {
        stop_services(c, prepared);
        return 1;
    }
    control_inherit_opened(c);
    serve(c);
    stop_services(c, prepared);
    log_info(&c->log, "stopped");
    return c->exit_status;
}

/* ---- the end -------------------------------------------------------------------------------- */

static void free_workers(struct control *c)
{
    for (unsigned i = 0; c->workers != NULL && i < c->worker_count; i++)
        worker_free(&c->workers[i]);
    MEM_FREE(&c->workers);
}

static void free_texts(struct text **texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *copy = (char *)(uintptr_t)(*texts)[i].at;
        MEM_FREE(&copy);
    }
    MEM_FREE(texts);
}

static void free_listeners(struct control *c)
{
    control_free_tls(c);
    free_texts(&c->listener_names, c->listener_count);
    free_texts(&c->listener_addresses, c->listener_count);
    MEM_FREE(&c->drained);
    listen_table_fini(&c->listeners);
}

void control_free(struct control **at)
{
    struct control *c = *at;

    loop_timer_stop(&c->care);
    loop_slice_stop(&c->tidy);
    control_watchdog_stop(c);
    loop_task_cancel(&c->changed);
    control_starting_stop(c);
    for (size_t i = 0; i < ARRAY_LENGTH(c->signals); i++)
        loop_signal_stop(&c->signals[i]);
    control_publish_stop(c);
    ha_free(&c->ha);
    control_upgrade_fini(c);
    control_inherit_fini(c);
    free_workers(c);
    loop_run_once(c->loop, false);
    health_free(&c->health);
    control_publish_fini(c);
    free_listeners(c);
    limiter_free(&c->limiter);
    credentials_free(&c->credentials);
    turns_free(&c->turns);
    resolve_free(&c->resolve);
    mailbox_free(&c->mailbox);
    loop_free(&c->loop);
    metrics_stop();
    node_config_unref(&c->node);
    if (c->secret != NULL)
        explicit_bzero(c->secret, strlen(c->secret));
    MEM_FREE(&c->secret);
    MEM_FREE(&c->behind);
    MEM_FREE(&c->store_behind);
    MEM_FREE(&c->file);
    MEM_FREE(at);
}
