/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchanges.c - the beginning of every exchange, what codecs of clients tell it, and what a worker
 * does to all of them.
 */
#include "gatewayd/exchange/exchanges.h"

#include "conf/base/mem.h"
#include "gatewayd/exchange/exchange.h"
#include "gatewayd/exchange/stage_forward.h"
#include "gatewayd/exchange/tunnel.h"
#include "gatewayd/http/traceparent.h"

/* Fields that are added to the heads that came, beyond which they move to the arena. */
#define ROOM_TO_ADD 16

/* The first chunk of an exchange's arena. */
#define ARENA_LENT 4096

/* What an exchange may take beyond its block: two heads' worth, and trailers. */
#define ARENA_MOST(header_bytes) (65536 + 4 * (header_bytes))

#define BLOCKS_IDLE 64

/* Tunnels that are told to go away: how often it is looked, and the time for each. */
#define LEAVING_MS      20
#define LEAVING_EACH_MS 10
#define PROBLEM_MOST    4096

static size_t block_size(const struct exchanges *all)
{
    size_t heads = 2 * (all->settings.headers + ROOM_TO_ADD) * sizeof(struct header);
    return sizeof(struct exchange) + heads + ARENA_LENT;
}

void exchanges_set(struct exchanges *all, const struct exchange_settings *settings)
{
    all->settings = *settings;
    up_pool_set_limits(all->ups, (struct up_limits){ settings->header_bytes, settings->headers });
    if (block_size(all) != pool_size(&all->blocks))
        pool_resize(&all->blocks, block_size(all));
}

static void on_leaving(void *arg);

static void leave_turn(void *arg)
{
    struct exchanges *all = arg;
    turn_leave(all->turn);
}

void exchanges_init(struct exchanges *all)
{
    all->generation = NULL;
    all->budgets = NULL;
    all->budget_count = 0;
    all->count = 0;
    all->tunnels = 0;
    all->is_draining = false;
    all->is_stopping = false;
    all->random.state = request_id_random() | 1;
    holders_init(&all->holders, all->credentials);
    list_init(&all->running);
    loop_timer_init(&all->leaving, all->loop, on_leaving, all);
    loop_task_init(&all->leave_turn, leave_turn, all);
    builder_init(&all->scratch, PROBLEM_MOST);
    pool_init(&all->blocks, block_size(all), BLOCKS_IDLE);
}

void exchanges_fini(struct exchanges *all)
{
    MUST(all->count == 0);
    loop_timer_stop(&all->leaving);
    generation_leave(&all->generation);
    MEM_FREE(&all->budgets);
    builder_fini(&all->scratch);
    pool_fini(&all->blocks);
}

/* Kept connections that nobody will ask for again, and those to be kept, are closed. */
static void let_depart(struct exchanges *all, struct generation *g)
{
    for (size_t i = 0; g->departures != NULL && i < g->departures->count; i++)
        up_pool_drop(all->ups, g->departures->items[i].target, g->departures->items[i].tls);
    g->departures = NULL;
}

void exchanges_set_generation(struct exchanges *all, struct generation *g)
{
    size_t slots = g->snapshot->fleet_slots;

    if (slots > all->budget_count) {
        all->budgets = mem_resize(all->budgets, slots * sizeof(all->budgets[0]));
        memset(all->budgets + all->budget_count, 0,
               (slots - all->budget_count) * sizeof(all->budgets[0]));
        all->budget_count = slots;
    }
    let_depart(all, g);
    generation_leave(&all->generation);
    all->generation = g;
}

struct retry_budget *exchanges_budget(struct exchanges *all, unsigned slot)
{
    MUST(slot < all->budget_count);
    return &all->budgets[slot];
}

/* ---- one more, one fewer -------------------------------------------------------------------- */

static void on_timer(void *arg)
{
    struct exchange *ex = exchange_of(arg);

    if (ex->tunnel != NULL) {
        tunnel_on_timer(ex);
        return;
    }
    if (ex->waiting_on != NULL && ex->stage == STAGE_limit && (ex->route->route->timeout == 0))
        exchange_fail(ex, FAILURE_LIMITS_AWAY, "%s", "");
    else
        exchange_fail(ex, FAILURE_EXCHANGE_TIMEOUT, "in stage %s", exchange_stage_name(ex->stage));
    exchange_end_badly(ex);
}

/* Ended from outside: its key was revoked, or the node goes away. */
static void on_task(void *arg)
{
    struct exchange *ex = exchange_of(arg);

    if (ex->tunnel != NULL) {
        tunnel_end(ex);
        return;
    }
    exchange_fail(ex, ex->all->is_stopping ? FAILURE_STOPPED : FAILURE_KEY_REVOKED, "%s", "");
    exchange_end_badly(ex);
}

