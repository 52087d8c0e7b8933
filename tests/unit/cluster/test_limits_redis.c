/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_limits_redis.c - limiters of two nodes that share their buckets in a real Redis: what they
 * admit together, what happens when it goes away, and what a flood of subjects does to the others.
 *
 * Whatever is admitted raises a level that sinks at the rate: it never passes the burst.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <unistd.h>

#include "cluster/limits_redis.h"
#include "conf/base/mem.h"
#include "gatewayd/core/clock.h"
#include "gatewayd/policy/limiter.h"
#include "tests/unit/cluster/redis_server.h"

#define MS       1000000ll
#define SECOND   1000000000ll
#define ROUND_NS (50 * MS) /* at the longest, of a machine that is ours */
#define NODES    2

struct node {
    struct redis_story story;
    struct limits_redis *limits;
    struct turns *turns;
    struct limiter *limiter;
    struct limiter_set *set;
    struct arena arena;
    _Atomic bool is_told; /* waiting ones may go on */
    uint64_t allowed;
    uint64_t denied;
};

static struct redis_server_process server;
static struct node nodes[NODES];
static int64_t rate;
static int64_t burst;
static double level;
static double level_most;
static int64_t level_at;
/* One bucket in one place that is asked the same: how much there was to use. */
static double ideal;
static uint64_t ideal_allowed;

static int64_t now_ns(void)
{
    return (int64_t)clock_read_ns();
}

static void post_answered(void *arg, size_t worker)
{
    struct node *n = arg;
    atomic_store(&n->is_told, true);
}

static void open_node(struct node *n, const char *more)
{
    memset(n, 0, sizeof(*n));
    redis_story_open_for(&n->story, &server, more);
    n->turns = turns_new(1);
    n->limiter = limiter_new(&(struct limiter_settings){ .turns = n->turns });
    n->limits = limits_redis_new(&(struct limits_redis_settings){
        .redis = n->story.redis,
        .thread = n->story.thread,
        .limiter = n->limiter,
        .node = TEXT("gw"),
        .timeout_ms = n->story.node->state.redis->timeout,
    });
    limits_redis_set_nodes(n->limits, NODES);
    struct limiter_sharing sharing = limits_redis_sharing(n->limits);
    sharing.post_answered = post_answered;
    sharing.answered_arg = n;
    limiter_share(n->limiter, &sharing);
    arena_init(&n->arena, 1 << 16);
    redis_story_expect_up(&n->story, REDIS_LIMITS, true);
}

static void close_node(struct node *n)
{
    limiter_set_unref(&n->set);
    redis_stop(n->story.redis);
    limits_redis_stop(n->limits);
    redis_story_close(&n->story);
    limits_redis_free(&n->limits);
    limiter_free(&n->limiter);
    turns_free(&n->turns);
    arena_reset(&n->arena);
}

static int make_with(const char *more)
{
    redis_server_start(&server, "", NULL);
    for (size_t i = 0; i < NODES; i++)
        open_node(&nodes[i], more);
    level = level_most = 0;
    ideal_allowed = 0;
    level_at = now_ns();
    return 0;
}

static int make(void **state)
{
    return make_with("");
}

/* A machine that stalls for a tenth of a second divides nothing. */
static int make_patient(void **state)
{
    return make_with("timeout = \"2s\";");
}

static int unmake(void **state)
{
    for (size_t i = 0; i < NODES; i++)
        close_node(&nodes[i]);
    redis_server_stop(&server);
    return 0;
}

static void limit_all(int64_t wanted_rate, int64_t wanted_burst, enum limit_by by)
{
    struct limit limit = { .name = TEXT("one"), .kind = LIMIT_RATE, .per = 1000, .cost = 1 };
    rate = limit.rate = wanted_rate;
    burst = limit.burst = wanted_burst;
    limit.by_what = by;
    limit.by_header = TEXT_OF("x-tenant");
    for (size_t i = 0; i < NODES; i++)
        nodes[i].set = limiter_set_new(nodes[i].limiter, LIMITER_ROUTE, TEXT_OF("r"),
                                       &(struct limits){ &limit, 1 });
}

/* ---- requests ---- */

