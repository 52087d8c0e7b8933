/* SPDX-License-Identifier: Apache-2.0 */
/* test_limiter_pass.c - two limiters, as of two processes of which one takes the other's place:
 * together they admit what one would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "conf/base/mem.h"
#include "gatewayd/core/clock.h"
#include "gatewayd/policy/limiter.h"

#define SECOND     1000000000ll
#define NOON       1709208000000 /* 2024-02-29T12:00:00Z */
#define PAIRS      64
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)

struct process {
    struct turns *turns;
    struct limiter *l;
    struct limiter_set *set;
};

static struct process old;
static struct process new;
static struct limiter_now now;
static struct {
    char *identity;
    char *value;
} pairs[PAIRS];
static size_t pair_count;

static struct limiter_now read_clock(void)
{
    return now;
}

static void start(struct process *p, const struct limit *limit)
{
    struct limits limits = { (struct limit *)limit, 1 };
    p->turns = turns_new(1);
    p->l = limiter_new(&(struct limiter_settings){ .turns = p->turns, .clock = read_clock });
    p->set = limiter_set_new(p->l, LIMITER_ROUTE, TEXT_OF("r"), &limits);
}

static void end(struct process *p)
{
    if (p->l == NULL)
        return;
    limiter_set_unref(&p->set);
    limiter_free(&p->l);
    turns_free(&p->turns);
}

static int make(void **state)
{
    now = (struct limiter_now){ (int64_t)clock_read_ns() + 1000 * SECOND, NOON };
    return 0;
}

static int unmake(void **state)
{
    end(&old);
    end(&new);
    while (pair_count > 0) {
        pair_count--;
        MEM_FREE(&pairs[pair_count].identity);
        MEM_FREE(&pairs[pair_count].value);
    }
    return 0;
}

static struct limit rate_limit(int64_t rate, int64_t burst)
{
    return (struct limit){ .name = TEXT("l"),
                           .kind = LIMIT_RATE,
                           .rate = rate,
                           .per = 1000,
                           .burst = burst,
                           .cost = 1,
                           .by_what = LIMIT_BY_IP };
}

static unsigned ask(struct process *p, unsigned times)
{
    struct address a;
    struct arena arena;
    unsigned count = 0;
    assert_true(address_parse_ip(TEXT_OF("192.0.2.1"), 1, &a));
    arena_init(&arena, 65536);
    for (unsigned i = 0; i < times; i++) {
        struct limiter_request request = { .route = p->set, .who = { .client = &a } };
        struct limiter_result result;
        arena_reset(&arena);
        count += limiter_take(p->l, 0, &request, now, &arena, &result) == LIMITER_ALLOWED;
        turn_leave(turns_get(p->turns, 0));
    }
    arena_reset(&arena);
    return count;
}

static void keep_pair(void *arg, struct text identity, struct text value)
{
    assert_true(pair_count < PAIRS);
    pairs[pair_count].identity = mem_copy_text(identity.at, identity.length);
    pairs[pair_count].value = mem_copy_text(value.at, value.length);
    pair_count++;
}

static void pass_all(void)
{
    uint32_t position = 0;
    limiter_freeze(old.l);
    while (limiter_pass(old.l, &position, 1, keep_pair, NULL))
        continue;
}

static void receive_all(void)
{
    for (size_t i = 0; i < pair_count; i++)
        assert_true(limiter_receive(new.l, text_of(pairs[i].identity), text_of(pairs[i].value)));
}

static void give_back_all(void)
{
    for (size_t i = 0; i < pair_count; i++) {
        struct limiter_rest rest;
        struct text identity = text_of(pairs[i].identity);
        if (limiter_rest_of(old.l, identity, text_of(pairs[i].value), &rest))
            limiter_give(new.l, identity, rest);
    }
}

/* 40 were asked for here before everything went there. */
static void hand_over(const struct limit *before, const struct limit *after)
{
    start(&old, before);
    start(&new, after);
    assert_int_equal(ask(&old, 40), 40);
    pass_all();
    receive_all();
    assert_int_equal(pair_count, 1);
}

static void together_they_admit_what_one_would(void **state)
{
    struct limit limit = rate_limit(10, 100);
    hand_over(&limit, &limit);
    assert_int_equal(ask(&new, 100), 30);
    assert_int_equal(ask(&old, 10), 10);
    /* What comes in is the new one's alone. */
    now.monotonic += 2 * SECOND;
    assert_int_equal(ask(&new, 100), 20);
    assert_int_equal(ask(&old, 100), 20);
    assert_int_equal(ask(&old, 100), 0);
}

static void what_was_not_spent_comes_back(void **state)
{
    struct limit limit = rate_limit(10, 100);
    hand_over(&limit, &limit);
    assert_int_equal(ask(&old, 10), 10);
    give_back_all();
    assert_int_equal(ask(&new, 100), 50);
}

static void a_quota_is_counted_on(void **state)
{
    struct limit limit = { .name = TEXT("q"),
                           .kind = LIMIT_QUOTA,
                           .quota = 100,
                           .period = LIMIT_DAY,
                           .cost = 1,
                           .by_what = LIMIT_BY_IP };
    hand_over(&limit, &limit);
    assert_int_equal(ask(&new, 100), 30);
    assert_int_equal(ask(&old, 10), 10);
    give_back_all();
    assert_int_equal(ask(&new, 100), 20);
}

static void another_process_that_fails_costs_nothing(void **state)
{
    struct limit limit = rate_limit(10, 100);
    start(&old, &limit);
    assert_int_equal(ask(&old, 40), 40);
    pass_all();
    now.monotonic += SECOND;
    limiter_thaw(old.l);
    for (size_t i = 0; i < pair_count; i++)
        assert_true(limiter_take_back(old.l, text_of(pairs[i].identity), text_of(pairs[i].value)));
    assert_int_equal(ask(&old, 100), 70);
}

static void other_numbers_keep_what_is_missing(void **state)
{
    struct limit before = rate_limit(10, 100);
    struct limit after = rate_limit(10, 50);
    hand_over(&before, &after);
    assert_int_equal(ask(&new, 100), 0);
    now.monotonic += SECOND;
    assert_int_equal(ask(&new, 100), 10);
}

static void what_is_nonsense_is_refused(void **state)
{
    struct limit limit = rate_limit(10, 100);
    start(&new, &limit);
    static const char *const identities[] = { "", "rb", "rb/r/l", "rb/other/l/i192.0.2.1",
                                              "x/y/z/w" };
    static const char *const values[] = {
        "", "1 2", "-1 2 3", "a b c", "9999999999999999999999 1 1", "0 9223372036854775807 1"
    };
    for (size_t i = 0; i < ARRAY_LENGTH(identities); i++)
        assert_false(limiter_receive(new.l, text_of(identities[i]), TEXT_OF("100 50 50")));
    for (size_t i = 0; i < ARRAY_LENGTH(values); i++)
        assert_false(limiter_receive(new.l, TEXT_OF("rb/r/l/i192.0.2.1"), text_of(values[i])));
    limiter_give(new.l, TEXT_OF("rb/r/l/i192.0.2.1"), (struct limiter_rest){ 5, 0 });
    limiter_give(new.l, TEXT_OF("rb/r/l/i192.0.2.1"),
                 (struct limiter_rest){ INT64_MAX, INT64_MAX });
    assert_int_equal(ask(&new, 200), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(together_they_admit_what_one_would),
        TEST(what_was_not_spent_comes_back),
        TEST(a_quota_is_counted_on),
        TEST(another_process_that_fails_costs_nothing),
        TEST(other_numbers_keep_what_is_missing),
        TEST(what_is_nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
