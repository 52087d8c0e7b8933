/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_limiter_used.c - how much of their limits several nodes use: whole limiters, one for each
 * node, that share buckets behind a port, on a clock of the test's own.
 *
 * Beside them runs one bucket of each limit as there would be if there was but one node: it sees
 * the same requests at the same time and lets in as many as can be. The nodes together must let in
 * at least 97 % of that, however the load moves, and never more than a burst and the rate.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "conf/base/mem.h"
#include "gatewayd/policy/limiter.h"

#define US          1000ll
#define MS          1000000ll
#define SECOND      1000000000ll
#define NOON        1709208000000
#define NODES_MOST  4
#define LIMITS_MOST 3
#define WAITERS     512
#define TICK        (10 * MS)

enum what { ARRIVAL, ASK, ANSWER, WANTED, ANSWERED, TICKED };

struct event {
    int64_t at;
    uint64_t order;
    enum what what;
    unsigned node;
    unsigned limit;
    struct bucket_ask ask;
    struct limits_answer answer;
    limits_answered_fn *answered;
    void *arg;
};

/* An exchange that may wait. */
struct waiter {
    struct limiter_wait wait;
    struct node *node;
    bool is_waiting;
};

struct node {
    struct limits_port port;
    struct turns *turns;
    struct limiter *limiter;
    struct limiter_set *set;
    struct arena arena;
    struct waiter waiters[WAITERS];
    unsigned next_waiter;
    unsigned number;
    int64_t ahead; /* ms, of its wall clock */
    bool is_ticking;
};

/* One limit: the nodes' bucket, the one they are measured against, and the level that never passes
 * the burst. */
struct shared {
    struct limit limit;
    struct bucket bucket;
    double ideal;
    double level;
    double level_most;
};

enum pattern {
    EVEN,
    MOVING, /* all on one node for `period`, then all on the next */
    BURSTS, /* on one node after the other: a quarter of `period`, then quiet */
    TURNS   /* each request on the next node */
};

struct load {
    int64_t rate; /* in each `per` ms */
    int64_t per;
    int64_t burst;
    unsigned nodes;
    enum pattern pattern;
    double offered; /* times the rate, in all */
    double period;  /* s */
    double seconds;
    size_t limits; /* 0: one */
    int64_t cost;  /* 0: one */
};

static struct world {
    struct event *heap;
    size_t count;
    size_t size;
    uint64_t order;
    uint64_t random;
    int64_t now;
    struct node nodes[NODES_MOST];
    struct shared shared[LIMITS_MOST];
    struct load load;
    uint64_t asks;
    uint64_t offered;
    uint64_t admitted;
    uint64_t ideal;
    int64_t ideal_at;
    int64_t level_at;
} world;
static struct world *w = &world;
static const struct node *at; /* whose clock is read */

static double uniform(void)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (double)(w->random >> 11) / 9007199254740992.0;
}