struct request {
    struct limiter_wait wait;
    struct node *node;
    struct limiter_who who;
    enum limiter_verdict verdict;
};

/* The last one may have been let in a little before it is counted: so one more is at most seen. */
static void admit(void)
{
    int64_t now = now_ns();
    double sunk = (double)(now - level_at) / 1e9 * (double)rate;
    level = (level > sunk ? level - sunk : 0) + 1;
    level_at = now;
    if (level > level_most)
        level_most = level;
}

static void try_request(struct request *r)
{
    struct node *n = r->node;
    struct limiter_request request = { .route = n->set, .who = r->who, .wait = &r->wait };
    struct limiter_result result;
    arena_reset(&n->arena);
    r->verdict =
        limiter_take(n->limiter, 0, &request,
                     (struct limiter_now){ now_ns(), clock_read_wall_ms() }, &n->arena, &result);
    turn_leave(turns_get(n->turns, 0));
    if (r->verdict == LIMITER_WAIT)
        return;
    n->allowed += r->verdict == LIMITER_ALLOWED;
    n->denied += r->verdict == LIMITER_DENIED;
    if (r->verdict == LIMITER_ALLOWED)
        admit();
}

static void take_ideal(void)
{
    static int64_t last;
    int64_t now = now_ns();
    if (ideal_allowed == 0)
        ideal = (double)burst;
    else
        ideal += (double)(now - last) / 1e9 * (double)rate;
    last = now;
    ideal = ideal > (double)burst ? (double)burst : ideal;
    if (ideal < 1)
        return;
    ideal -= 1;
    ideal_allowed++;
}

static void on_answered(struct limiter_wait *wait)
{
    try_request(CONTAINER_OF(wait, struct request, wait));
}

static void begin(struct request *r, struct node *n, const char *consumer)
{
    *r = (struct request){ .node = n };
    r->who.consumer = text_of(consumer);
    limiter_wait_init(&r->wait, on_answered);
    take_ideal();
    try_request(r);
}

static void go_on(struct node *n, int ms)
{
    redis_story_turn_for(&n->story, ms);
    if (atomic_exchange(&n->is_told, false))
        limiter_on_answered(n->limiter, 0);
}

static void finish(struct request *r)
{
    int64_t until = now_ns() + 5 * SECOND;
    while (r->verdict == LIMITER_WAIT && now_ns() < until)
        go_on(r->node, 1);
    assert_int_not_equal(r->verdict, LIMITER_WAIT);
}

/* How long nobody asked although somebody should have: the machine was busy with something else. */
static int64_t stalled_ns;

static void note_round(int64_t *last)
{
    int64_t now = now_ns();
    if (now - *last > ROUND_NS)
        stalled_ns += now - *last - ROUND_NS;
    *last = now;
}

/* So many requests each millisecond on each node, for a while. */
static void offer(const int *each, int64_t ns)
{
    static struct request waiting[NODES][64];
    int64_t until = now_ns() + ns;
    for (size_t i = 0; i < NODES; i++) {
        for (size_t k = 0; k < 64; k++)
            waiting[i][k].verdict = LIMITER_ALLOWED;
    }
    int64_t last = now_ns();
    for (size_t round = 0; now_ns() < until; round++) {
        note_round(&last);
        for (size_t i = 0; i < NODES; i++) {
            for (int k = 0; k < each[i]; k++) {
                struct request *r = &waiting[i][(round * (size_t)each[i] + (size_t)k) % 64];
                if (r->verdict != LIMITER_WAIT)
                    begin(r, &nodes[i], "c");
            }
            go_on(&nodes[i], 1);
        }
    }
    for (size_t i = 0; i < NODES; i++) {
        for (size_t k = 0; k < 64; k++)
            limiter_stop_waiting(nodes[i].limiter, 0, &waiting[i][k].wait);
    }
}

static uint64_t admitted(void)
{
    return nodes[0].allowed + nodes[1].allowed;
}

static struct limiter_counts counts(size_t i)
{
    struct limiter_counts c;
    limiter_count(nodes[i].limiter, &c);
    return c;
}

/* ---- what nodes admit together ---- */