static void on_key_ended(struct holder *holder)
{
    struct exchange *ex = CONTAINER_OF(holder, struct exchange, holder);

    ex->is_key_ended = true;
    loop_defer(ex->all->loop, &ex->task);
}

static void on_limits_answered(struct limiter_wait *wait)
{
    exchange_resume(CONTAINER_OF(wait, struct exchange, limit_wait));
}

static void print_scope(const struct log_scope *scope, struct log_line *line)
{
    const struct exchange *ex = CONTAINER_OF(scope, struct exchange, log);

    log_line_add(line, "request_id", ex->request_id);
    if (ex->route_name.length > 0)
        log_line_add(line, "route", ex->route_name);
    if (ex->upstream_name.length > 0)
        log_line_add(line, "upstream", ex->upstream_name);
    if (ex->has_credential)
        log_line_add(line, "consumer", ex->credential.consumer);
}

struct exchange *exchanges_take(struct exchanges *all)
{
    struct exchange *ex = pool_take(&all->blocks);
    unsigned room = all->settings.headers + ROOM_TO_ADD;
    struct header *items = (struct header *)(ex + 1);
    char *lent = (char *)(items + 2 * room);

    memset(ex, 0, sizeof(*ex));
    ex->magic = EXCHANGE_MAGIC;
    ex->all = all;
    ex->block_size = pool_size(&all->blocks);
    ex->log = (struct log_scope){ .parent = all->log,
                                  .print = print_scope,
                                  .subject = LOG_SUBJECT_exchange };
    ex->begun_us = loop_now_us(all->loop);
    ex->begun_wall_ms = clock_wall_ms(&all->loop->clock);
    headers_init(&ex->request.headers, items, room);
    headers_init(&ex->response.headers, items + room, room);
    arena_init(&ex->arena, ARENA_MOST(all->settings.header_bytes));
    arena_lend(&ex->arena, lent, (size_t)((char *)ex + pool_size(&all->blocks) - lent));
    loop_timer_init(&ex->timer, all->loop, on_timer, ex);
    loop_task_init(&ex->task, on_task, ex);
    holder_init(&ex->holder, on_key_ended);
    limiter_wait_init(&ex->limit_wait, on_limits_answered);
    list_add_last(&all->running, &ex->node);
    all->count++;
    metrics_add(metrics_node(), METRIC_EXCHANGES, 1);
    return ex;
}

static void free_exchange(void *arg)
{
    struct exchange *ex = exchange_of(arg);

    ex->magic = 0;
    arena_reset(&ex->arena);
    if (LIKELY(ex->block_size == pool_size(&ex->all->blocks)))
        pool_give(&ex->all->blocks, ex);
    else
        pool_drop(&ex->all->blocks, ex);
}

void exchanges_give(struct exchanges *all, struct exchange *ex)
{
    generation_leave(&ex->generation);
    plan_sets_unref(&ex->announced);
    list_remove(&ex->node);
    all->count--;
    loop_bury(all->loop, ex, free_exchange);
}

/* ---- what a client's codec says ------------------------------------------------------------- */

static void on_begin(struct down *d)
{
    struct exchange *ex = exchanges_take(d->peer->listener->exchanges);

    ex->down = d;
    ex->place = d->peer->place;
    if (ex->place != NULL)
        metrics_add(ex->place, METRIC_ADDRESS_EXCHANGES, 1);
    d->owner = ex;
    d->head = &ex->request;
    d->arena = &ex->arena;
}

static void take_request_id(struct exchange *ex)
{
    const struct header *h = headers_find(&ex->request.headers, HEADER_X_REQUEST_ID);

    if (h != NULL && ex->down->peer->is_trusted && request_id_is_valid(h->value))
        ex->request_id = h->value;
    else
        ex->request_id = request_id_print_new(ex->request_id_memory);
}

static void take_trace_id(struct exchange *ex)
{
    const struct header *h = headers_find(&ex->request.headers, HEADER_TRACEPARENT);
    struct traceparent trace;

    if (h != NULL && headers_find_next(&ex->request.headers, h) == NULL &&
        traceparent_parse(h->value, &trace))
        ex->trace_id = trace.trace_id;
}

/* What is known of every request, whatever becomes of it. */
static void take_head(struct exchange *ex)
{
    const struct down_peer *peer = ex->down->peer;

    ex->request_us = exchange_now_us(ex);
    ex->path = ex->request.path;
    ex->has_body = ex->request.framing == BODY_CHUNKED ||
                   (ex->request.framing == BODY_LENGTH && ex->request.body_length > 0);
    take_request_id(ex);
    take_trace_id(ex);
    ex->client = forwarded_find_client(&ex->request.headers, &peer->peer, peer->is_trusted,
                                       &ex->all->settings.trusted);
    metrics_add(metrics_node(), METRIC_REQUESTS, 1);
}

