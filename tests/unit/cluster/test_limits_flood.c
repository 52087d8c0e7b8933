/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_limits_flood.c - 100 000 new addresses a second under a limit that is shared through a real
 * Redis: consumers known before are let in as fast as ever, and Redis is asked within bounds.
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

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define FLOOD     5000 /* a second */
#define WAIT_MOST SECOND
#else
#define FLOOD     100000
#define WAIT_MOST (20 * MS)
#endif

#define MS       1000000ll
#define SECOND   1000000000ll
#define KNOWN    50
#define KNOWN_MS 20 /* between requests of each */
#define SECONDS  4
#define STEP     (FLOOD / 1000)
#define WAITING  4096
#define WAITS    (KNOWN * (SECONDS + 1) * 1000 / KNOWN_MS + 1000)

static struct redis_server_process server;
static struct redis_story story;
static struct limits_redis *limits;
static struct turns *turns;
static struct limiter *limiter;
static struct limiter_set *by_ip;
static struct limiter_set *by_consumer;
static struct arena arena;
static _Atomic bool is_told;

struct request {
    struct limiter_wait wait;
    const struct limiter_set *set;
    struct address client;
    char consumer[16];
    int64_t begun;
    enum limiter_verdict verdict;
};

static struct request known[2 * KNOWN];
static struct request strangers[WAITING];
static int64_t waits[WAITS];
static size_t wait_count;
static uint64_t known_denied;
static uint64_t strangers_allowed;
static uint64_t strangers_begun;

static void post_answered(void *arg, size_t worker)
{
    atomic_store(&is_told, true);
}

static bool is_known(const struct request *r)
{
    return r >= known && r < known + ARRAY_LENGTH(known);
}

static void try_request(struct request *r)
{
    struct limiter_request request = { .route = r->set, .wait = &r->wait };
    struct limiter_result result;
    request.who.client = &r->client;
    request.who.consumer = text_of(r->consumer);
    arena_reset(&arena);
    r->verdict = limiter_take(
        limiter, 0, &request,
        (struct limiter_now){ (int64_t)clock_read_ns(), clock_read_wall_ms() }, &arena, &result);
    turn_leave(turns_get(turns, 0));
    if (r->verdict == LIMITER_WAIT)
        return;
    if (!is_known(r)) {
        strangers_allowed += r->verdict == LIMITER_ALLOWED;
        return;
    }
    known_denied += r->verdict == LIMITER_DENIED;
    if (wait_count < WAITS)
        waits[wait_count++] = (int64_t)clock_read_ns() - r->begun;
}

static void on_answered(struct limiter_wait *wait)
{
    try_request(CONTAINER_OF(wait, struct request, wait));
}

static void begin(struct request *r)
{
    r->begun = (int64_t)clock_read_ns();
    limiter_wait_init(&r->wait, on_answered);
    try_request(r);
}

static void set_address(struct request *r, uint32_t number)
{
    char text[32];
    snprintf(text, sizeof(text), "%u.%u.%u.%u:1", 10 + (number >> 24), number >> 16 & 255,
             number >> 8 & 255, number & 255);
    assert_true(address_parse(text_of(text), &r->client));
}

/* Half of the known ones are known by their address, under the same limit as the flood. */
static void make_known(void)
{
    for (size_t i = 0; i < 2 * KNOWN; i++) {
        struct request *r = &known[i];
        r->set = i < KNOWN ? by_consumer : by_ip;
        if (i < KNOWN)
            snprintf(r->consumer, sizeof(r->consumer), "c%zu", i);
        set_address(r, 0xf0000000u + (uint32_t)i);
        r->verdict = LIMITER_ALLOWED;
    }
}

static void ask_known(size_t ms)
{
    for (size_t i = 0; i < 2 * KNOWN; i++) {
        if (i % KNOWN_MS == ms % KNOWN_MS && known[i].verdict != LIMITER_WAIT)
            begin(&known[i]);
    }
}

/* New addresses only; past so many that wait the next take the places of those that wait longest,
 * as clients that went away. */
static void ask_strangers(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct request *r = &strangers[strangers_begun % WAITING];
        if (r->set != NULL)
            limiter_stop_waiting(limiter, 0, &r->wait);
        r->set = by_ip;
        set_address(r, (uint32_t)strangers_begun++);
        begin(r);
    }
}