/* A tenth of the burst may have come in since the last look. */
static bool is_used(double part)
{
    print_message("%lld a second: %.1f %% of %llu used\n", (long long)rate,
                  100 * (double)admitted() / (double)ideal_allowed,
                  (unsigned long long)ideal_allowed);
    return (double)admitted() + (double)burst / 10 >= part * (double)ideal_allowed;
}

/* Never over; and whether enough of it was used. */
static bool overload(int64_t per_second)
{
    limit_all(per_second, per_second / 2, LIMIT_BY_CONSUMER);
    stalled_ns = 0;
    offer((const int[]){ 30, 30 }, 2 * SECOND);
    assert_true(level_most <= (double)burst + 1);
    bool is_enough = is_used(0.97);
    assert_int_equal(counts(0).divided, 0);
    if (per_second >= 1000) {
        uint64_t asks = counts(0).asks[LIMITS_ANSWERED] + counts(1).asks[LIMITS_ANSWERED];
        assert_true((double)asks < 0.05 * (double)admitted());
    }
    return is_enough;
}

/* A machine that stalls for a moment leaves something unused: that happens once, or twice. */
static void expect_used(void **state, bool (*is_enough)(int64_t arg), int64_t arg)
{
    for (int try = 0; try < 3; try++) {
        unmake(state);
        make_patient(state);
        if (is_enough(arg))
            return;
    }
    fail_msg("too little is used");
}

static void overload_is_shared_and_never_over(void **state)
{
    static const int64_t rates[] = { 50, 500, 5000 };
    for (size_t i = 0; i < 3; i++)
        expect_used(state, overload, rates[i]);
}

static bool move_each(int64_t ns)
{
    limit_all(200, 100, LIMIT_BY_CONSUMER);
    stalled_ns = 0;
    for (int64_t i = 0; i < 2 * SECOND / ns; i++)
        offer(i % 2 == 0 ? (const int[]){ 5, 0 } : (const int[]){ 0, 5 }, ns);
    assert_true(level_most <= (double)burst + 1);
    return is_used(0.97);
}

static void all_on_one_then_all_on_the_other(void **state)
{
    expect_used(state, move_each, SECOND / 2);
    expect_used(state, move_each, SECOND / 5);
}

/* ---- keys ---- */

static void keys_name_no_secret_and_end_when_full(void **state)
{
    struct request r;
    limit_all(100, 100, LIMIT_BY_CONSUMER);
    begin(&r, &nodes[0], "acme");
    finish(&r);
    assert_int_equal(r.verdict, LIMITER_ALLOWED);
    char *keys = redis_server_ask(&server, "KEYS *");
    assert_non_null(strstr(keys, "{gatewayd}:limit:rb/r/one/cacme\r\n"));
    MEM_FREE(&keys);
    char *left = redis_server_ask(&server, "PTTL {gatewayd}:limit:rb/r/one/cacme");
    assert_in_range(strtol(left + 1, NULL, 10), 1, 13000);
    MEM_FREE(&left);
    /* Given back after a second, it ends 2 s later. */
    for (int i = 0; i < 1500 && *(left = redis_server_ask(&server, "DBSIZE")) == ':'; i++) {
        bool is_empty = left[1] == '0';
        MEM_FREE(&left);
        if (is_empty)
            return;
        go_on(&nodes[0], 20);
    }
    fail_msg("the key is still there");
}

static struct text secret_header(void *arg, struct text name)
{
    return TEXT_OF("gwk_0123456789abcdefghij");
}

static void values_of_headers_are_digests(void **state)
{
    struct request r = { .node = &nodes[0] };
    limit_all(100, 100, LIMIT_BY_HEADER);
    r.who.header = secret_header;
    limiter_wait_init(&r.wait, on_answered);
    try_request(&r);
    finish(&r);
    char *keys = redis_server_ask(&server, "KEYS *");
    assert_null(strstr(keys, "gwk_"));
    assert_non_null(strstr(keys, "{gatewayd}:limit:"));
    MEM_FREE(&keys);
}

/* ---- away ---- */

static void expect_divided(size_t i, size_t divided)
{
    for (int k = 0; k < 300 && counts(i).divided != divided; k++)
        go_on(&nodes[i], 10);
    assert_int_equal(counts(i).divided, divided);
}