/* ---- events ---- */

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void push(int64_t delay, struct event e)
{
    if (w->count == w->size) {
        w->size = w->size == 0 ? 256 : w->size * 2;
        w->heap = mem_resize(w->heap, w->size * sizeof(*w->heap));
    }
    e.at = w->now + delay;
    e.order = w->order++;
    size_t i = w->count++;
    for (; i > 0 && is_before(&e, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = e;
}

static struct event pop(void)
{
    struct event first = w->heap[0];
    struct event last = w->heap[--w->count];
    size_t i = 0;
    for (size_t child = 1; child < w->count; child = 2 * i + 1) {
        if (child + 1 < w->count && is_before(&w->heap[child + 1], &w->heap[child]))
            child++;
        if (!is_before(&w->heap[child], &last))
            break;
        w->heap[i] = w->heap[child];
        i = child;
    }
    w->heap[i] = last;
    return first;
}

/* ---- the port ---- */

static struct limiter_now read_clock(void)
{
    return (struct limiter_now){ 1000 * SECOND + w->now, NOON + at->ahead + w->now / MS };
}

static int64_t one_way(void)
{
    return (int64_t)((50 + 400 * uniform()) * US);
}

static unsigned limit_of(struct text identity)
{
    for (unsigned i = 0; i < LIMITS_MOST; i++) {
        char name[32];
        snprintf(name, sizeof(name), "rb/r/%.*s/", TEXT_ARGS(w->shared[i].limit.name));
        if (text_starts_with(identity, text_of(name)))
            return i;
    }
    fail_msg("a bucket of no limit");
    return 0;
}

static bool ask(struct limits_port *port, struct text identity, const struct bucket_ask *what,
                limits_answered_fn *answered, void *arg, struct limits_answer *answer_out)
{
    struct node *n = CONTAINER_OF(port, struct node, port);
    w->asks++;
    push(one_way(), (struct event){ .what = ASK,
                                    .node = n->number,
                                    .limit = limit_of(identity),
                                    .ask = *what,
                                    .answered = answered,
                                    .arg = arg });
    return true;
}

static void on_ask(struct event *e)
{
    struct shared *s = &w->shared[e->limit];
    int64_t now = NOON * 1000 + w->now / US;
    e->ask.not_after = INT64_MAX;
    e->answer = (struct limits_answer){ .nodes = w->load.nodes, .run = 1 };
    e->answer.outcome = bucket_ask(&s->bucket, &e->ask, now, 1, &e->answer.bucket) ? LIMITS_ANSWERED
                                                                                   : LIMITS_REFUSED;
    e->what = ANSWER;
    push(one_way(), *e);
}

static const struct limits_port_type type = { "simulated", ask };

static void post(struct node *n, enum what what)
{
    push(20 * US, (struct event){ .what = what, .node = n->number });
}

static void post_wanted(void *arg)
{
    post(arg, WANTED);
}

static void post_answered(void *arg, size_t worker)
{
    post(arg, ANSWERED);
}

/* ---- requests ---- */

static double per_second(const struct shared *s)
{
    return (double)s->limit.rate * 1000 / (double)s->limit.per;
}

/* A level that sinks at the rate and rises with each that is let in. */
static void admit(void)
{
    double time = (double)(w->now - w->level_at) / SECOND;
    w->level_at = w->now;
    w->admitted++;
    for (size_t i = 0; i < w->load.limits; i++) {
        struct shared *s = &w->shared[i];
        s->level -= time * per_second(s);
        s->level = (s->level > 0 ? s->level : 0) + (double)s->limit.cost;
        s->level_most = s->level > s->level_most ? s->level : s->level_most;
    }
}

static void take_ideal(void)
{
    double time = (double)(w->now - w->ideal_at) / SECOND;
    bool is_allowed = true;
    w->ideal_at = w->now;
    for (size_t i = 0; i < w->load.limits; i++) {
        struct shared *s = &w->shared[i];
        s->ideal += time * per_second(s);
        s->ideal = s->ideal > (double)s->limit.burst ? (double)s->limit.burst : s->ideal;
        is_allowed = is_allowed && s->ideal >= (double)s->limit.cost;
    }
    for (size_t i = 0; i < w->load.limits && is_allowed; i++)
        w->shared[i].ideal -= (double)w->shared[i].limit.cost;
    w->ideal += is_allowed;
}

static void take(struct waiter *x)
{
    struct node *n = x->node;
    struct limiter_request request = { .route = n->set, .wait = &x->wait };
    struct limiter_result result;
    at = n;
    arena_reset(&n->arena);
    request.who.consumer = TEXT_OF("c");
    enum limiter_verdict verdict =
        limiter_take(n->limiter, 0, &request, read_clock(), &n->arena, &result);
    turn_leave(turns_get(n->turns, 0));
    x->is_waiting = verdict == LIMITER_WAIT;
    if (verdict == LIMITER_ALLOWED)
        admit();
}

static void on_answered(struct limiter_wait *wait)
{
    take(CONTAINER_OF(wait, struct waiter, wait));
}

static void arrive(struct node *n)
{
    struct waiter *x = &n->waiters[n->next_waiter++ % WAITERS];
    take_ideal();
    w->offered++;
    if (x->is_waiting)
        return;
    limiter_wait_init(&x->wait, on_answered);
    x->node = n;
    take(x);
}

/* ---- load ---- */

static bool is_quiet(void)
{
    double part = (double)w->now / SECOND / w->load.period;
    return w->load.pattern == BURSTS && part - (double)(int64_t)part >= 0.25;
}

static unsigned node_of_next(void)
{
    double periods = (double)w->now / SECOND / w->load.period;
    switch (w->load.pattern) {
    case EVEN:
        break;
    case MOVING:
    case BURSTS:
        return (unsigned)periods % w->load.nodes;
    case TURNS:
        return (unsigned)w->offered % w->load.nodes;
    }
    return (unsigned)(uniform() * w->load.nodes) % w->load.nodes;
}

static void on_arrival(void)
{
    if (!is_quiet())
        arrive(&w->nodes[node_of_next()]);
    double gap = 1 / (per_second(&w->shared[0]) * w->load.offered) * (uniform() + uniform());
    push((int64_t)(gap * SECOND), (struct event){ .what = ARRIVAL });
}

static void keep_ticking(struct node *n)
{
    if (n->is_ticking || !limiter_has_later(n->limiter))
        return;
    n->is_ticking = true;
    push(TICK, (struct event){ .what = TICKED, .node = n->number });
}

static void happen(struct event *e)
{
    struct node *n = &w->nodes[e->node];
    at = n;
    switch (e->what) {
    case ARRIVAL:
        on_arrival();
        return;
    case ASK:
        on_ask(e);
        return;
    case ANSWER:
        e->answered(e->arg, e->ask.seq, &e->answer);
        break;
    case WANTED:
        limiter_on_wanted(n->limiter);
        break;
    case ANSWERED:
        limiter_on_answered(n->limiter, 0);
        return;
    case TICKED:
        n->is_ticking = false;
        limiter_tick(n->limiter);
        break;
    }
    keep_ticking(n);
}

static void start_node(unsigned i)
{
    struct limit limits[LIMITS_MOST];
    struct node *n = &w->nodes[i];
    at = n;
    n->number = i;
    n->ahead = i % 2 == 0 ? 5000 : -5000;
    n->port.type = &type;
    n->turns = turns_new(1);
    n->limiter = limiter_new(&(struct limiter_settings){ .turns = n->turns, .clock = read_clock });
    limiter_share(n->limiter, &(struct limiter_sharing){ .port = &n->port,
                                                         .holder = { i + 1, 1 },
                                                         .post_wanted = post_wanted,
                                                         .wanted_arg = n,
                                                         .post_answered = post_answered,
                                                         .answered_arg = n });
    for (size_t k = 0; k < w->load.limits; k++)
        limits[k] = w->shared[k].limit;
    n->set = limiter_set_new(n->limiter, LIMITER_ROUTE, TEXT_OF("r"),
                             &(struct limits){ limits, w->load.limits });
    arena_init(&n->arena, 1 << 16);
}

/* The first limit is the tight one; the others have as much, over another time, and a little more.
 */
static void set_limits(const struct load *load)
{
    struct limit *l = &w->shared[0].limit;
    *l = (struct limit){ .name = TEXT("tight"), .kind = LIMIT_RATE };
    l->rate = load->rate;
    l->per = load->per;
    l->burst = load->burst;
    l->cost = load->cost > 0 ? load->cost : 1;
    w->shared[1].limit = w->shared[2].limit = *l;
    l = &w->shared[1].limit;
    l->name = TEXT_OF("wide");
    l->rate *= 60;
    l->per *= 60;
    l->burst *= 10;
    l = &w->shared[2].limit;
    l->name = TEXT_OF("more");
    l->rate = l->rate * 4 / 3;
    l->burst *= 4;
}

static void begin(const struct load *load)
{
    memset(w, 0, sizeof(*w));
    w->random = 88172645463325252u;
    w->load = *load;
    if (w->load.limits == 0)
        w->load.limits = 1;
    set_limits(load);
    for (size_t i = 0; i < LIMITS_MOST; i++) {
        w->shared[i].ideal = (double)w->shared[i].limit.burst;
        bucket_init(&w->shared[i].bucket);
    }
    for (unsigned i = 0; i < load->nodes; i++)
        start_node(i);
    push(0, (struct event){ .what = ARRIVAL });
}

static void end(void)
{
    for (unsigned i = 0; i < w->load.nodes; i++) {
        struct node *n = &w->nodes[i];
        for (size_t k = 0; k < WAITERS; k++) {
            if (n->waiters[k].is_waiting)
                limiter_stop_waiting(n->limiter, 0, &n->waiters[k].wait);
        }
        at = n;
        limiter_set_unref(&n->set);
        limiter_free(&n->limiter);
        turns_free(&n->turns);
        arena_reset(&n->arena);
    }
    for (size_t i = 0; i < LIMITS_MOST; i++)
        bucket_fini(&w->shared[i].bucket);
    MEM_FREE(&w->heap);
}

static void run(int64_t until)
{
    while (w->heap[0].at < until) {
        struct event e = pop();
        w->now = e.at;
        happen(&e);
    }
}

/* At least 97 % of what one bucket would have let in, never over, and with few calls. */
static void expect_used(struct load load)
{
    static const char *const names[] = { "even", "moving", "bursts", "turns" };
    begin(&load);
    run((int64_t)(load.seconds * SECOND));
    double used = (double)w->admitted / (double)w->ideal;
    double asks = (double)w->asks / (double)w->admitted / (double)w->load.limits;
    print_message("%5lld/%-5lld burst %5lld, %u nodes, %zu limits, %-6s %-3.1f: %5.1f %% of %llu, "
                  "%.3f asks each\n",
                  (long long)load.rate, (long long)load.per, (long long)load.burst, load.nodes,
                  w->load.limits, names[load.pattern], load.period, used * 100,
                  (unsigned long long)w->ideal, asks);
    for (size_t i = 0; i < w->load.limits; i++)
        assert_true(w->shared[i].level_most <= (double)w->shared[i].limit.burst + 1e-6);
    assert_true(used >= 0.97);
    if (load.rate >= 1000)
        assert_true(asks < 0.05);
    end();
}

/* From 5 a minute to 50 000 a second, with bursts of half a second to ten. */
static const struct load sizes[] = {
    { .rate = 5, .per = 60000, .burst = 5 },        { .rate = 1, .per = 1000, .burst = 10 },
    { .rate = 10, .per = 1000, .burst = 10 },       { .rate = 20, .per = 1000, .burst = 20 },
    { .rate = 100, .per = 1000, .burst = 100 },     { .rate = 300, .per = 1000, .burst = 100 },
    { .rate = 200, .per = 1000, .burst = 200 },     { .rate = 1000, .per = 1000, .burst = 500 },
    { .rate = 2000, .per = 1000, .burst = 1000 },   { .rate = 5000, .per = 1000, .burst = 2500 },
    { .rate = 50000, .per = 1000, .burst = 25000 },
};
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SIZES 7 /* the larger ones take long */
#else
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))
#endif

