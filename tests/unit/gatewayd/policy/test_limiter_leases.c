/* SPDX-License-Identifier: Apache-2.0 */
/* test_limiter_leases.c - the limiter with buckets behind a port: waiting, denying, dividing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>

#include "gatewayd/core/clock.h"
#include "gatewayd/policy/limiter.h"

#define MS      1000000ll
#define SECOND  1000000000ll
#define NOON    1709208000000
#define BUCKETS 64
#define ASKS    4096
#define WORKERS 2

/* A port that keeps buckets in this process and answers when it is told to. */
struct pending {
    size_t bucket;
    struct bucket_ask ask;
    limits_answered_fn *answered;
    void *arg;
};

struct fake {
    struct limits_port port;
    char identities[BUCKETS][320];
    struct bucket buckets[BUCKETS];
    size_t count;
    struct pending pending[ASKS];
    size_t pending_count;
    bool is_away;
    uint64_t asks;
};

static struct fake fake;
static struct limiter *l;
static struct turns *turns;
static struct limiter_now now;
static bool is_wanted;
static bool is_answered[WORKERS];
static struct arena arena;

static struct limiter_now read_fake_clock(void)
{
    return now;
}

static size_t find_bucket(struct text identity)
{
    for (size_t i = 0; i < fake.count; i++) {
        if (text_equals(text_of(fake.identities[i]), identity))
            return i;
    }
    assert_true(fake.count < BUCKETS);
    snprintf(fake.identities[fake.count], 320, "%.*s", TEXT_ARGS(identity));
    return fake.count++;
}

static bool fake_ask(struct limits_port *port, struct text identity, const struct bucket_ask *ask,
                     limits_answered_fn *answered, void *arg, struct limits_answer *answer_out)
{
    fake.asks++;
    if (fake.is_away) {
        *answer_out = (struct limits_answer){ .outcome = LIMITS_AWAY, .nodes = 2 };
        return false;
    }
    assert_true(fake.pending_count < ASKS);
    fake.pending[fake.pending_count] =
        (struct pending){ .ask = *ask, .answered = answered, .arg = arg };
    fake.pending[fake.pending_count].ask.not_after = INT64_MAX;
    fake.pending[fake.pending_count].bucket = fake.count < BUCKETS ? find_bucket(identity) : 0;
    fake.pending_count++;
    return true;
}

static void answer_all(void)
{
    static struct pending taken[ASKS];
    size_t count = fake.pending_count;
    memcpy(taken, fake.pending, count * sizeof(taken[0]));
    fake.pending_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct pending *p = &taken[i];
        struct limits_answer answer = { .nodes = 2, .run = 1 };
        struct limiter_now time =
            now.wall != 0 ? now
                          : (struct limiter_now){ (int64_t)clock_read_ns(), clock_read_wall_ms() };
        answer.outcome =
            bucket_ask(&fake.buckets[p->bucket], &p->ask, time.monotonic / 1000, 1, &answer.bucket)
                ? LIMITS_ANSWERED
                : LIMITS_REFUSED;
        p->answered(p->arg, p->ask.seq, &answer);
    }
}

static const struct limits_port_type fake_type = { "fake", fake_ask };

static void post_wanted(void *arg)
{
    is_wanted = true;
}

static void post_answered(void *arg, size_t worker)
{
    is_answered[worker] = true;
}

static int make(void **state)
{
    memset(&fake, 0, sizeof(fake));
    fake.port.type = &fake_type;
    turns = turns_new(WORKERS);
    now = (struct limiter_now){ 5000 * SECOND, NOON };
    is_wanted = false;
    memset(is_answered, 0, sizeof(is_answered));
    struct limiter_settings settings = {
        .turns = turns,
        .clock = read_fake_clock,
    };
    struct limiter_sharing sharing = {
        .port = &fake.port,
        .holder = { 1, 1 },
        .post_wanted = post_wanted,
        .post_answered = post_answered,
    };
    l = limiter_new(&settings);
    limiter_share(l, &sharing);
    arena_init(&arena, 1 << 20);
    return 0;
}

