/* SPDX-License-Identifier: Apache-2.0 */
/* test_limiter.c - requests under several limits, without a port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gatewayd/core/clock.h"
#include "gatewayd/policy/limiter.h"
#include "gatewayd/policy/ratelimit_fields.h"

#define SECOND 1000000000ll
#define NOON   1709208000000 /* 2024-02-29T12:00:00Z, a Thursday */

struct world {
    struct turns *turns;
    struct limiter *l;
    struct arena arena;
    struct limiter_now now;
    struct limiter_result result;
    const char *header;
};
static struct world w;

static int make(void **state)
{
    memset(&w, 0, sizeof(w));
    w.turns = turns_new(2);
    struct limiter_settings settings = { .turns = w.turns, .strangers_most = 1000 };
    w.l = limiter_new(&settings);
    w.now = (struct limiter_now){ (int64_t)clock_read_ns() + 1000 * SECOND, NOON };
    arena_init(&w.arena, 65536);
    return 0;
}

static int unmake(void **state)
{
    limiter_free(&w.l);
    turns_free(&w.turns);
    arena_reset(&w.arena);
    return 0;
}

static struct limit rate_limit(const char *name, int64_t rate, int64_t burst, enum limit_by by)
{
    return (struct limit){ .name = text_of(name),
                           .kind = LIMIT_RATE,
                           .rate = rate,
                           .per = 1000,
                           .burst = burst,
                           .cost = 1,
                           .by_what = by,
                           .by_header = TEXT("X-Tenant") };
}

static struct limit quota_limit(const char *name, int64_t quota, enum limit_period period)
{
    return (struct limit){
        .name = text_of(name), .kind = LIMIT_QUOTA, .quota = quota, .period = period, .cost = 1
    };
}

static struct limiter_set *set_of(enum limiter_scope scope, const char *owner,
                                  const struct limit *items, size_t count)
{
    return limiter_set_new(w.l, scope, text_of(owner), &(struct limits){ items, count });
}

static struct text header(void *arg, struct text name)
{
    assert_true(text_equals(name, TEXT_OF("X-Tenant")));
    return text_of(w.header);
}

static struct limiter_who who_of(const char *consumer, const char *ip)
{
    static struct address addresses[16];
    static size_t next;
    struct address *a = &addresses[next++ % 16];
    struct limiter_who who = { .consumer = text_of(consumer), .client = a, .header = header };
    MUST(address_parse_ip(text_of(ip), 1234, a));
    return who;
}

static bool ask(const struct limiter_set *route, const struct limiter_set *plan,
                struct limiter_who who)
{
    struct limiter_request request = { .route = route, .plan = plan, .who = who };
    arena_reset(&w.arena);
    enum limiter_verdict v = limiter_take(w.l, 0, &request, w.now, &w.arena, &w.result);
    turn_leave(turns_get(w.turns, 0));
    assert_int_not_equal(v, LIMITER_WAIT);
    assert_int_equal(v == LIMITER_DENIED, w.result.retry_after > 0);
    for (size_t i = 0; i < w.result.count; i++)
        assert_int_equal(w.result.items[i].denied, w.result.items[i].remaining == 0);
    return v == LIMITER_ALLOWED;
}

static void no_limit_allows(void **state)
{
    assert_null(set_of(LIMITER_ROUTE, "r", NULL, 0));
    assert_true(ask(NULL, NULL, who_of("a", "192.0.2.1")));
    assert_int_equal(w.result.count, 0);
    assert_int_equal(limiter_set_count(NULL), 0);
}

