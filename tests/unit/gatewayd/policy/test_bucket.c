/* SPDX-License-Identifier: Apache-2.0 */
/* test_bucket.c - what an ask changes, rule by rule. Times in seconds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "gatewayd/policy/bucket.h"

#define SECOND 1000000ll
#define NOON   (1709208000 * SECOND) /* 2024-02-29T12:00:00Z */

static struct bucket b;
static struct bucket_answer answer;
static struct bucket_spec spec;
static uint64_t seqs[4];
static uint64_t run;

static int make(void **state)
{
    bucket_init(&b);
    memset(seqs, 0, sizeof(seqs));
    spec = (struct bucket_spec){ .kind = LIMIT_RATE, .rate = 100, .per = 1000, .burst = 100 };
    run = 1;
    return 0;
}

static int unmake(void **state)
{
    bucket_fini(&b);
    return 0;
}

static struct bucket_ask ask_of(unsigned holder, int64_t have, int64_t back, int64_t need)
{
    return (struct bucket_ask){
        .holder = { 1, holder },
        .spec = spec,
        .seq = ++seqs[holder],
        .have = have,
        .back = back,
        .need = need,
        .want = 1000,
        .not_after = INT64_MAX,
    };
}

static bool ask(struct bucket_ask a, double at)
{
    return bucket_ask(&b, &a, NOON + (int64_t)(at * SECOND), run, &answer);
}

static void plenty_is_given_an_eighth_at_a_time(void **state)
{
    assert_true(ask(ask_of(0, 0, 0, 1), 0));
    assert_int_equal(answer.granted, 12);
    assert_int_equal(answer.held, 12);
    assert_int_equal(answer.left, 88);
    assert_int_equal(answer.life, 10 * SECOND);
    assert_int_equal(answer.ask_again, 0);
    assert_int_equal(answer.asking, 1);
    /* What it holds counts: no more on top. */
    assert_true(ask(ask_of(0, 12, 0, 0), 0));
    assert_int_equal(answer.granted, 0);
    assert_int_equal(answer.held, 12);
}

static void need_is_met_up_to_the_share(void **state)
{
    assert_true(ask(ask_of(0, 0, 0, 60), 0));
    assert_int_equal(answer.granted, 60);
    assert_true(ask(ask_of(1, 0, 0, 60), 0));
    assert_int_equal(answer.granted, 20);
    assert_int_equal(answer.asking, 2);
    assert_int_equal(answer.ask_again, 0); /* there is more for who needs it */
}

/* Of 500 a second 25 are worth an ask: three times as many for two, of which 8 are there. */
static void the_next_ask_is_put_off_until_it_is_worth_it(void **state)
{
    spec.rate = spec.burst = 500;
    assert_true(ask(ask_of(0, 0, 0, 484), 0));
    assert_true(ask(ask_of(1, 0, 0, 8), 0));
    assert_int_equal(answer.granted, 8);
    assert_int_equal(answer.left, 8);
    assert_int_equal(answer.ask_again, 1000000 * (3 * 25 - 8) / 500);
    struct bucket_ask rest = ask_of(1, 8, 0, 0);
    rest.want = 0;
    assert_true(ask(rest, 0));
    assert_int_equal(answer.ask_again, 0);
    assert_true(ask(ask_of(0, 484, 0, 1), 0));
    assert_int_equal(answer.asking, 1); /* who wants nothing does not count */
    spec.per = 3600000;
    assert_true(ask(ask_of(1, 0, 0, 1), 0));
    assert_int_equal(answer.asking, 2);
    rest.seq = ++seqs[1];
    assert_true(ask(rest, 0));
    assert_true(ask(ask_of(0, 0, 0, 1), 1));
    assert_int_equal(answer.asking, 1);
}

/* Six of 500 are not worth an ask: all of them for who asks, and nobody asks before 25 have come
 * in. Six of a small burst are: half is left for others. */
static void what_is_not_worth_an_ask_is_given_at_once(void **state)
{
    spec.rate = spec.burst = 500;
    assert_true(ask(ask_of(0, 0, 0, 494), 0));
    assert_true(ask(ask_of(0, 0, 0, 1), 0));
    assert_int_equal(answer.granted, 6);
    assert_int_equal(answer.ask_again, 50000);
    bucket_fini(&b);
    spec.rate = spec.burst = 100;
    assert_true(ask(ask_of(0, 0, 0, 94), 0));
    assert_true(ask(ask_of(0, 0, 0, 1), 0));
    assert_int_equal(answer.granted, 3);
    assert_int_equal(answer.ask_again, 0);
}