static int unmake(void **state)
{
    limiter_free(&l);
    turns_free(&turns);
    for (size_t i = 0; i < fake.count; i++)
        bucket_fini(&fake.buckets[i]);
    arena_reset(&arena);
    return 0;
}

static struct limiter_set *set_of(const char *owner, int64_t rate, int64_t burst, size_t count)
{
    struct limit limits[2] = {
        { .name = TEXT("one"), .kind = LIMIT_RATE, .rate = rate, .per = 1000, .burst = burst },
        { .name = TEXT("two"), .kind = LIMIT_RATE, .rate = 1000, .per = 1000, .burst = 1000 },
    };
    limits[0].cost = limits[1].cost = 1;
    return limiter_set_new(l, LIMITER_ROUTE, text_of(owner), &(struct limits){ limits, count });
}

/* An exchange that waits. */
struct waiter {
    struct limiter_wait wait;
    struct limiter_set *set;
    const char *consumer;
    size_t worker;
    enum limiter_verdict verdict;
    unsigned calls;
};

static void try_again(struct waiter *x)
{
    struct limiter_request request = { .route = x->set, .wait = &x->wait };
    struct limiter_result result;
    request.who.consumer = text_of(x->consumer);
    arena_reset(&arena);
    x->calls++;
    x->verdict = limiter_take(l, x->worker, &request, now, &arena, &result);
    turn_leave(turns_get(turns, x->worker));
    if (x->verdict == LIMITER_WAIT)
        return;
    for (size_t i = 0; i < result.count; i++)
        assert_int_equal(result.items[i].remaining == 0, result.items[i].denied);
}

static void on_answer(struct limiter_wait *wait)
{
    try_again(CONTAINER_OF(wait, struct waiter, wait));
}

static struct waiter waiter_of(struct limiter_set *set, const char *consumer, size_t worker)
{
    struct waiter x = { .set = set, .consumer = consumer, .worker = worker };
    return x;
}

static void begin(struct waiter *x)
{
    limiter_wait_init(&x->wait, on_answer);
    try_again(x);
}

/* Everything that threads would do, until nothing is left to do. */
static void settle(void)
{
    for (int i = 0; i < 20; i++) {
        if (is_wanted) {
            is_wanted = false;
            limiter_on_wanted(l);
        }
        answer_all();
        for (size_t k = 0; k < WORKERS; k++) {
            if (!is_answered[k])
                continue;
            is_answered[k] = false;
            limiter_on_answered(l, k);
        }
    }
}

static void pass(int64_t ns)
{
    for (; ns > 0; ns -= 10 * MS) {
        now.monotonic += ns < 10 * MS ? ns : 10 * MS;
        now.wall = NOON + now.monotonic / MS;
        limiter_tick(l);
        settle();
    }
}

static struct limiter_counts counts(void)
{
    struct limiter_counts c;
    limiter_count(l, &c);
    return c;
}

static void the_first_waits_then_leases_serve(void **state)
{
    struct limiter_set *set = set_of("r", 100, 100, 1);
    struct waiter a = waiter_of(set, "a", 0);
    struct waiter b = waiter_of(set, "a", 1);
    begin(&a);
    begin(&b);
    assert_int_equal(a.verdict, LIMITER_WAIT);
    assert_int_equal(b.verdict, LIMITER_WAIT);
    settle();
    assert_int_equal(a.verdict, LIMITER_ALLOWED);
    assert_int_equal(b.verdict, LIMITER_ALLOWED);
    assert_string_equal(fake.identities[0], "rb/r/one/ca");
    assert_int_equal(counts().leased, 1);
    unsigned allowed = 0;
    for (int i = 0; i < 300; i++) {
        struct waiter x = waiter_of(set, "a", 0);
        begin(&x);
        settle();
        allowed += x.verdict == LIMITER_ALLOWED;
        assert_int_not_equal(x.verdict, LIMITER_WAIT);
    }
    assert_in_range(allowed, 90, 98); /* the burst, and not one more */
    assert_true(fake.asks < 40);
    limiter_set_unref(&set);
}

