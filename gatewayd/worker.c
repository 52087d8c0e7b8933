/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.c - the life of a worker: its thread, its connections, its end.
 */
#include "gatewayd/worker_private.h"

#include <stdio.h>
#include <unistd.h>

#include "conf/base/mem.h"
#include "gatewayd/core/metrics.h"
#include "gatewayd/core/thread.h"
#include "gatewayd/net/tls.h"

#define BUFFERS_IDLE 512
#define CARE_MS      5000

/* How long handshakes that have begun are waited for at the end, and clients that still send. */
#define LAST_CALL_MS 100
#define LINGER_MS    1000

/* ---- connections ---------------------------------------------------------------------------- */

static void stop_if_done(struct worker *w);

void worker_forget_connection(struct worker *w, struct metrics_block *place)
{
    if (place != NULL)
        metrics_sub(place, METRIC_ADDRESS_CONNECTIONS, 1);
    metrics_sub(metrics_node(), METRIC_CONNECTIONS, 1);
    listen_budget_give(w->settings.budget);
    stop_if_done(w);
}

static void on_closed(struct h1_server *s, const struct down_peer *peer)
{
    metrics_sub(peer->listener->metrics, METRIC_LISTENER_CONNECTIONS, 1);
    worker_forget_connection(s->user_data, peer->place);
}

void worker_take_connection(struct worker_listener *l, const struct down_listener *down, int fd,
                            const struct address *peer)
{
    struct worker *w = l->worker;
    struct down_peer facts = {
        .peer = *peer,
        .is_tls = l->tls != NULL,
        .is_trusted = peer->any.sa_family == AF_UNIX ||
                      forwarded_is_trusted(&w->exchanges.settings.trusted, peer),
        .listener = down,
        .place = worker_place_of(down),
    };

    h1_down_start(&w->server, fd, &facts, l->tls);
}

static void on_accepted(void *arg, int fd, const struct address *peer)
{
    struct worker_listener *l = arg;
    const struct down_listener *down = worker_find_down(l, fd);

    if (down->place != NULL)
        metrics_add(down->place->metrics, METRIC_ADDRESS_CONNECTIONS, 1);
    metrics_add(metrics_node(), METRIC_CONNECTIONS, 1);
    metrics_add(metrics_node(), METRIC_CONNECTIONS_ACCEPTED, 1);
    metrics_add(l->down.metrics, METRIC_LISTENER_ACCEPTED, 1);
    metrics_add(l->down.metrics, METRIC_LISTENER_CONNECTIONS, 1);
    if (l->has_proxy_protocol)
        worker_await_proxy(l, down, fd, peer);
    else
        worker_take_connection(l, down, fd, peer);
}

/* ---- listeners ------------------------------------------------------------------------------ */

static void init_listener(struct worker *w, size_t i)
{
    const struct node_listener *configured = &w->node->listeners.items[i];
    struct worker_listener *l = &w->listeners[i];

    l->worker = w;
    l->down.exchanges = &w->exchanges;
    l->down.name = configured->name;
    l->down.metrics = metrics_block_new(METRICS_LISTENER, &configured->name);
    l->tls = w->settings.tls[i] == NULL ? NULL : tls_server_ref(w->settings.tls[i]);
    l->has_proxy_protocol = configured->proxy_protocol;
    l->is_unix = configured->at.any.sa_family == AF_UNIX;
    worker_init_listener_places(l);
}

static void start_listener(struct worker *w, struct worker_listener *l)
{
    struct listen_entry *entry = listen_table_find(w->settings.listeners, l->down.name);
    int fd;

    MUST(entry != NULL);
    l->acceptors = mem_new_array(entry->count, sizeof(l->acceptors[0]));
    while (l->acceptor_count < entry->count &&
           (fd = listen_entry_fd(entry, w->settings.number, w->settings.workers,
                                 l->acceptor_count)) >= 0)
        listen_acceptor_start(&l->acceptors[l->acceptor_count++], w->loop, fd, w->settings.budget,
                              on_accepted, l);
}

static void finish_accepting(struct worker *w)
{
    for (size_t i = 0; i < w->listener_count; i++) {
        for (unsigned n = 0; n < w->listeners[i].acceptor_count; n++)
            listen_acceptor_finish(&w->listeners[i].acceptors[n]);
    }
    w->is_accepting = false;
}