static void on_request(struct down *d)
{
    struct exchange *ex = exchange_of(d->owner);

    take_head(ex);
    ex->stage_us[STAGE_route] = ex->request_us;
    exchange_run(ex);
}

static void on_bad_request(struct down *d, unsigned status, const char *sentence)
{
    struct exchange *ex = exchange_of(d->owner);

    take_head(ex);
    exchange_fail(ex, failure_of_status(status), "%s", sentence);
    ex->sentence = sentence;
    exchange_enter(ex, STAGE_respond);
    exchange_run(ex);
}

static void on_gone(struct down *d)
{
    struct exchange *ex = exchange_of(d->owner);

    exchange_fail(ex, ex->all->is_stopping ? FAILURE_STOPPED : FAILURE_CLIENT_GONE, "%s", "");
    exchange_finish(ex);
}

static void on_abandoned(struct down *d)
{
    struct exchange *ex = exchange_of(d->owner);

    ex->is_over = true;
    ex->is_released = true;
    metrics_sub(metrics_node(), METRIC_EXCHANGES, 1);
    if (ex->place != NULL)
        metrics_sub(ex->place, METRIC_ADDRESS_EXCHANGES, 1);
    exchanges_give(ex->all, ex);
}

static void on_body(struct down *d)
{
    struct exchange *ex = exchange_of(d->owner);

    if (ex->tunnel != NULL)
        tunnel_pump_request(ex);
    else
        stage_forward_pump(ex);
}

static void on_writable(struct down *d)
{
    struct exchange *ex = exchange_of(d->owner);

    if (ex->tunnel != NULL)
        tunnel_pump_answer(ex);
    else if (ex->is_answering)
        exchange_pump_answer(ex);
}

const struct down_user exchanges_down_user = {
    .on_begin = on_begin,
    .on_request = on_request,
    .on_bad_request = on_bad_request,
    .on_body = on_body,
    .on_writable = on_writable,
    .on_gone = on_gone,
    .on_abandoned = on_abandoned,
};

/* ---- all of them ---------------------------------------------------------------------------- */

/* Tunnels whose time has come go; the others are looked at again. */
static void on_leaving(void *arg)
{
    struct exchanges *all = arg;
    uint64_t now = loop_now_ms(all->loop);
    bool has_more = false;

    LIST_EACH (node, &all->running) {
        struct exchange *ex = LIST_ITEM(node, struct exchange, node);
        if (ex->leave_ms == 0 || ex->tunnel == NULL)
            continue;
        if (!exchange_is_draining(ex)) {
            ex->leave_ms = 0;
        } else if (now < ex->leave_ms) {
            has_more = true;
        } else {
            ex->leave_ms = 0;
            loop_defer(all->loop, &ex->task);
        }
    }
    if (has_more)
        loop_timer_start(&all->leaving, LEAVING_MS);
}

/* Few go at once, many as slowly as there is time. */
static void tell_tunnels(struct exchanges *all, uint64_t spread_ms)
{
    uint64_t now = loop_now_ms(all->loop);

    if (spread_ms > all->tunnels * LEAVING_EACH_MS)
        spread_ms = all->tunnels * LEAVING_EACH_MS;

    LIST_EACH (node, &all->running) {
        struct exchange *ex = LIST_ITEM(node, struct exchange, node);
        if (ex->tunnel != NULL && ex->leave_ms == 0 && exchange_is_draining(ex))
            ex->leave_ms = now + (spread_ms == 0 ? 0 : request_id_random() % spread_ms);
    }
    on_leaving(all);
}

void exchanges_drain(struct exchanges *all, struct down_listener *listener, uint64_t spread_ms)
{
    *(listener == NULL ? &all->is_draining : &listener->is_draining) = true;
    tell_tunnels(all, spread_ms);
}

void exchanges_drain_place(struct exchanges *all, struct down_place *place, uint64_t spread_ms)
{
    place->is_draining = true;
    tell_tunnels(all, spread_ms);
}

void exchanges_undrain_place(struct exchanges *all, struct down_place *place)
{
    place->is_draining = false;
}

void exchanges_undrain(struct exchanges *all, struct down_listener *listener)
{
    *(listener == NULL ? &all->is_draining : &listener->is_draining) = false;
}

void exchanges_end_key(struct exchanges *all, struct key_handle handle)
{
    holders_end(&all->holders, handle);
}