/* Shares of a little more than 50 are no less than shares of 50. */
static void more_left_is_never_less_given(void **state)
{
    int64_t before = 0;
    spec.rate = spec.burst = 500;
    for (int64_t left = 50; left <= 240; left += 10) {
        struct bucket_ask other = ask_of(1, 0, 0, 1);
        other.want = 100000;
        assert_true(ask(ask_of(0, 0, 0, 500 - left), 0));
        assert_true(ask(other, 0));
        assert_int_equal(answer.asking, 2);
        assert_true(answer.granted >= before);
        before = answer.granted;
        bucket_fini(&b);
    }
    assert_int_equal(before, 60);
}

/* Tokens of no use to a request are not handed out, and all of them go to one if they must. */
static void requests_that_cost_more_get_whole_ones(void **state)
{
    struct bucket_ask many = ask_of(0, 0, 0, 90);
    struct bucket_ask more = ask_of(1, 0, 0, 30);
    many.cost = more.cost = 30;
    assert_true(ask(many, 0));
    assert_int_equal(answer.granted, 90);
    assert_true(ask(more, 0));
    assert_int_equal(answer.granted, 0);
    assert_int_equal(answer.left, 10);
    assert_int_equal(answer.next, 200000);
    many = ask_of(0, 0, 0, 0);
    many.want = 0;
    assert_true(ask(many, 0));
    more.seq = ++seqs[1];
    assert_true(ask(more, 0.25));
    assert_int_equal(answer.granted, 30);
    assert_int_equal(answer.left, 5);
}

static void late_and_overtaken_asks_change_nothing(void **state)
{
    assert_true(ask(ask_of(0, 0, 0, 50), 0));
    struct bucket_ask old = ask_of(0, 10, 0, 5);
    assert_true(ask(ask_of(0, 40, 0, 0), 0.1));
    int64_t tokens = b.tokens;
    assert_false(ask(old, 0.2));
    struct bucket_ask late = ask_of(0, 0, 40, 0);
    late.not_after = NOON + SECOND;
    assert_false(ask(late, 1.1));
    assert_int_equal(b.tokens, tokens);
    assert_true(ask(late, 1.0));
}

static void tokens_accrue_under_the_hold_as_it_was(void **state)
{
    /* 60 held; 40 left, which is all that may be there meanwhile. */
    assert_true(ask(ask_of(0, 0, 0, 60), 0));
    assert_true(ask(ask_of(1, 0, 0, 0), 0.5));
    assert_int_equal(answer.left + answer.granted, 40);
    /* It tells that all is spent: the time before counts as it was held. */
    assert_true(ask(ask_of(0, 0, 0, 0), 0.5));
    assert_int_equal(answer.left + answer.granted + b.holds[1].held, 40);
    int64_t left = answer.left;
    struct bucket_ask report = ask_of(1, 0, 0, 0);
    report.want = 0;
    assert_true(ask(report, 0.75));
    assert_int_equal(answer.left, left + 25); /* a quarter second's */
}

static void a_hold_that_ended_was_spent_at_its_end(void **state)
{
    assert_true(ask(ask_of(0, 0, 0, 96), 0));
    assert_int_equal(answer.life, 10 * SECOND);
    struct bucket_ask look = ask_of(1, 0, 0, 0);
    look.want = 0;
    assert_true(ask(look, 9.9));
    assert_int_equal(answer.left, 4);
    look.seq = ++seqs[1];
    assert_true(ask(look, 10.25)); /* a quarter second since: 25 more */
    assert_int_equal(answer.left, 29);
}

static void what_comes_back_after_the_end_is_not_credited(void **state)
{
    assert_true(ask(ask_of(0, 0, 0, 96), 0));
    struct bucket_ask back = ask_of(0, 0, 96, 0);
    back.want = 0;
    assert_true(ask(back, 10.25));
    assert_int_equal(answer.left, 29);
    assert_int_equal(answer.held, 0);
}