static void at_its_rate_it_goes_on(void **state)
{
    struct limiter_set *set = set_of("r", 100, 100, 1);
    unsigned allowed = 0;
    for (int i = 0; i < 3000; i++) { /* 15 s, 200 a second */
        struct waiter x = waiter_of(set, "a", i % 2);
        begin(&x);
        settle();
        allowed += x.verdict == LIMITER_ALLOWED;
        pass(5 * MS);
    }
    assert_in_range(allowed, 1550, 1600);
    limiter_set_unref(&set);
}

static void under_two_limits_it_waits_for_both_and_holds_nothing(void **state)
{
    struct limiter_set *set = set_of("r", 10, 1, 2);
    struct waiter a = waiter_of(set, "a", 0);
    begin(&a);
    assert_int_equal(a.verdict, LIMITER_WAIT);
    settle();
    assert_int_equal(a.verdict, LIMITER_ALLOWED);
    struct waiter b = waiter_of(set, "a", 0);
    begin(&b);
    settle();
    assert_int_equal(b.verdict, LIMITER_DENIED);
    limiter_set_unref(&set);
}

static void one_that_stops_waiting_is_not_called(void **state)
{
    struct limiter_set *set = set_of("r", 100, 100, 1);
    struct waiter a = waiter_of(set, "a", 0);
    struct waiter b = waiter_of(set, "a", 0);
    begin(&a);
    begin(&b);
    limiter_stop_waiting(l, 0, &a.wait);
    limiter_stop_waiting(l, 0, &a.wait);
    settle();
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.verdict, LIMITER_ALLOWED);
    limiter_set_unref(&set);
}

static void away_the_limit_is_divided(void **state)
{
    struct limiter_set *set = set_of("r", 100, 100, 1);
    fake.is_away = true;
    unsigned allowed = 0;
    for (int i = 0; i < 200; i++) {
        struct waiter x = waiter_of(set, "a", 0);
        begin(&x);
        settle();
        allowed += x.verdict == LIMITER_ALLOWED;
    }
    assert_int_equal(allowed, 50);
    assert_int_equal(counts().divided, 1);
    assert_int_equal(counts().leased, 0);
    fake.is_away = false;
    pass(2 * SECOND);
    struct waiter x = waiter_of(set, "a", 0);
    begin(&x);
    settle();
    assert_int_equal(counts().divided, 0);
    assert_int_equal(counts().leased, 1);
    limiter_set_unref(&set);
}

static void too_many_new_ones_begin_divided(void **state)
{
    static struct waiter xs[1100];
    static char names[1100][16];
    struct limiter_set *set = set_of("r", 10, 10, 1);
    unsigned waiting = 0;
    fake.count = BUCKETS; /* which bucket answers does not matter here */
    for (int i = 0; i < 1100; i++) {
        snprintf(names[i], sizeof(names[i]), "c%d", i);
        xs[i] = waiter_of(set, names[i], 0);
        begin(&xs[i]);
    }
    is_wanted = false;
    limiter_on_wanted(l);
    limiter_on_answered(l, 0);
    for (int i = 0; i < 1100; i++)
        waiting += xs[i].verdict == LIMITER_WAIT;
    assert_int_equal(waiting, 1024);
    assert_int_equal(counts().divided, 1100 - 1024);
    settle();
    fake.count = 0;
    for (int i = 0; i < 1100; i++)
        limiter_stop_waiting(l, 0, &xs[i].wait);
    bucket_fini(&fake.buckets[0]);
    limiter_set_unref(&set);
}