/* What is queued there belongs to the process that accepts from now on. */
static void stop_passed_on(struct worker *w)
{
    for (size_t i = 0; i < w->listener_count; i++) {
        struct worker_listener *l = &w->listeners[i];
        struct listen_entry *entry = listen_table_find(w->settings.listeners, l->down.name);
        if (entry == NULL || !entry->is_passed_on)
            continue;
        for (unsigned n = 0; n < l->acceptor_count; n++)
            listen_acceptor_stop(&l->acceptors[n]);
    }
}

static void fini_listener(struct worker_listener *l)
{
    metrics_block_unref(&l->down.metrics);
    tls_server_unref(&l->tls);
    MEM_FREE(&l->at_places);
    MEM_FREE(&l->acceptors);
}

/* ---- quitting ------------------------------------------------------------------------------- */

/* Exchanges belong to connections: the last one may be ending at this moment. */
static bool is_quiet(const struct worker *w)
{
    return w->server.connection_count == 0 && list_is_empty(&w->proxies);
}

static void stop_if_done(struct worker *w)
{
    if (!w->is_ending || !is_quiet(w))
        return;
    loop_timer_stop(&w->window);
    loop_timer_stop(&w->last_call);
    loop_timer_stop(&w->care);
    loop_stop(w->loop);
}

/* What is still there at the end of the window is ended whatever it is. */
static void on_window(void *arg)
{
    struct worker *w = arg;

    w->is_ending = true;
    finish_accepting(w);
    worker_close_proxies(w);
    h1_server_close_idle(&w->server);
    w->exchanges.is_stopping = true;
    if (!is_quiet(w))
        log_warn(&w->log, "%zu exchanges were not over at the end of the drain: they are cut",
                 w->exchanges.count);
    h1_server_close_all(&w->server);
    stop_if_done(w);
}

static void begin_drain(struct worker *w, uint64_t spread_ms)
{
    w->server.is_draining = true;
    exchanges_drain(&w->exchanges, NULL, spread_ms);
}

static void quit(struct worker *w, int64_t window_ms, uint64_t spread_ms)
{
    w->is_quitting = true;
    begin_drain(w, spread_ms);
    loop_timer_start(&w->window, (uint64_t)window_ms);
}