static void each_consumer_has_its_own_and_strangers_count_by_address(void **state)
{
    struct limit limit = rate_limit("l", 10, 2, LIMIT_BY_CONSUMER);
    struct limiter_set *set = set_of(LIMITER_ROUTE, "r", &limit, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask(set, NULL, who_of("a", "192.0.2.1")), i < 2);
        assert_int_equal(ask(set, NULL, who_of("b", "192.0.2.1")), i < 2);
        assert_int_equal(ask(set, NULL, who_of("", "192.0.2.1")), i < 2);
        assert_int_equal(ask(set, NULL, who_of("", "192.0.2.2")), i < 2);
        /* One /64 is one client. */
        assert_int_equal(ask(set, NULL, who_of("", i == 0 ? "2001:db8::1" : "2001:db8::2")), i < 2);
    }
    assert_int_equal(w.result.retry_after, 1);
    w.now.monotonic += SECOND / 10;
    assert_true(ask(set, NULL, who_of("a", "192.0.2.1")));
    assert_false(ask(set, NULL, who_of("a", "192.0.2.1")));
    limiter_set_unref(&set);
}

static void headers_keys_and_routes_are_subjects(void **state)
{
    struct limit by_header = rate_limit("l", 10, 1, LIMIT_BY_HEADER);
    struct limiter_set *set = set_of(LIMITER_ROUTE, "r1", &by_header, 1);
    char longest[300];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    const char *values[] = { "acme", "with space/and slash", longest, "" };
    for (int i = 0; i < 4; i++) {
        w.header = values[i];
        assert_true(ask(set, NULL, who_of("a", "192.0.2.1")));
        assert_false(ask(set, NULL, who_of("b", "192.0.2.1")));
    }
    longest[298] = 'y';
    w.header = longest;
    assert_true(ask(set, NULL, who_of("a", "192.0.2.1")));
    limiter_set_unref(&set);

    struct limit by_key = rate_limit("l", 10, 1, LIMIT_BY_KEY);
    set = set_of(LIMITER_ROUTE, "r2", &by_key, 1);
    struct limiter_who who = who_of("a", "192.0.2.1");
    who.key = TEXT_OF("0000000000000001");
    assert_true(ask(set, NULL, who));
    assert_false(ask(set, NULL, who));
    who.key = TEXT_OF("0000000000000002");
    assert_true(ask(set, NULL, who));
    limiter_set_unref(&set);

    struct limit by_route = rate_limit("l", 10, 1, LIMIT_BY_ROUTE);
    set = set_of(LIMITER_ROUTE, "r3", &by_route, 1);
    assert_true(ask(set, NULL, who_of("a", "192.0.2.1")));
    assert_false(ask(set, NULL, who_of("b", "192.0.2.2")));
    limiter_set_unref(&set);
}

static void a_plan_can_count_each_route_by_itself(void **state)
{
    struct limit limit = rate_limit("l", 10, 1, LIMIT_BY_ROUTE);
    struct limiter_set *plan = set_of(LIMITER_PLAN, "gold", &limit, 1);
    struct limiter_who who = who_of("a", "192.0.2.1");
    const char *routes[] = { "r1", "r2", "" };
    for (int i = 0; i < 3; i++) {
        who.route = text_of(routes[i]);
        assert_true(ask(NULL, plan, who));
        assert_false(ask(NULL, plan, who));
    }
    limiter_set_unref(&plan);
}

static void a_plan_counts_over_all_routes_a_route_by_itself(void **state)
{
    struct limit one = rate_limit("l", 1, 3, LIMIT_BY_CONSUMER);
    struct limiter_set *plan = set_of(LIMITER_PLAN, "gold", &one, 1);
    struct limit two = rate_limit("l", 1, 2, LIMIT_BY_CONSUMER);
    struct limiter_set *r1 = set_of(LIMITER_ROUTE, "r1", &two, 1);
    struct limiter_set *r2 = set_of(LIMITER_ROUTE, "r2", &two, 1);
    assert_true(ask(r1, plan, who_of("a", "192.0.2.1")));
    assert_true(ask(r1, plan, who_of("a", "192.0.2.1")));
    assert_int_equal(w.result.count, 2);
    assert_false(ask(r1, plan, who_of("a", "192.0.2.1"))); /* r1's */
    assert_int_equal(w.result.denied->quota, 2);
    /* Denied, it took nothing from the plan: one is left for the other route. */
    assert_true(ask(r2, plan, who_of("a", "192.0.2.1")));
    assert_false(ask(r2, plan, who_of("a", "192.0.2.1"))); /* the plan's */
    assert_int_equal(w.result.denied->quota, 3);
    limiter_set_unref(&plan);
    limiter_set_unref(&r1);
    limiter_set_unref(&r2);
}