static void run(int64_t ns, unsigned flood)
{
    int64_t start = (int64_t)clock_read_ns();
    uint64_t begun = strangers_begun;
    int64_t tidied = start;
    for (size_t ms = 0;; ms++) {
        int64_t now = (int64_t)clock_read_ns();
        if (now - start > ns)
            break;
        if (now - start < (int64_t)ms * MS)
            usleep((useconds_t)(((int64_t)ms * MS - (now - start)) / 1000));
        /* As many as there should have been. */
        uint64_t due = (uint64_t)(now - start) * flood / (uint64_t)MS;
        while (flood > 0 && strangers_begun - begun < due) {
            uint64_t more = due - (strangers_begun - begun);
            ask_strangers(more > 200 ? 200 : (unsigned)more);
            if (atomic_exchange(&is_told, false))
                limiter_on_answered(limiter, 0);
            if ((int64_t)clock_read_ns() - now > 2 * MS)
                break;
        }
        ask_known(ms);
        if (atomic_exchange(&is_told, false))
            limiter_on_answered(limiter, 0);
        if (now - tidied > 100 * MS) {
            limiter_tidy(limiter, (struct limiter_now){ now, clock_read_wall_ms() });
            tidied = now;
        }
    }
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static int64_t percentile(double part)
{
    assert_true(wait_count > 1000);
    qsort(waits, wait_count, sizeof(waits[0]), by_size);
    return waits[(size_t)((double)wait_count * part)];
}

static uint64_t asks(void)
{
    struct limiter_counts c;
    limiter_count(limiter, &c);
    return c.asks[LIMITS_ANSWERED] + c.asks[LIMITS_REFUSED];
}

static int64_t memory_of_redis(void)
{
    char *info = redis_server_ask(&server, "INFO memory");
    const char *at = strstr(info, "used_memory:");
    assert_non_null(at);
    int64_t bytes = strtoll(at + strlen("used_memory:"), NULL, 10);
    MEM_FREE(&info);
    return bytes;
}

static struct limiter_set *set_by(enum limit_by by, const char *name)
{
    struct limit limit = { .name = TEXT("one"), .kind = LIMIT_RATE, .per = 1000, .cost = 1 };
    limit.rate = limit.burst = 1000;
    limit.by_what = by;
    return limiter_set_new(limiter, LIMITER_ROUTE, text_of(name), &(struct limits){ &limit, 1 });
}

static int make(void **state)
{
    redis_server_start(&server, "", NULL);
    redis_story_open_for(&story, &server, "timeout = \"500ms\";");
    turns = turns_new(1);
    limiter = limiter_new(&(struct limiter_settings){ .turns = turns });
    limits = limits_redis_new(&(struct limits_redis_settings){
        .redis = story.redis,
        .thread = story.thread,
        .limiter = limiter,
        .node = TEXT("gw"),
        .timeout_ms = story.node->state.redis->timeout,
    });
    limits_redis_set_nodes(limits, 2);
    struct limiter_sharing sharing = limits_redis_sharing(limits);
    sharing.post_answered = post_answered;
    limiter_share(limiter, &sharing);
    arena_init(&arena, 1 << 16);
    redis_story_expect_up(&story, REDIS_LIMITS, true);
    by_ip = set_by(LIMIT_BY_IP, "by-ip");
    by_consumer = set_by(LIMIT_BY_CONSUMER, "by-consumer");
    store_thread_start(story.thread);
    return 0;
}

static int unmake(void **state)
{
    for (size_t i = 0; i < WAITING; i++) {
        if (strangers[i].set != NULL)
            limiter_stop_waiting(limiter, 0, &strangers[i].wait);
    }
    for (size_t i = 0; i < 2 * KNOWN; i++)
        limiter_stop_waiting(limiter, 0, &known[i].wait);
    store_thread_stop(story.thread);
    limiter_set_unref(&by_ip);
    limiter_set_unref(&by_consumer);
    redis_stop(story.redis);
    limits_redis_stop(limits);
    redis_story_close(&story);
    limits_redis_free(&limits);
    limiter_free(&limiter);
    turns_free(&turns);
    arena_reset(&arena);
    redis_server_stop(&server);
    return 0;
}

static void a_flood_slows_nobody_known(void **state)
{
    make_known();
    run(SECOND, 0); /* they get known */
    wait_count = 0;
    run(SECOND, 0);
    int64_t calm = percentile(0.99);
    wait_count = 0;
    uint64_t asks_before = asks();
    int64_t memory_before = memory_of_redis();
    run(SECONDS * SECOND, FLOOD / 1000);
    uint64_t asks_in_flood = asks() - asks_before;
    int64_t memory = memory_of_redis() - memory_before;
    struct limiter_counts c;
    limiter_count(limiter, &c);
    int64_t flooded = percentile(0.99);
    print_message("%llu new addresses a second, %zu buckets, %zu divided, %zu shared; %llu asks a "
                  "second; Redis grew by %lld KB; known ones wait %lld us (p99; before: %lld), at "
                  "most %lld\n",
                  (unsigned long long)strangers_begun / SECONDS, c.buckets, c.divided, c.leased,
                  (unsigned long long)asks_in_flood / SECONDS, (long long)memory / 1024,
                  (long long)flooded / 1000, (long long)calm / 1000,
                  (long long)waits[wait_count - 1] / 1000);
    assert_true(strangers_begun > (uint64_t)FLOOD * SECONDS * 7 / 10);
    assert_int_equal(known_denied, 0);
    assert_true(flooded < WAIT_MOST);
    assert_true(c.strangers <= LIMITER_LOCAL_MOST);
    assert_true(asks_in_flood < 10000 * SECONDS);
    assert_true(memory < 64ll << 20);
    assert_true(strangers_allowed > 0);
}

/* More than are looked at in one go: the rest are looked at after what else the thread has to do,
 * while it is told that all are to leave. */
static void one_leaves_in_a_flood(void **state)
{
    ask_strangers(WAITING / 2);
    struct limiter_counts c;
    limiter_count(limiter, &c);
    assert_true(c.strangers > 1024);
    alarm(60);
    int64_t begun = (int64_t)clock_read_ns();
    limits_redis_leave(limits, story.control);
    assert_true((int64_t)clock_read_ns() - begun < 20 * SECOND);
    alarm(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_leaves_in_a_flood, make, unmake),
        cmocka_unit_test_setup_teardown(a_flood_slows_nobody_known, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