static void what_comes_back_in_time_is(void **state)
{
    assert_true(ask(ask_of(0, 0, 0, 96), 0));
    struct bucket_ask back = ask_of(0, 6, 80, 0);
    back.want = 0;
    assert_true(ask(back, 0));
    assert_int_equal(answer.left, 84);
    assert_int_equal(answer.held, 6);
    /* More than the hold had is not. */
    back = ask_of(0, 0, 1000, 0);
    back.want = 0;
    assert_true(ask(back, 0));
    assert_int_equal(answer.left, 90);
}

static void a_lost_answer_loses_its_tokens(void **state)
{
    assert_true(ask(ask_of(0, 0, 0, 50), 0)); /* never heard */
    assert_true(ask(ask_of(0, 0, 0, 1), 0));
    assert_int_equal(answer.held, answer.granted);
    assert_true(answer.left + answer.held <= 50);
}

static void a_clock_set_back_accrues_nothing(void **state)
{
    assert_true(ask(ask_of(0, 0, 0, 100), 0));
    assert_int_equal(answer.left, 0);
    struct bucket_ask look = ask_of(1, 0, 0, 0);
    look.want = 0;
    assert_true(ask(look, -30));
    assert_int_equal(answer.left, 0);
    look.seq = ++seqs[1];
    assert_true(ask(look, -29.9)); /* 0.1 s since, but all is held */
    assert_int_equal(answer.left, 0);
}

static void whoever_went_by_itself_brings_no_credit(void **state)
{
    assert_true(ask(ask_of(0, 0, 0, 100), 0));
    struct bucket_ask ret = ask_of(0, 0, 0, 0);
    ret.want = 0;
    ret.returning = true;
    assert_true(ask(ret, 50));
    assert_int_equal(answer.left, 0);
}

static void lost_memory_costs_one_burst(void **state)
{
    assert_true(ask(ask_of(0, 0, 0, 100), 0));
    /* The server came back with what it had saved: no credit, no holds. */
    run = 2;
    struct bucket_ask look = ask_of(1, 0, 0, 0);
    look.want = 0;
    assert_true(ask(look, 50));
    assert_int_equal(answer.left, 0);
    assert_int_equal(b.count, 1);
    /* It came back with nothing. */
    bucket_fini(&b);
    look.seq = ++seqs[1];
    assert_true(ask(look, 50));
    assert_int_equal(answer.left, 100);
}

static void changed_numbers_keep_the_tokens(void **state)
{
    assert_true(ask(ask_of(0, 0, 0, 90), 0));
    spec.burst = 1000;
    spec.rate = 10;
    struct bucket_ask look = ask_of(1, 0, 0, 0);
    look.want = 0;
    assert_true(ask(look, 1));
    assert_int_equal(answer.left, 20);
    spec.burst = 95;
    look = ask_of(1, 0, 0, 0);
    look.want = 0;
    assert_true(ask(look, 1));
    assert_int_equal(answer.left, 5);
    spec.burst = 50;
    look = ask_of(1, 0, 0, 0);
    look.want = 0;
    assert_true(ask(look, 1));
    assert_int_equal(answer.left, 0);
}

/* Time that makes no whole millionth yet is not lost by asking often. */
static void slow_rates_accrue_however_often_asked(void **state)
{
    spec = (struct bucket_spec){ .kind = LIMIT_RATE, .rate = 1, .per = 86400000, .burst = 10 };
    assert_true(ask(ask_of(0, 0, 0, 10), 0));
    struct bucket_ask spent = ask_of(0, 0, 0, 0);
    spent.want = 0;
    assert_true(ask(spent, 0));
    for (int i = 1; i <= 864; i++) {
        spent.seq = ++seqs[0];
        assert_true(bucket_ask(&b, &spent, NOON + i * 1000 * 50ll, run, &answer));
    }
    assert_in_range(b.tokens, 499, 500); /* 43.2 s of a day in millionths */
}