static void the_tightest_comes_first(void **state)
{
    struct limit limits[] = {
        rate_limit("wide", 100, 1000, LIMIT_BY_CONSUMER),
        rate_limit("narrow", 1, 2, LIMIT_BY_CONSUMER),
        quota_limit("monthly", 10, LIMIT_MONTH),
    };
    struct limiter_set *set = set_of(LIMITER_ROUTE, "r", limits, 3);
    struct ratelimit_fields fields;
    assert_true(ask(set, NULL, who_of("a", "192.0.2.1")));
    assert_true(ratelimit_fields_print(&w.result, &w.arena, &fields));
    assert_true(text_equals(fields.policy, TEXT_OF("\"narrow\";q=2;w=2, "
                                                   "\"monthly\";q=10;w=2505600, "
                                                   "\"wide\";q=1000;w=10")));
    assert_true(text_equals(fields.limit, TEXT_OF("\"narrow\";r=1;t=1, "
                                                  "\"monthly\";r=9;t=43200, "
                                                  "\"wide\";r=999;t=1")));
    assert_int_equal(fields.retry_after.length, 0);
    assert_true(ask(set, NULL, who_of("a", "192.0.2.1")));
    assert_false(ask(set, NULL, who_of("a", "192.0.2.1")));
    assert_true(ratelimit_fields_print(&w.result, &w.arena, &fields));
    assert_true(text_equals(fields.limit, TEXT_OF("\"narrow\";r=0;t=1, "
                                                  "\"monthly\";r=8;t=43200, "
                                                  "\"wide\";r=998;t=1")));
    assert_true(text_equals(fields.retry_after, TEXT_OF("1")));
    limiter_set_unref(&set);
}

static void retry_after_is_the_longest_and_true(void **state)
{
    struct limit limits[] = {
        rate_limit("fast", 1, 1, LIMIT_BY_CONSUMER),
        rate_limit("slow", 1, 1, LIMIT_BY_CONSUMER),
    };
    limits[1].per = 10000;
    struct limiter_set *set = set_of(LIMITER_ROUTE, "r", limits, 2);
    assert_true(ask(set, NULL, who_of("a", "192.0.2.1")));
    w.now.monotonic += SECOND / 2;
    assert_false(ask(set, NULL, who_of("a", "192.0.2.1")));
    assert_int_equal(w.result.retry_after, 10);
    assert_true(text_equals(w.result.denied->name, TEXT_OF("slow")));
    assert_true(w.result.items[1].denied);
    w.now.monotonic += w.result.retry_after * SECOND - SECOND / 2;
    assert_true(ask(set, NULL, who_of("a", "192.0.2.1")));
    limiter_set_unref(&set);
}

static void buckets_survive_their_sets(void **state)
{
    struct limit limit = rate_limit("l", 1, 5, LIMIT_BY_CONSUMER);
    struct limiter_set *set = set_of(LIMITER_ROUTE, "r", &limit, 1);
    for (int i = 0; i < 5; i++)
        assert_true(ask(set, NULL, who_of("a", "192.0.2.1")));
    limiter_set_unref(&set);
    limiter_tidy(w.l, w.now);
    limiter_tidy(w.l, w.now);

    limit.burst = 7;
    set = set_of(LIMITER_ROUTE, "r", &limit, 1);
    struct limiter_set *again = limiter_set_ref(set);
    assert_true(ask(set, NULL, who_of("a", "192.0.2.1")));
    assert_true(ask(set, NULL, who_of("a", "192.0.2.1")));
    assert_false(ask(set, NULL, who_of("a", "192.0.2.1")));
    limiter_set_unref(&set);
    assert_false(ask(again, NULL, who_of("a", "192.0.2.1")));
    limiter_set_unref(&again);

    /* Full and not referred to: forgotten. */
    w.now.monotonic += 100 * SECOND;
    for (int i = 0; i < 3; i++)
        limiter_tidy(w.l, w.now);
    struct limiter_counts counts;
    limiter_count(w.l, &counts);
    assert_int_equal(counts.buckets, 0);
}

