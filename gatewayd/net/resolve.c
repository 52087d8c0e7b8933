/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve.c - c-ares on our loop.
 *
 * c-ares says which descriptors it waits for and when it wants to be called; it may answer inside
 * the very call that asks (hosts file, no servers), so every answer is put down in the query and
 * delivered as a task. It cannot forget a single query: one that was stopped is freed when it is
 * answered.
 */
#include "gatewayd/net/resolve.h"

#include <ares.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "conf/base/mem.h"
#include "gatewayd/core/log.h"
#include "gatewayd/core/metrics.h"

#define TRY_MS       1500
#define TRIES        3
#define NO_NAME_MS   5000
#define FAILED_MS    2000
#define NAME_SIZE    256
#define SERVERS_SIZE 1024

struct resolve {
    struct loop *loop;
    ares_channel channel;
    struct loop_timer timer;
    struct list sockets;
    struct list queries;
    bool is_ending;
};

struct watched {
    struct list node;
    struct resolve *resolve;
    struct loop_watch watch;
};

struct resolve_query {
    struct list node;
    struct resolve *resolve;
    struct loop_task task;
    resolve_fn *fn; /* NULL: stopped */
    void *arg;
    uint16_t port;
    bool is_asking; /* c-ares has it */
    struct resolve_answer answer;
    struct address *addresses;
    size_t count;
};

static const struct log_scope scope = { .subject = LOG_SUBJECT_names };

const char *resolve_library_version(void)
{
    static char version[64];
    snprintf(version, sizeof(version), "c-ares %s", ares_version(NULL));
    return version;
}

/* ---- driving c-ares ------------------------------------------------------------------------- */

static void plan_next_call(struct resolve *r)
{
    struct timeval in;
    if (ares_timeout(r->channel, NULL, &in) == NULL) {
        loop_timer_stop(&r->timer);
        return;
    }
    loop_timer_start(&r->timer, (uint64_t)in.tv_sec * 1000 + (uint64_t)in.tv_usec / 1000 + 1);
}

static void process(struct resolve *r, int readable, int writable)
{
    ares_process_fd(r->channel, readable, writable);
    plan_next_call(r);
}