static void idle_leases_end_and_come_again(void **state)
{
    struct limiter_set *set = set_of("r", 100, 100, 1);
    struct waiter x = waiter_of(set, "a", 0);
    begin(&x);
    settle();
    assert_int_equal(counts().buckets, 1);
    pass(30 * SECOND);
    assert_int_equal(counts().leased, 0);
    struct waiter y = waiter_of(set, "a", 0); /* before the keeper has removed it */
    begin(&y);
    settle();
    assert_int_equal(y.verdict, LIMITER_ALLOWED);
    assert_int_equal(counts().leased, 1);
    for (int i = 0; i < 3; i++)
        limiter_tidy(l, now);
    assert_int_equal(counts().buckets, 1);
    pass(40 * SECOND);
    for (int i = 0; i < 3; i++)
        limiter_tidy(l, now);
    assert_int_equal(counts().buckets, 0);
    /* Nothing was lost: what was held came back. */
    struct bucket_ask look = { .spec = { LIMIT_RATE, 100, 1000, 100, LIMIT_HOUR }, .seq = 1 };
    struct bucket_answer answer;
    look.not_after = INT64_MAX;
    assert_true(bucket_ask(&fake.buckets[0], &look, now.monotonic / 1000, 1, &answer));
    assert_int_equal(answer.left, 100);
    limiter_set_unref(&set);
    for (int i = 0; i < 3; i++)
        limiter_tidy(l, now);
}

/* Its owner has not looked at it since it was wanted last: it is freed some other time, and nobody
 * waits for that. */
static void what_is_counted_still_is_freed_later(void **state)
{
    struct limiter_set *set = set_of("r", 100, 100, 1);
    struct waiter x = waiter_of(set, "a", 0);
    begin(&x);
    settle();
    pass(30 * SECOND);
    assert_int_equal(counts().leased, 0);
    limiter_recall(l);
    alarm(30);
    limiter_tidy(l, now);
    alarm(0);
    assert_int_equal(counts().buckets, 0);
    settle();
    limiter_tidy(l, now);
    limiter_set_unref(&set);
}

/* ---- threads ---- */

static _Atomic bool wanted_posted;
static _Atomic bool answered_posted[WORKERS];
static _Atomic bool is_over;
static _Atomic uint64_t admitted;
static struct limiter_set *shared_set;

static void flag_wanted(void *arg)
{
    atomic_store(&wanted_posted, true);
}

static void flag_answered(void *arg, size_t worker)
{
    atomic_store(&answered_posted[worker], true);
}

#define SLOTS 32

struct busy {
    size_t worker;
    struct arena arena;
    struct busy_exchange {
        struct limiter_wait wait;
        struct busy *busy;
        unsigned subject;
    } exchanges[SLOTS];
};

static void take_busy(struct busy_exchange *x)
{
    char name[8];
    struct limiter_request request = { .route = shared_set, .wait = &x->wait };
    struct limiter_result result;
    struct limiter_now t = { (int64_t)clock_read_ns(), clock_read_wall_ms() };
    snprintf(name, sizeof(name), "c%u", x->subject % 10);
    request.who.consumer = text_of(name);
    arena_reset(&x->busy->arena);
    if (limiter_take(l, x->busy->worker, &request, t, &x->busy->arena, &result) == LIMITER_ALLOWED)
        atomic_fetch_add(&admitted, 1);
}

static void on_busy(struct limiter_wait *wait)
{
    take_busy(CONTAINER_OF(wait, struct busy_exchange, wait));
}

static void *work(void *arg)
{
    struct busy *busy = arg;
    unsigned random = (unsigned)busy->worker + 5;
    arena_init(&busy->arena, 65536);
    for (size_t i = 0; i < SLOTS; i++) {
        busy->exchanges[i].busy = busy;
        limiter_wait_init(&busy->exchanges[i].wait, on_busy);
    }
    while (!atomic_load(&is_over)) {
        if (atomic_exchange(&answered_posted[busy->worker], false))
            limiter_on_answered(l, busy->worker);
        for (size_t i = 0; i < SLOTS; i++) {
            struct busy_exchange *x = &busy->exchanges[i];
            random = random * 1664525 + 1013904223;
            if (x->wait.lease != NULL) {
                if (random >> 28 == 0)
                    limiter_stop_waiting(l, busy->worker, &x->wait);
                continue;
            }
            x->subject = random >> 8;
            take_busy(x);
        }
        turn_leave(turns_get(turns, busy->worker));
        usleep(200);
    }
    for (size_t i = 0; i < SLOTS; i++)
        limiter_stop_waiting(l, busy->worker, &busy->exchanges[i].wait);
    turn_leave(turns_get(turns, busy->worker));
    arena_reset(&busy->arena);
    return NULL;
}