/* Some hundreds of requests at least, and some seconds. */
static double seconds_of(const struct load *load)
{
    double seconds = 600 * (double)load->per / 1000 / (double)load->rate;
    if (load->rate >= 50000)
        return 3.5;
    return seconds < 8 ? 8 : seconds;
}

static void each_size(enum pattern pattern, double period, double offered, size_t limits)
{
    for (size_t i = 0; i < SIZES; i++) {
        for (unsigned nodes = 2; nodes <= 4; nodes += 2) {
            struct load load = sizes[i];
            load.nodes = nodes;
            load.pattern = pattern;
            load.period = period;
            load.offered = load.rate > 2000 ? 2 : offered;
            load.limits = limits;
            load.seconds = seconds_of(&load);
            expect_used(load);
        }
    }
}

static void on_all_nodes(void **state)
{
    each_size(EVEN, 0, 2, 1);
    each_size(EVEN, 0, 10, 1);
    each_size(TURNS, 0, 5, 1);
}

static void all_on_one_then_all_on_the_next(void **state)
{
    each_size(MOVING, 0.1, 5, 1);
    each_size(MOVING, 0.2, 2, 1);
    each_size(MOVING, 0.5, 5, 1);
    each_size(MOVING, 2, 5, 1);
}

static void in_bursts(void **state)
{
    each_size(BURSTS, 1, 5, 1);
    each_size(BURSTS, 8, 5, 1);
}