static void on_timer(void *arg)
{
    process(arg, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void on_readable(void *arg)
{
    struct watched *w = arg;
    process(w->resolve, w->watch.fd, ARES_SOCKET_BAD);
}

static void on_writable(void *arg)
{
    struct watched *w = arg;
    process(w->resolve, ARES_SOCKET_BAD, w->watch.fd);
}

static void free_watched(void *arg)
{
    struct watched *w = arg;
    MEM_FREE(&w);
}

static struct watched *find_watched(struct resolve *r, int fd)
{
    LIST_EACH (node, &r->sockets) {
        struct watched *w = LIST_ITEM(node, struct watched, node);
        if (w->watch.fd == fd)
            return w;
    }
    return NULL;
}

static struct watched *watch_new_one(struct resolve *r, int fd)
{
    struct watched *w = mem_new(sizeof(*w));
    w->resolve = r;
    loop_watch_init(&w->watch, r->loop, fd, w);
    list_add_last(&r->sockets, &w->node);
    return w;
}

static void stop_watching(struct watched *w)
{
    loop_watch_stop(&w->watch);
    list_remove(&w->node);
    loop_bury(w->resolve->loop, w, free_watched);
}

/* c-ares wants other events of a descriptor; neither: it is about to close it. */
static void on_socket_state(void *arg, ares_socket_t fd, int wants_read, int wants_write)
{
    struct resolve *r = arg;
    struct watched *w = find_watched(r, fd);
    if (!wants_read && !wants_write) {
        if (w != NULL)
            stop_watching(w);
        return;
    }
    if (w == NULL)
        w = watch_new_one(r, fd);
    if (wants_read)
        loop_watch_start_read(&w->watch, on_readable);
    else
        loop_watch_stop_read(&w->watch);
    if (wants_write)
        loop_watch_start_write(&w->watch, on_writable);
    else
        loop_watch_stop_write(&w->watch);
}

/* ---- life ----------------------------------------------------------------------------------- */

static bool set_servers(struct resolve *r, struct text servers)
{
    char list[SERVERS_SIZE];
    if (text_is_empty(servers))
        servers = text_of(getenv("GATEWAYD_NAME_SERVERS"));
    if (text_is_empty(servers))
        return true;
    if (servers.length >= sizeof(list))
        return false;
    memcpy(list, servers.at, servers.length);
    list[servers.length] = '\0';
    return ares_set_servers_ports_csv(r->channel, list) == ARES_SUCCESS;
}

static bool open_channel(struct resolve *r)
{
    struct ares_options options = {
        .timeout = TRY_MS,
        .tries = TRIES,
        .lookups = (char *)"fb", /* the hosts file, then the name servers */
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = r,
    };
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
#ifdef ARES_OPT_QUERY_CACHE
    /* Newer versions keep answers of their own: we ask again when, and only when, a TTL ends. */
    options.qcache_max_ttl = 0;
    mask |= ARES_OPT_QUERY_CACHE;
#endif
    return ares_init_options(&r->channel, &options, mask) == ARES_SUCCESS;
}

struct resolve *resolve_new(struct loop *loop, struct text servers)
{
    struct resolve *r = mem_new(sizeof(*r));
    r->loop = loop;
    list_init(&r->sockets);
    list_init(&r->queries);
    loop_timer_init(&r->timer, loop, on_timer, r);
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS || !open_channel(r)) {
        log_error(&scope, "the resolver of host names cannot start");
        MEM_FREE(&r);
        return NULL;
    }
    if (!set_servers(r, servers)) {
        log_error(&scope, "the list of name servers must be ADDRESS[:PORT],…");
        resolve_free(&r);
        return NULL;
    }
    return r;
}

static void free_query(struct resolve_query *q)
{
    loop_task_cancel(&q->task);
    list_remove(&q->node);
    MEM_FREE(&q->addresses);
    MEM_FREE(&q);
}

void resolve_free(struct resolve **resolve)
{
    struct resolve *r = *resolve;
    if (r == NULL)
        return;
    r->is_ending = true;
    ares_destroy(r->channel); /* answers all queries: on_answer frees nothing now */
    while (!list_is_empty(&r->queries))
        free_query(LIST_ITEM(r->queries.next, struct resolve_query, node));
    while (!list_is_empty(&r->sockets))
        stop_watching(LIST_ITEM(r->sockets.next, struct watched, node));
    loop_timer_stop(&r->timer);
    ares_library_cleanup();
    MEM_FREE(resolve);
}

/* ---- queries -------------------------------------------------------------------------------- */

static void deliver(void *arg)
{
    struct resolve_query *q = arg;
    resolve_fn *fn = q->fn;
    q->answer.addresses = q->addresses;
    q->answer.count = q->count;
    bool is_ok = q->answer.result == RESOLVE_OK;
    metrics_add(metrics_node(), is_ok ? METRIC_NAMES_RESOLVED : METRIC_NAMES_FAILED, 1);
    /* The query is gone for its owner from here on; the callee may even free the resolver. */
    list_remove(&q->node);
    q->fn = NULL;
    fn(q->arg, &q->answer);
    free_query(q);
}

static int compare(const void *a, const void *b)
{
    const struct address *left = a;
    const struct address *right = b;
    if (left->length != right->length)
        return left->length < right->length ? -1 : 1;
    return memcmp(&left->any, &right->any, left->length);
}

static void sort_and_join(struct resolve_query *q)
{
    size_t kept = 0;
    qsort(q->addresses, q->count, sizeof(*q->addresses), compare);
    for (size_t i = 0; i < q->count; i++)
        if (kept == 0 || compare(&q->addresses[kept - 1], &q->addresses[i]) != 0)
            q->addresses[kept++] = q->addresses[i];
    q->count = kept;
}

static void add_address(struct resolve_query *q, const struct ares_addrinfo_node *node)
{
    if (q->count == RESOLVE_MAX_ADDRESSES)
        return;
    struct address a = { 0 };
    if (node->ai_family == AF_INET) {
        const struct sockaddr_in *from = (const void *)node->ai_addr;
        a.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = from->sin_addr };
        a.v4.sin_port = htons(q->port);
        a.length = sizeof(a.v4);
    } else if (node->ai_family == AF_INET6) {
        const struct sockaddr_in6 *from = (const void *)node->ai_addr;
        a.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_addr = from->sin6_addr };
        a.v6.sin6_scope_id = from->sin6_scope_id;
        a.v6.sin6_port = htons(q->port);
        a.length = sizeof(a.v6);
    } else {
        return;
    }
    q->addresses = mem_resize(q->addresses, (q->count + 1) * sizeof(*q->addresses));
    q->addresses[q->count++] = a;
}