/* Those who wait when it stops answering wait for one timeout; those who come later do not. */
static void stopped_nobody_waits_long_and_the_limit_is_divided(void **state)
{
    struct request r;
    limit_all(100, 100, LIMIT_BY_CONSUMER);
    redis_server_pause(&server);
    begin(&r, &nodes[0], "c");
    assert_int_equal(r.verdict, LIMITER_WAIT);
    finish(&r);
    assert_int_equal(r.verdict, LIMITER_ALLOWED);
    struct limiter_counts c = counts(0);
    assert_int_equal(c.asks[LIMITS_AWAY], 1); /* for one timeout */
    assert_int_equal(c.asks[LIMITS_ANSWERED] + c.asks[LIMITS_REFUSED], 0);
    expect_divided(0, 1);
    int64_t start = now_ns();
    for (int i = 0; i < 200; i++) {
        begin(&r, &nodes[0], "c");
        assert_int_not_equal(r.verdict, LIMITER_WAIT);
    }
    /* Its half of the burst, and of the rate. */
    assert_in_range(nodes[0].allowed, 50, 60 + (now_ns() - start) / (20 * MS));
    redis_server_go_on(&server);
    redis_story_expect_up(&nodes[0].story, REDIS_LIMITS, true);
    expect_divided(0, 0);
    assert_int_equal(counts(0).leased, 1);
}

static void killed_and_back_the_same_bucket_goes_on(void **state)
{
    limit_all(100, 100, LIMIT_BY_CONSUMER);
    int64_t start = now_ns();
    for (int i = 0; i < 3; i++) {
        offer((const int[]){ 5, 5 }, SECOND / 2);
        redis_server_kill(&server);
        offer((const int[]){ 5, 5 }, SECOND / 2);
        redis_server_restart(&server);
        for (size_t k = 0; k < NODES; k++)
            redis_story_expect_up(&nodes[k].story, REDIS_LIMITS, true);
    }
    offer((const int[]){ 5, 5 }, 2 * SECOND);
    double seconds = (double)(now_ns() - start) / 1e9;
    /* A burst to begin with, one for each time that it forgot everything; both nodes cut off. */
    assert_true((double)admitted() <= 4 * (double)burst + 2 * (double)rate * seconds);
    expect_divided(0, 0);
    expect_divided(1, 0);
}

static void flushed_it_costs_one_burst_at_most(void **state)
{
    limit_all(100, 100, LIMIT_BY_CONSUMER);
    offer((const int[]){ 5, 5 }, SECOND);
    redis_server_tell(&server, "FLUSHALL", "+OK");
    offer((const int[]){ 5, 5 }, SECOND);
    assert_true(level_most <= 2 * (double)burst + 1);
    assert_int_equal(counts(0).divided, 0);
}

/* No memory, not a master: it says no, so the limit is divided; and shared again by itself. */
static void refused_by_redis_the_limit_is_divided(void **state)
{
    limit_all(100, 100, LIMIT_BY_CONSUMER);
    redis_server_tell(&server, "CONFIG SET maxmemory 1", "+OK");
    offer((const int[]){ 5, 5 }, SECOND / 4);
    expect_divided(0, 1);
    assert_true(nodes[0].allowed >= 50);
    redis_server_tell(&server, "CONFIG SET maxmemory 0", "+OK");
    expect_divided(0, 0);
    assert_int_equal(counts(0).leased, 1);
}

int main(void)
{
#define TEST(name)    cmocka_unit_test_setup_teardown(name, make, unmake)
#define PATIENT(name) cmocka_unit_test_setup_teardown(name, make_patient, unmake)
    const struct CMUnitTest tests[] = {
        PATIENT(overload_is_shared_and_never_over),
        PATIENT(all_on_one_then_all_on_the_other),
        PATIENT(keys_name_no_secret_and_end_when_full),
        PATIENT(values_of_headers_are_digests),
        TEST(stopped_nobody_waits_long_and_the_limit_is_divided),
        TEST(killed_and_back_the_same_bucket_goes_on),
        PATIENT(flushed_it_costs_one_burst_at_most),
        TEST(refused_by_redis_the_limit_is_divided),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