static void a_flood_of_addresses_hurts_no_consumer(void **state)
{
    struct limit limit = rate_limit("l", 1, 5, LIMIT_BY_CONSUMER);
    struct limiter_set *set = set_of(LIMITER_ROUTE, "r", &limit, 1);
    struct limiter_counts counts;
    char ip[32];
    assert_true(ask(set, NULL, who_of("known", "192.0.2.1")));
    unsigned allowed = 0;
    for (int i = 0; i < 5000; i++) {
        snprintf(ip, sizeof(ip), "10.1.%d.%d", i / 250, i % 250);
        allowed += ask(set, NULL, who_of("", ip));
    }
    /* Each of the first thousand has a bucket, the rest share one: never unlimited. */
    assert_int_equal(allowed, 1000 + 5);
    limiter_count(w.l, &counts);
    assert_int_equal(counts.strangers, 1000);
    assert_int_equal(counts.crowded, 4000);
    for (int i = 0; i < 4; i++)
        assert_true(ask(set, NULL, who_of("known", "192.0.2.1")));
    assert_false(ask(set, NULL, who_of("known", "192.0.2.1")));
    for (int i = 0; i < 5; i++)
        assert_true(ask(set, NULL, who_of("new", "192.0.2.1")));
    /* They are gone when full again. */
    w.now.monotonic += SECOND;
    limiter_tidy(w.l, w.now);
    limiter_tidy(w.l, w.now);
    limiter_count(w.l, &counts);
    assert_int_equal(counts.strangers, 0);
    limiter_set_unref(&set);
}

struct kept {
    char identity[8][512];
    char value[8][64];
    int count;
};

static void keep(void *arg, struct text identity, struct text value)
{
    struct kept *k = arg;
    snprintf(k->identity[k->count], 512, "%.*s", TEXT_ARGS(identity));
    snprintf(k->value[k->count++], 64, "%.*s", TEXT_ARGS(value));
}

static void quotas_are_saved_and_loaded(void **state)
{
    struct limit limits[] = {
        quota_limit("daily", 5, LIMIT_DAY),
        rate_limit("rate", 100, 100, LIMIT_BY_CONSUMER),
    };
    struct limiter_set *plan = set_of(LIMITER_PLAN, "gold", limits, 2);
    struct limiter_saving saving = { 0 };
    struct kept kept = { 0 };
    for (int i = 0; i < 3; i++)
        assert_true(ask(NULL, plan, who_of("a", "192.0.2.1")));
    assert_true(ask(NULL, plan, who_of("", "192.0.2.1")));
    assert_false(limiter_save(w.l, &saving, 1000, keep, &kept));
    assert_int_equal(kept.count, 2);
    assert_string_equal(kept.identity[0], "pq/gold/daily/ca");
    assert_string_equal(kept.value[0], "d 1709164800000 3");
    assert_string_equal(kept.identity[1], "pq/gold/daily/ic0000201");
    saving.position = 0;
    assert_false(limiter_save(w.l, &saving, 1000, keep, &kept));
    assert_int_equal(kept.count, 2);
    saving = (struct limiter_saving){ .all = true };
    while (limiter_save(w.l, &saving, 1, keep, &kept))
        ;
    assert_int_equal(kept.count, 4);
    limiter_set_unref(&plan);
    limiter_free(&w.l);

    /* Another process, before and after the plan is known. */
    struct limiter_settings settings = { .turns = w.turns };
    w.l = limiter_new(&settings);
    assert_true(limiter_load(w.l, text_of(kept.identity[0]), text_of(kept.value[0]), NOON));
    limiter_tidy(w.l, w.now);
    limiter_tidy(w.l, w.now);
    plan = set_of(LIMITER_PLAN, "gold", limits, 2);
    assert_true(limiter_load(w.l, text_of(kept.identity[1]), text_of(kept.value[1]), NOON));
    assert_true(ask(NULL, plan, who_of("a", "192.0.2.1")));
    assert_true(ask(NULL, plan, who_of("a", "192.0.2.1")));
    assert_false(ask(NULL, plan, who_of("a", "192.0.2.1")));
    assert_int_equal(w.result.retry_after, 43200);
    w.now.wall += 43200000;
    assert_true(ask(NULL, plan, who_of("a", "192.0.2.1")));
    limiter_set_unref(&plan);
}