static int64_t clamp_ttl(int64_t ms)
{
    if (ms < RESOLVE_MIN_TTL_MS)
        return RESOLVE_MIN_TTL_MS;
    return ms > RESOLVE_MAX_TTL_MS ? RESOLVE_MAX_TTL_MS : ms;
}

static void take_nodes(struct resolve_query *q, const struct ares_addrinfo *info)
{
    int64_t ttl = RESOLVE_MAX_TTL_MS / 1000;
    for (const struct ares_addrinfo_node *n = info->nodes; n != NULL; n = n->ai_next) {
        add_address(q, n);
        if (n->ai_ttl < ttl)
            ttl = n->ai_ttl;
    }
    sort_and_join(q);
    q->answer.ttl_ms = clamp_ttl(ttl * 1000);
}

static struct resolve_answer describe_failure(int status)
{
    switch (status) {
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_EBADNAME:
        return (struct resolve_answer){ .result = RESOLVE_NO_NAME,
                                        .ttl_ms = NO_NAME_MS,
                                        .why = status == ARES_EBADNAME
                                                   ? "that is no host name"
                                                   : "there is no such host name" };
    default:
        return (struct resolve_answer){ .result = RESOLVE_FAILED,
                                        .ttl_ms = FAILED_MS,
                                        .why = ares_strerror(status) };
    }
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct resolve_query *q = arg;
    q->is_asking = false;
    if (status == ARES_SUCCESS)
        take_nodes(q, info);
    else
        q->answer = describe_failure(status);
    ares_freeaddrinfo(info);
    if (status == ARES_SUCCESS && q->count == 0)
        q->answer = describe_failure(ARES_ENODATA);
    if (q->resolve->is_ending)
        return;
    if (q->fn == NULL)
        free_query(q);
    else
        loop_defer(q->resolve->loop, &q->task);
}

static void answer_literal(struct resolve_query *q, const struct address *literal)
{
    q->addresses = mem_new(sizeof(*q->addresses));
    q->addresses[0] = *literal;
    q->count = 1;
    q->answer.ttl_ms = RESOLVE_MAX_TTL_MS;
    loop_defer(q->resolve->loop, &q->task);
}

static void ask(struct resolve_query *q, struct text name)
{
    const struct ares_addrinfo_hints hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = ARES_AI_NOSORT,
    };
    char host[NAME_SIZE];
    if (name.length >= sizeof(host) || name.length == 0) {
        q->answer = describe_failure(ARES_EBADNAME);
        loop_defer(q->resolve->loop, &q->task);
        return;
    }
    memcpy(host, name.at, name.length);
    host[name.length] = '\0';
    q->is_asking = true;
    ares_getaddrinfo(q->resolve->channel, host, NULL, &hints, on_answer, q);
    plan_next_call(q->resolve);
}

struct resolve_query *resolve_query_start(struct resolve *r, struct text name, uint16_t port,
                                          resolve_fn *fn, void *arg)
{
    struct resolve_query *q = mem_new(sizeof(*q));
    struct address literal;
    q->resolve = r;
    q->fn = fn;
    q->arg = arg;
    q->port = port;
    loop_task_init(&q->task, deliver, q);
    list_add_last(&r->queries, &q->node);
    if (address_parse_ip(name, port, &literal))
        answer_literal(q, &literal);
    else
        ask(q, name);
    return q;
}

void resolve_query_stop(struct resolve_query **query)
{
    struct resolve_query *q = *query;
    *query = NULL;
    if (q == NULL)
        return;
    q->fn = NULL;
    if (!q->is_asking)
        free_query(q);
}