static void under_several_limits(void **state)
{
    each_size(EVEN, 0, 5, 3);
    each_size(MOVING, 0.5, 5, 3);
    each_size(BURSTS, 4, 5, 3);
}

static void requests_that_cost_more(void **state)
{
    expect_used((struct load){
        .rate = 10, .per = 1000, .burst = 10, .nodes = 2, .cost = 5, .offered = 5, .seconds = 30 });
    expect_used((struct load){ .rate = 10,
                               .per = 1000,
                               .burst = 10,
                               .nodes = 2,
                               .cost = 10,
                               .offered = 5,
                               .seconds = 30 });
    expect_used((struct load){ .rate = 100,
                               .per = 1000,
                               .burst = 20,
                               .nodes = 4,
                               .cost = 10,
                               .offered = 5,
                               .seconds = 30 });
    expect_used((struct load){ .rate = 100,
                               .per = 1000,
                               .burst = 100,
                               .nodes = 4,
                               .cost = 30,
                               .offered = 5,
                               .seconds = 30 });
}

/* Ten requests, however fast and wherever they come: all of them. */
static void a_small_burst_is_used_up(void **state)
{
    static const double gaps[] = { 0.0002, 0.001, 0.005, 0.02, 0.08 };
    for (size_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
        for (unsigned nodes = 2; nodes <= 4; nodes += 2) {
            for (enum pattern pattern = EVEN; pattern <= TURNS; pattern++) {
                if (pattern == BURSTS)
                    continue;
                begin(&(struct load){ .rate = 1,
                                      .per = 1000,
                                      .burst = 10,
                                      .nodes = nodes,
                                      .pattern = pattern,
                                      .period = 3 * gaps[i],
                                      .offered = 1 / gaps[i] });
                while (w->offered < 10)
                    run(w->heap[0].at + 1);
                run(w->now + SECOND / 10);
                assert_int_equal(w->admitted, 10);
                end();
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_all_nodes),
        cmocka_unit_test(all_on_one_then_all_on_the_next),
        cmocka_unit_test(in_bursts),
        cmocka_unit_test(under_several_limits),
        cmocka_unit_test(requests_that_cost_more),
        cmocka_unit_test(a_small_burst_is_used_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