static void a_quota_is_filled_with_its_window(void **state)
{
    spec = (struct bucket_spec){ .kind = LIMIT_QUOTA, .burst = 100, .period = LIMIT_HOUR };
    assert_true(ask(ask_of(0, 0, 0, 40), 3590));
    assert_int_equal(answer.granted, 40);
    assert_int_equal(answer.left, 60);
    assert_true(answer.life <= 10 * SECOND);
    assert_int_equal(answer.next, 10 * SECOND);
    /* A lease ends with the window, and spent is spent until then. */
    assert_true(ask(ask_of(1, 0, 0, 0), 3599));
    assert_true(answer.left + answer.held == 60);
    assert_int_equal(answer.life, SECOND);
    assert_true(ask(ask_of(0, 0, 0, 1), 3600));
    assert_int_equal(answer.left + answer.held, 100);
    /* Raised in its window: at once. What a divided node spent is counted. */
    spec.burst = 200;
    struct bucket_ask ret = ask_of(1, 0, 0, 0);
    ret.returning = true;
    ret.spent = 30;
    ret.want = 0;
    int64_t held = b.holds[0].held + b.holds[1].held;
    assert_true(ask(ret, 3601));
    assert_int_equal(answer.left, 200 - 30 - held);
}

/* A hold ends no later than one that begins now, whatever the clock did. */
static void a_clock_set_back_an_hour_does_not_stretch_holds(void **state)
{
    assert_true(ask(ask_of(0, 0, 0, 96), 3600));
    struct bucket_ask look = ask_of(1, 0, 0, 0);
    look.want = 0;
    assert_true(ask(look, 0));
    assert_int_equal(answer.left, 4);
    look.seq = ++seqs[1];
    assert_true(ask(look, 10.5));
    assert_int_equal(answer.left, 54);
}

static void many_holders_are_bounded(void **state)
{
    spec.burst = 1000000;
    struct bucket_ask a = ask_of(0, 0, 0, 1);
    for (uint64_t i = 0; i < BUCKET_HOLDERS_MOST; i++) {
        a.holder.low = i;
        assert_true(ask(a, 0));
    }
    a.holder.low = BUCKET_HOLDERS_MOST;
    assert_false(ask(a, 0));
    /* Those whose holds have ended long ago make room. */
    assert_true(ask(a, 200));
}

static void full_and_not_held_it_can_be_forgotten(void **state)
{
    assert_true(ask(ask_of(0, 0, 0, 50), 0));
    /* The hold's 10 s, half a second to fill, and a margin. */
    assert_int_equal(bucket_keep_time(&b, &spec, NOON), 12.5 * SECOND);
    struct bucket_ask look = ask_of(1, 0, 0, 0);
    look.want = 0;
    assert_true(ask(look, 10.5));
    assert_int_equal(answer.left, 100);
    assert_int_equal(bucket_keep_time(&b, &spec, NOON + 10.5 * SECOND), 2 * SECOND);
    /* One in which a token is a month's, and a quota with its window. */
    spec.rate = 1;
    spec.per = 31ll * 86400 * 1000;
    spec.burst = 1000000000;
    assert_int_equal(bucket_keep_time(&b, &spec, NOON), 1000000000 * SECOND);
    spec = (struct bucket_spec){ .kind = LIMIT_QUOTA, .burst = 100, .period = LIMIT_HOUR };
    assert_int_equal(bucket_keep_time(&b, &spec, NOON), 3660 * SECOND);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)
    const struct CMUnitTest tests[] = {
        TEST(plenty_is_given_an_eighth_at_a_time),
        TEST(need_is_met_up_to_the_share),
        TEST(the_next_ask_is_put_off_until_it_is_worth_it),
        TEST(what_is_not_worth_an_ask_is_given_at_once),
        TEST(more_left_is_never_less_given),
        TEST(requests_that_cost_more_get_whole_ones),
        TEST(late_and_overtaken_asks_change_nothing),
        TEST(tokens_accrue_under_the_hold_as_it_was),
        TEST(a_hold_that_ended_was_spent_at_its_end),
        TEST(what_comes_back_after_the_end_is_not_credited),
        TEST(what_comes_back_in_time_is),
        TEST(a_lost_answer_loses_its_tokens),
        TEST(a_clock_set_back_accrues_nothing),
        TEST(whoever_went_by_itself_brings_no_credit),
        TEST(lost_memory_costs_one_burst),
        TEST(changed_numbers_keep_the_tokens),
        TEST(slow_rates_accrue_however_often_asked),
        TEST(a_quota_is_filled_with_its_window),
        TEST(a_clock_set_back_an_hour_does_not_stretch_holds),
        TEST(many_holders_are_bounded),
        TEST(full_and_not_held_it_can_be_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