static void *own(void *arg)
{
    while (!atomic_load(&is_over)) {
        if (atomic_exchange(&wanted_posted, false))
            limiter_on_wanted(l);
        answer_all();
        limiter_tick(l);
        usleep(500);
    }
    return NULL;
}

static void threads_together_admit_no_more(void **state)
{
    static struct busy busy[WORKERS];
    pthread_t threads[WORKERS];
    pthread_t owner;
    limiter_free(&l);
    now.wall = 0; /* the real clock */
    struct limiter_settings settings = {
        .turns = turns,
    };
    struct limiter_sharing sharing = {
        .port = &fake.port,
        .holder = { 1, 1 },
        .post_wanted = flag_wanted,
        .post_answered = flag_answered,
    };
    l = limiter_new(&settings);
    limiter_share(l, &sharing);
    shared_set = set_of("r", 200, 100, 1);
    uint64_t start = clock_read_ns();
    atomic_store(&is_over, false);
    atomic_store(&admitted, 0);
    pthread_create(&owner, NULL, own, NULL);
    for (size_t i = 0; i < WORKERS; i++) {
        busy[i].worker = i;
        pthread_create(&threads[i], NULL, work, &busy[i]);
    }
    for (int i = 0; i < 100; i++) {
        usleep(10000);
        limiter_tidy(l, (struct limiter_now){ (int64_t)clock_read_ns(), clock_read_wall_ms() });
    }
    atomic_store(&is_over, true);
    for (size_t i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    pthread_join(owner, NULL);
    double seconds = (double)(clock_read_ns() - start) / 1e9;
    double most = 10 * (100 + 200 * seconds);
    assert_true((double)atomic_load(&admitted) <= most);
    assert_true((double)atomic_load(&admitted) >= 1000);
    limiter_set_unref(&shared_set);
}

/* What is held goes back at the end, and what was spent is told; nothing is owed after that. */
static void leaving_gives_back_what_is_held(void **state)
{
    struct limiter_set *set = set_of("r", 100, 100, 2);
    struct waiter x[] = { waiter_of(set, "a", 0), waiter_of(set, "b", 1) };
    for (size_t i = 0; i < 2; i++) {
        begin(&x[i]);
        settle();
        assert_int_equal(x[i].verdict, LIMITER_ALLOWED);
    }
    limiter_leave(l);
    assert_true(limiter_leaving(l) >= 4);
    settle();
    assert_int_equal(limiter_leaving(l), 0);
    for (size_t i = 0; i < fake.count; i++) {
        assert_int_equal(fake.buckets[i].holds[0].held, 0);
        assert_int_equal(fake.buckets[i].tokens / BUCKET_TOKEN % 100, 99); /* of 100 or 1000 */
    }
    fake.is_away = true;
    limiter_leave(l);
    settle();
    assert_int_equal(limiter_leaving(l), 0);
    limiter_set_unref(&set);
}

/* ---- from process to process ---- */

#define KEPT_MOST 8

struct kept {
    char identity[KEPT_MOST][320];
    char value[KEPT_MOST][128];
    size_t count;
};

static void keep(void *arg, struct text identity, struct text value)
{
    struct kept *k = arg;
    assert_true(k->count < KEPT_MOST);
    snprintf(k->identity[k->count], sizeof(k->identity[0]), "%.*s", TEXT_ARGS(identity));
    snprintf(k->value[k->count++], sizeof(k->value[0]), "%.*s", TEXT_ARGS(value));
}

static struct kept save(bool all)
{
    struct kept kept = { 0 };
    struct limiter_saving saving = { .all = all };
    while (limiter_save(l, &saving, 1, keep, &kept))
        continue;
    return kept;
}

static struct limiter *limiter_of(uint64_t incarnation)
{
    struct limiter *made =
        limiter_new(&(struct limiter_settings){ .turns = turns, .clock = read_fake_clock });
    limiter_share(made, &(struct limiter_sharing){ .port = &fake.port,
                                                   .holder = { 1, incarnation },
                                                   .post_wanted = post_wanted,
                                                   .post_answered = post_answered });
    return made;
}

static struct limiter_set *quota_of(int64_t quota)
{
    struct limit limits[] = {
        { .name = TEXT("q"), .kind = LIMIT_QUOTA, .quota = quota, .period = LIMIT_DAY, .cost = 1 },
    };
    return limiter_set_new(l, LIMITER_ROUTE, TEXT_OF("r"), &(struct limits){ limits, 1 });
}

static unsigned use(struct limiter_set *set, unsigned times)
{
    unsigned allowed = 0;
    for (unsigned i = 0; i < times; i++) {
        struct waiter x = waiter_of(set, "a", 0);
        begin(&x);
        settle();
        allowed += x.verdict == LIMITER_ALLOWED;
    }
    return allowed;
}

static void a_divided_quota_outlives_the_process(void **state)
{
    struct limiter_set *set = quota_of(100);
    fake.is_away = true;
    assert_int_equal(use(set, 30), 30);
    struct kept kept = save(false);
    assert_int_equal(kept.count, 1);
    assert_string_equal(kept.identity[0], "rq/r/q/ca");
    assert_string_equal(kept.value[0], "d 1709164800000 30 0 100");
    assert_int_equal(save(false).count, 0);
    assert_int_equal(save(true).count, 1);
    limiter_set_unref(&set);
    limiter_free(&l);

    l = limiter_of(2);
    assert_true(limiter_load(l, text_of(kept.identity[0]), text_of(kept.value[0]), NOON));
    limiter_tidy(l, now);
    limiter_recall(l);
    settle();
    set = quota_of(100);
    assert_int_equal(use(set, 100), 20);
    assert_string_equal(save(false).value[0], "d 1709164800000 50 0 100");

    fake.is_away = false;
    pass(2 * SECOND);
    assert_int_equal(counts().leased, 1);
    assert_int_equal(fake.buckets[0].tokens - fake.buckets[0].holds[0].held, 50);
    kept = save(false);
    assert_string_equal(kept.value[0], "-");
    assert_int_equal(save(true).count, 0);
    limiter_set_unref(&set);
}

/* The newest value counts; and what is of no use says so. */
static void what_was_told_is_not_told_again(void **state)
{
    const char *identity = "rq/r/q/ca";
    assert_true(limiter_load(l, text_of(identity), TEXT_OF("d 1709164800000 30 0 100"), NOON));
    assert_false(limiter_load(l, text_of(identity), TEXT_OF("-"), NOON));
    assert_false(limiter_load(l, TEXT_OF("rq/r/q/cb"), TEXT_OF("-"), NOON));
    assert_false(limiter_load(l, text_of(identity), TEXT_OF("d 1709164800000 30"), NOON));
    assert_false(limiter_load(l, text_of(identity), TEXT_OF("d 1709164800000 3 0 100 1"), NOON));
    assert_false(limiter_load(l, text_of(identity), TEXT_OF("d 1709078400000 30 0 100"), NOON));
    limiter_recall(l);
    settle();
    assert_int_equal(fake.asks, 0);
}

/* A live upgrade while the port is away: both together let in what one would, and all is told. */
static void a_part_goes_to_the_process_that_takes_its_place(void **state)
{
    struct limiter *old = l;
    struct limiter_set *old_set = quota_of(100);
    struct kept kept = { 0 };
    uint32_t position = 0;
    fake.is_away = true;
    assert_int_equal(use(old_set, 30), 30);
    limiter_freeze(old);
    while (limiter_pass(old, &position, 1, keep, &kept))
        continue;
    assert_int_equal(kept.count, 1);
    assert_string_equal(kept.value[0], "50 10 10 30");

    l = limiter_of(2);
    struct limiter_set *set = quota_of(100);
    assert_true(limiter_receive(l, text_of(kept.identity[0]), text_of(kept.value[0])));
    settle();
    assert_int_equal(use(set, 100), 10);
    struct limiter *new = l;
    l = old;
    assert_int_equal(use(old_set, 4), 4);
    struct limiter_rest rest;
    assert_true(limiter_rest_of(old, text_of(kept.identity[0]), text_of(kept.value[0]), &rest));
    assert_int_equal(rest.unspent, 6);
    assert_int_equal(rest.untold, 4);
    limiter_set_unref(&old_set);
    limiter_free(&old);

    l = new;
    limiter_give(l, text_of(kept.identity[0]), rest);
    assert_int_equal(use(set, 100), 6);
    fake.is_away = false;
    pass(2 * SECOND);
    assert_int_equal(fake.buckets[0].tokens - fake.buckets[0].holds[0].held, 50);
    limiter_set_unref(&set);
}

/* It failed: what was passed is there again, and is told by this process, also when the port came
 * back meanwhile. */
static void what_was_passed_in_vain_is_taken_back(void **state)
{
    for (int is_back = 0; is_back < 2; is_back++) {
        struct limiter_set *set = quota_of(100);
        struct kept kept = { 0 };
        uint32_t position = 0;
        fake.is_away = true;
        assert_int_equal(use(set, 30), 30);
        limiter_freeze(l);
        while (limiter_pass(l, &position, 1, keep, &kept))
            continue;
        fake.is_away = is_back == 0;
        pass(2 * SECOND);
        limiter_thaw(l);
        assert_true(limiter_take_back(l, text_of(kept.identity[0]), text_of(kept.value[0])));
        if (is_back == 0)
            assert_int_equal(use(set, 100), 20);
        fake.is_away = false;
        use(set, 1);
        pass(2 * SECOND);
        int64_t spent = fake.buckets[0].tokens - fake.buckets[0].holds[0].held;
        assert_in_range(spent, is_back ? 30 : 50, is_back ? 31 : 51);
        limiter_set_unref(&set);
        unmake(state);
        make(state);
    }
}

/* What came in is not there twice, nor what was used before. */
static void a_part_of_a_rate_is_passed_too(void **state)
{
    struct limiter *old = l;
    struct limiter_set *old_set = set_of("r", 1, 100, 1);
    struct kept kept = { 0 };
    uint32_t position = 0;
    fake.is_away = true;
    assert_int_equal(use(old_set, 30), 30);
    limiter_freeze(old);
    while (limiter_pass(old, &position, 1, keep, &kept))
        continue;
    l = limiter_of(2);
    struct limiter_set *set = set_of("r", 1, 100, 1);
    assert_int_equal(kept.count, 1);
    assert_true(limiter_receive(l, text_of(kept.identity[0]), text_of(kept.value[0])));
    settle();
    assert_int_equal(use(set, 100), 10);
    limiter_set_unref(&set);
    limiter_free(&l);
    l = old;
    limiter_set_unref(&old_set);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)
    const struct CMUnitTest tests[] = {
        TEST(the_first_waits_then_leases_serve),
        TEST(at_its_rate_it_goes_on),
        TEST(under_two_limits_it_waits_for_both_and_holds_nothing),
        TEST(one_that_stops_waiting_is_not_called),
        TEST(away_the_limit_is_divided),
        TEST(too_many_new_ones_begin_divided),
        TEST(idle_leases_end_and_come_again),
        TEST(what_is_counted_still_is_freed_later),
        TEST(leaving_gives_back_what_is_held),
        TEST(a_divided_quota_outlives_the_process),
        TEST(what_was_told_is_not_told_again),
        TEST(a_part_goes_to_the_process_that_takes_its_place),
        TEST(what_was_passed_in_vain_is_taken_back),
        TEST(a_part_of_a_rate_is_passed_too),
        TEST(threads_together_admit_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