/* No handshake begins any more, and those that had begun are over: what is queued is the last. */
static void on_last_call(void *arg)
{
    struct worker *w = arg;

    w->is_ending = true;
    finish_accepting(w);
    stop_if_done(w);
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void on_care(void *arg)
{
    struct worker *w = arg;

    buffer_pool_shrink(&w->buffers);
    pool_shrink(&w->exchanges.blocks);
    loop_timer_start(&w->care, CARE_MS);
}

static void *run(void *arg)
{
    struct worker *w = arg;

    w->tid = gettid();
    metrics_use_slot(w->settings.number + 1);
    loop_measure(w->loop, LOOP_WORKER);
    loop_run(w->loop);
    socket_finish_lingering(w->loop, LINGER_MS);
    /* Idle connections to upstreams hold targets, buffers and burials. */
    up_pool_free(&w->exchanges.ups);
    loop_run_once(w->loop, false);
    exchanges_fini(&w->exchanges);
    mailbox_post_call(w->settings.control, w->on_quit, w->on_quit_arg);
    return NULL;
}

void worker_start(struct worker *w)
{
    thread_start(&w->thread, w->name, run, w);
}

void worker_join(struct worker *w)
{
    pthread_join(w->thread, NULL);
}

/* ---- making and freeing --------------------------------------------------------------------- */

static struct exchange_settings settings_of(const struct node_config *n)
{
    return (struct exchange_settings){
        .node = n->node,
        .header_bytes = (size_t)n->max.header_bytes,
        .headers = (unsigned)n->max.headers,
        .body_bytes = (uint64_t)n->max.body_bytes,
        .trusted = { n->trusted.items, n->trusted.count },
    };
}

static void apply_to_server(struct worker *w)
{
    const struct node_config *n = w->node;

    w->server.header_bytes = (size_t)n->max.header_bytes;
    w->server.headers = (unsigned)n->max.headers;
    w->server.header_timeout_ms = n->timeouts.header;
    w->server.body_timeout_ms = n->timeouts.body;
    w->server.idle_timeout_ms = n->timeouts.idle;
}

/* A head that is being read goes on by what it began with: a request and its exchange see the same
 * ceilings. */
static void apply_node(struct worker *w)
{
    struct exchange_settings settings = settings_of(w->node);

    apply_to_server(w);
    buffer_pool_grow(&w->buffers, w->server.header_bytes);
    exchanges_set(&w->exchanges, &settings);
}

static void init_exchanges(struct worker *w)
{
    struct exchanges *all = &w->exchanges;
    struct up_limits limits = { w->server.header_bytes, w->server.headers };

    all->loop = w->loop;
    all->settings = settings_of(w->node);
    all->worker = w->settings.number;
    all->buffers = &w->buffers;
    all->ups = up_pool_new(w->loop, &w->buffers, limits);
    all->pipes = &w->pipes;
    all->credentials = w->settings.credentials;
    all->turn = w->settings.turn;
    all->limiter = w->settings.limiter;
    all->plans = w->settings.plans;
    all->log = &w->log;
    exchanges_init(all);
}

static void init_server(struct worker *w)
{
    w->server.loop = w->loop;
    w->server.buffers = &w->buffers;
    w->server.user = &exchanges_down_user;
    w->server.user_data = w;
    w->server.on_closed = on_closed;
    h1_server_init(&w->server);
}

static void resume_limited(void *arg)
{
    struct worker *w = arg;

    atomic_store(&w->is_limited_posted, false);
    limiter_on_answered(w->settings.limiter, w->settings.number);
}

struct worker *worker_new(const struct worker_settings *settings)
{
    struct worker *w = mem_new(sizeof(*w));

    w->settings = *settings;
    w->node = node_config_ref((struct node_config *)(uintptr_t)settings->node);
    snprintf(w->name, sizeof(w->name), "worker-%u", settings->number);
    w->log = (struct log_scope){ .name = "worker",
                                 .value = text_of(w->name + 7),
                                 .subject = LOG_SUBJECT_worker };
    w->loop = loop_new(w->name);
    w->mailbox = mailbox_new(w->loop);
    mail_init(&w->limited, resume_limited, w);
    list_init(&w->proxies);
    apply_to_server(w);
    buffer_pool_init(&w->buffers,
                     w->server.header_bytes > BUFFER_SIZE ? w->server.header_bytes : BUFFER_SIZE,
                     BUFFERS_IDLE);
    socket_pipes_init(&w->pipes);
    init_server(w);
    init_exchanges(w);
    loop_timer_init(&w->care, w->loop, on_care, w);
    loop_timer_init(&w->window, w->loop, on_window, w);
    loop_timer_init(&w->last_call, w->loop, on_last_call, w);
    worker_init_places(w);
    w->listener_count = w->node->listeners.count;
    w->listeners = mem_new_array(w->listener_count, sizeof(w->listeners[0]));
    for (size_t i = 0; i < w->listener_count; i++)
        init_listener(w, i);
    return w;
}

void worker_free(struct worker **at)
{
    struct worker *w = *at;

    if (w == NULL)
        return;
    mailbox_free(&w->mailbox);
    loop_run_once(w->loop, false);
    h1_server_fini(&w->server);
    for (size_t i = 0; i < w->listener_count; i++)
        fini_listener(&w->listeners[i]);
    worker_fini_places(w);
    socket_pipes_fini(&w->pipes);
    buffer_pool_fini(&w->buffers);
    loop_free(&w->loop);
    node_config_unref(&w->node);
    while (w->old_node_count > 0)
        node_config_unref(&w->old_nodes[--w->old_node_count]);
    MEM_FREE(&w->old_nodes);
    MEM_FREE(&w->listeners);
    MEM_FREE(at);
}

/* ---- what it is told ------------------------------------------------------------------------ */

enum order {
    ORDER_PUBLISH,
    ORDER_ACCEPT,
    ORDER_TLS,
    ORDER_NODE,
    ORDER_DRAIN,
    ORDER_UNDRAIN,
    ORDER_PLACE,
    ORDER_QUIT,
    ORDER_RETIRE,
    ORDER_END,
    ORDER_END_KEY,
    ORDER_PING,
};

/* A mail there, and back if somebody waits for it. */
struct worker_mail {
    struct mail mail;
    struct worker *worker;
    enum order order;
    worker_done_fn *done;
    void *arg;
    union {
        struct generation *generation;
        struct tls_server **tls;
        struct node_config *node;
        struct {
            int64_t window_ms;
            worker_done_fn *done;
            void *arg;
        } quit;
        size_t listener;
        struct key_handle key;
        struct {
            size_t index;
            enum worker_place_order order;
        } place;
    };
    uint64_t spread_ms;
};

static void take_tls(struct worker *w, struct tls_server **tls)
{
    for (size_t i = 0; i < w->listener_count; i++) {
        tls_server_unref(&w->listeners[i].tls);
        w->listeners[i].tls = tls[i];
    }
    MEM_FREE(&tls);
}

/* Exchanges at work may still see texts of the one before: those are kept. Reloads are few. */
static void take_node(struct worker *w, struct node_config *node)
{
    w->old_nodes = mem_resize(w->old_nodes, (w->old_node_count + 1) * sizeof(w->old_nodes[0]));
    w->old_nodes[w->old_node_count++] = w->node;
    w->node = node;
    apply_node(w);
}

static void accept_now(struct worker *w)
{
    if (w->is_accepting || w->is_quitting)
        return;
    w->is_accepting = true;
    loop_timer_start(&w->care, CARE_MS);
    for (size_t i = 0; i < w->listener_count; i++)
        start_listener(w, &w->listeners[i]);
}

/* Of a listener, what is connected to virtual addresses by it too. */
static void mark_listener(struct worker_listener *l, bool is_draining)
{
    for (size_t i = 0; l->at_places != NULL && i < l->worker->place_count; i++)
        l->at_places[i].is_draining = is_draining;
}

static void drain(struct worker *w, size_t listener, uint64_t spread_ms)
{
    if (listener == WORKER_ALL_LISTENERS) {
        begin_drain(w, spread_ms);
        return;
    }
    mark_listener(&w->listeners[listener], true);
    exchanges_drain(&w->exchanges, &w->listeners[listener].down, spread_ms);
}

static void undrain(struct worker *w, size_t listener)
{
    if (listener != WORKER_ALL_LISTENERS) {
        mark_listener(&w->listeners[listener], false);
        exchanges_undrain(&w->exchanges, &w->listeners[listener].down);
        return;
    }
    w->server.is_draining = false;
    exchanges_undrain(&w->exchanges, NULL);
    for (size_t i = 0; i < w->listener_count; i++) {
        mark_listener(&w->listeners[i], false);
        exchanges_undrain(&w->exchanges, &w->listeners[i].down);
    }
}

static void take_quit(struct worker *w, const struct worker_mail *m)
{
    w->on_quit = m->quit.done;
    w->on_quit_arg = m->quit.arg;
    quit(w, m->quit.window_ms, m->spread_ms);
}

static void obey(struct worker *w, struct worker_mail *m)
{
    switch (m->order) {
    case ORDER_PUBLISH:
        exchanges_set_generation(&w->exchanges, m->generation);
        return;
    case ORDER_ACCEPT:
        accept_now(w);
        return;
    case ORDER_TLS:
        take_tls(w, m->tls);
        return;
    case ORDER_NODE:
        take_node(w, m->node);
        return;
    case ORDER_DRAIN:
        drain(w, m->listener, m->spread_ms);
        return;
    case ORDER_UNDRAIN:
        undrain(w, m->listener);
        return;
    case ORDER_PLACE:
        worker_obey_place(w, m->place.index, m->place.order, m->spread_ms);
        return;
    case ORDER_PING:
        return;
    case ORDER_QUIT:
        take_quit(w, m);
        return;
    case ORDER_RETIRE:
        stop_passed_on(w);
        take_quit(w, m);
        return;
    case ORDER_END:
        if (!w->is_ending)
            loop_timer_start(&w->last_call, LAST_CALL_MS);
        return;
    case ORDER_END_KEY:
        exchanges_end_key(&w->exchanges, m->key);
        return;
    }
}

static void on_answer(void *arg)
{
    struct worker_mail *m = arg;
    worker_done_fn *done = m->done;
    void *done_arg = m->arg;

    MEM_FREE(&m);
    done(done_arg);
}

static void on_order(void *arg)
{
    struct worker_mail *m = arg;
    struct worker *w = m->worker;

    obey(w, m);
    if (m->done == NULL) {
        MEM_FREE(&m);
        return;
    }
    mail_init(&m->mail, on_answer, m);
    mailbox_post(w->settings.control, &m->mail);
}

static struct worker_mail *new_order(struct worker *w, enum order order, worker_done_fn *done,
                                     void *arg)
{
    struct worker_mail *m = mem_new(sizeof(*m));

    m->worker = w;
    m->order = order;
    m->done = done;
    m->arg = arg;
    mail_init(&m->mail, on_order, m);
    return m;
}

static void post(struct worker *w, struct worker_mail *m)
{
    mailbox_post(w->mailbox, &m->mail);
}

void worker_publish(struct worker *w, struct generation *g, worker_done_fn *done, void *arg)
{
    struct worker_mail *m = new_order(w, ORDER_PUBLISH, done, arg);

    m->generation = g;
    post(w, m);
}

void worker_accept(struct worker *w)
{
    post(w, new_order(w, ORDER_ACCEPT, NULL, NULL));
}

void worker_set_tls(struct worker *w, struct tls_server *const *tls)
{
    struct worker_mail *m = new_order(w, ORDER_TLS, NULL, NULL);

    m->tls = mem_new_array(w->listener_count + 1, sizeof(m->tls[0]));
    for (size_t i = 0; i < w->listener_count; i++)
        m->tls[i] = tls[i] == NULL ? NULL : tls_server_ref(tls[i]);
    post(w, m);
}

void worker_set_node(struct worker *w, const struct node_config *node)
{
    struct worker_mail *m = new_order(w, ORDER_NODE, NULL, NULL);

    m->node = node_config_ref((struct node_config *)(uintptr_t)node);
    post(w, m);
}

void worker_drain(struct worker *w, size_t listener, uint64_t spread_ms)
{
    struct worker_mail *m = new_order(w, ORDER_DRAIN, NULL, NULL);

    m->listener = listener;
    m->spread_ms = spread_ms;
    post(w, m);
}

void worker_undrain(struct worker *w, size_t listener)
{
    struct worker_mail *m = new_order(w, ORDER_UNDRAIN, NULL, NULL);

    m->listener = listener;
    post(w, m);
}

void worker_tell_place(struct worker *w, size_t place, enum worker_place_order order,
                       uint64_t spread_ms, worker_done_fn *done, void *arg)
{
    struct worker_mail *m = new_order(w, ORDER_PLACE, done, arg);

    m->place.index = place;
    m->place.order = order;
    m->spread_ms = spread_ms;
    post(w, m);
}

void worker_ping(struct worker *w, worker_done_fn *done, void *arg)
{
    post(w, new_order(w, ORDER_PING, done, arg));
}

pid_t worker_tid(const struct worker *w)
{
    return w->tid;
}

static void post_quit(struct worker *w, struct worker_mail *m, int64_t window_ms,
                      uint64_t spread_ms, worker_done_fn *done, void *arg)
{
    m->quit.window_ms = window_ms;
    m->quit.done = done;
    m->quit.arg = arg;
    m->spread_ms = spread_ms;
    post(w, m);
}

void worker_quit(struct worker *w, int64_t window_ms, uint64_t spread_ms, worker_done_fn *done,
                 void *arg)
{
    post_quit(w, new_order(w, ORDER_QUIT, NULL, NULL), window_ms, spread_ms, done, arg);
}

void worker_retire(struct worker *w, int64_t window_ms, uint64_t spread_ms, worker_done_fn *let_go,
                   worker_done_fn *done, void *arg)
{
    post_quit(w, new_order(w, ORDER_RETIRE, let_go, arg), window_ms, spread_ms, done, arg);
}

void worker_end(struct worker *w)
{
    post(w, new_order(w, ORDER_END, NULL, NULL));
}

void worker_resume_limited(struct worker *w)
{
    if (!atomic_exchange(&w->is_limited_posted, true))
        mailbox_post(w->mailbox, &w->limited);
}

void worker_end_key(struct worker *w, struct key_handle handle, worker_done_fn *done, void *arg)
{
    struct worker_mail *m = new_order(w, ORDER_END_KEY, done, arg);

    m->key = handle;
    post(w, m);
}