static void nonsense_is_not_loaded(void **state)
{
    const char *identities[] = { "pq/gold/daily/ca", "pb/gold/daily/ca", "pq/gold/daily", "",
                                 "pq/gold/daily/" };
    const char *values[] = {
        "d 1709164800000 3", "d 1709078400000 3", "x 1709164800000 3", "d 3", "d x 3", ""
    };
    for (size_t i = 0; i < ARRAY_LENGTH(identities); i++) {
        for (size_t v = 0; v < ARRAY_LENGTH(values); v++)
            assert_int_equal(limiter_load(w.l, text_of(identities[i]), text_of(values[v]), NOON),
                             i == 0 && v == 0);
    }
}

static void many_limits_are_all_counted(void **state)
{
    struct limit limits[20];
    char names[20][16];
    for (int i = 0; i < 20; i++) {
        snprintf(names[i], sizeof(names[i]), "l%d", i);
        limits[i] = rate_limit(names[i], 1, 20 - i, LIMIT_BY_CONSUMER);
    }
    struct limiter_set *set = set_of(LIMITER_ROUTE, "r", limits, 20);
    assert_true(ask(set, NULL, who_of("a", "192.0.2.1")));
    assert_int_equal(w.result.count, 20);
    assert_false(ask(set, NULL, who_of("a", "192.0.2.1")));
    assert_true(text_equals(w.result.items[0].name, TEXT_OF("l19")));
    limiter_set_unref(&set);
}

static void without_room_nothing_is_let_through(void **state)
{
    struct limit limit = rate_limit("l", 100, 100, LIMIT_BY_CONSUMER);
    struct limiter_set *set = set_of(LIMITER_ROUTE, "r", &limit, 1);
    struct limiter_request request = { .route = set, .who = who_of("a", "192.0.2.1") };
    struct arena small;
    arena_init(&small, 8);
    assert_int_equal(limiter_take(w.l, 0, &request, w.now, &small, &w.result), LIMITER_DENIED);
    assert_non_null(w.result.denied);
    assert_int_equal(w.result.retry_after, 1);
    arena_reset(&small);
    limiter_set_unref(&set);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)
    const struct CMUnitTest tests[] = {
        TEST(no_limit_allows),
        TEST(each_consumer_has_its_own_and_strangers_count_by_address),
        TEST(headers_keys_and_routes_are_subjects),
        TEST(a_plan_can_count_each_route_by_itself),
        TEST(a_plan_counts_over_all_routes_a_route_by_itself),
        TEST(the_tightest_comes_first),
        TEST(retry_after_is_the_longest_and_true),
        TEST(buckets_survive_their_sets),
        TEST(a_flood_of_addresses_hurts_no_consumer),
        TEST(quotas_are_saved_and_loaded),
        TEST(nonsense_is_not_loaded),
        TEST(many_limits_are_all_counted),
        TEST(without_room_nothing_is_let_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
