/* SPDX-License-Identifier: Apache-2.0 */
/* test_lease.c - what is held of a shared bucket: taken, told, given back, divided. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>

#include "gatewayd/policy/lease.h"

#define MS     1000000ll
#define SECOND 1000000000ll
#define NOON   1709208000000

static struct lease lease;
static struct limits_local_spec whole;
static struct limits_local_spec part;
static struct limits_local_now now;
static int64_t clock_ahead;
static uint64_t seq;
static struct bucket_ask ask;
static int64_t next;

static int64_t read_clock(void *arg)
{
    return now.ns + clock_ahead;
}

static void make_of(struct bucket_spec spec)
{
    struct bucket_spec divided = lease_divided_spec(&spec, 2, 1);
    limits_local_spec_init(&whole, &spec);
    limits_local_spec_init(&part, &divided);
    lease_init(&lease, &whole, &part);
    now = (struct limits_local_now){ 1000 * SECOND, NOON };
    clock_ahead = 0;
    seq = 0;
}

static int make(void **state)
{
    make_of((struct bucket_spec){ .kind = LIMIT_RATE, .rate = 100, .per = 1000, .burst = 100 });
    return 0;
}

static int unmake(void **state)
{
    limits_local_spec_fini(&whole);
    limits_local_spec_fini(&part);
    return 0;
}

static struct lease_taking taking;

static enum lease_answer take(int64_t cost)
{
    taking = (struct lease_taking){ .now = now, .clock = { read_clock, NULL }, .cost = cost };
    enum lease_answer answer = lease_take(&lease, &taking);
    if (answer == LEASE_WAIT)
        lease_wait(&lease, cost);
    return answer;
}

static bool look(void)
{
    if (!lease_look(&lease, now, seq + 1, &ask, &next))
        return false;
    seq++;
    return true;
}

static bool hear(int64_t granted, int64_t held, int64_t again)
{
    struct limits_answer answer = { .outcome = LIMITS_ANSWERED, .nodes = 2 };
    answer.bucket = (struct bucket_answer){
        .granted = granted, .held = held, .life = 1000000, .ask_again = again, .left = 10
    };
    return lease_on_answer(&lease, seq, &answer, now);
}

static bool hear_outcome(enum limits_outcome outcome)
{
    struct limits_answer answer = { .outcome = outcome };
    return lease_on_answer(&lease, seq, &answer, now);
}

static void the_first_waits_for_an_answer(void **state)
{
    assert_int_equal(take(1), LEASE_WAIT);
    assert_true(taking.wants);
    assert_int_equal(take(2), LEASE_WAIT);
    assert_true(look());
    assert_int_equal(ask.need, 3);
    assert_int_equal(ask.have, 0);
    assert_false(look()); /* one ask at a time */
    assert_true(hear(10, 10, 0));
    for (int i = 0; i < 10; i++)
        assert_int_equal(take(1), LEASE_TAKEN);
    assert_int_equal(take(1), LEASE_WAIT);
    assert_true(look());
    assert_int_equal(ask.have, 0);
    assert_true(ask.want > 0);
}

static void until_told_to_ask_again_it_denies_by_itself(void **state)
{
    take(1);
    assert_true(look());
    hear(1, 1, 50000);
    assert_int_equal(take(1), LEASE_TAKEN);
    assert_int_equal(take(1), LEASE_EMPTY);
    assert_true(taking.state.wait_ns > 0 && taking.state.wait_ns <= 50 * MS);
    assert_false(look());
    assert_true(next <= now.ns + 50 * MS);
    now.ns += 50 * MS;
    assert_int_equal(take(1), LEASE_WAIT);
    assert_true(look());
}

/* They try again with what came, and say so if it was too little; or are denied and go. */
static void who_waits_behind_an_ask_is_not_asked_for_unheard(void **state)
{
    take(1);
    assert_true(look());
    take(1);
    take(1);
    hear(10, 10, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(take(1), LEASE_TAKEN);
    assert_false(look()); /* seven are here */
    for (int i = 0; i < 7; i++)
        assert_int_equal(take(1), LEASE_TAKEN);
    take(1);
    assert_true(look());
    take(1);
    hear(1, 1, 40000);
    assert_int_equal(take(1), LEASE_TAKEN);
    assert_int_equal(take(1), LEASE_EMPTY);
    now.ns += 40 * MS;
    assert_false(look()); /* nobody is here any more */
    assert_int_equal(take(1), LEASE_WAIT);
    assert_true(look());
    assert_int_equal(ask.need, 1);
}

/* One that comes often need not wait for the next ask; but the load may have moved to another node
 * while it was denied here. */
static void after_denials_it_asks_for_who_is_there(void **state)
{
    int64_t quiet[] = { 0, 2 * MS, 10 * MS };
    for (int i = 0; i < 3; i++) {
        assert_int_equal(take(1), LEASE_WAIT);
        assert_true(look());
        hear(1, 1, 20000);
        assert_int_equal(take(1), LEASE_TAKEN);
        now.ns += 20 * MS - quiet[i];
        for (int k = 0; k < 10; k++)
            assert_int_equal(take(1), quiet[i] > 0 ? LEASE_EMPTY : LEASE_WAIT);
        now.ns += quiet[i];
        assert_true(look() == (quiet[i] < 10 * MS));
        if (lease.is_asking)
            hear(0, 0, 0);
    }
}

static void nothing_is_spent_past_the_end(void **state)
{
    take(1);
    assert_true(look());
    now.ns += 10 * MS; /* the answer takes its time: the end counts from the sending */
    hear(10, 10, 0);
    now.ns += 930 * MS;
    assert_int_equal(take(1), LEASE_TAKEN);
    now.ns += 10 * MS; /* 950 ms since it was sent */
    assert_int_equal(take(1), LEASE_WAIT);
    assert_true(look());
    assert_int_equal(ask.have, 0);

    /* The clock is read after the token was taken. */
    hear(10, 10, 0);
    clock_ahead = 950 * MS;
    assert_int_equal(take(1), LEASE_WAIT);
    clock_ahead = 0;
    assert_int_equal(take(1), LEASE_TAKEN);
    assert_true(look());
    assert_int_equal(ask.have, 8); /* the one taken too late is spent too */
}

static void what_was_taken_meanwhile_stays_taken(void **state)
{
    take(1);
    assert_true(look());
    hear(10, 10, 0);
    for (int i = 0; i < 10; i++)
        take(1);
    take(1);
    now.ns += 20 * MS;
    assert_true(look());
    hear(20, 20, 0);
    for (int i = 0; i < 18; i++)
        assert_int_equal(take(1), LEASE_TAKEN);
    now.ns += 350 * MS;
    assert_int_equal(take(1), LEASE_TAKEN);
    assert_true(look()); /* a report */
    assert_int_equal(ask.have, 1);
    assert_int_equal(take(1), LEASE_TAKEN);
    hear(5, 6, 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(take(1), LEASE_TAKEN);
    assert_int_equal(take(1), LEASE_WAIT);
}

static void a_holder_keeps_no_more_than_is_said(void **state)
{
    take(1);
    assert_true(look());
    hear(20, 20, 0);
    for (int i = 0; i < 11; i++)
        take(1);
    now.ns += 400 * MS;
    take(1);
    assert_false(look()); /* an eighth of the burst is not worth telling */
    take(1);
    assert_true(look());
    assert_int_equal(ask.have, 7);
    hear(2, 2, 0); /* its hold had ended there: seven were not known any more */
    assert_int_equal(take(1), LEASE_TAKEN);
    assert_int_equal(take(1), LEASE_TAKEN);
    assert_int_equal(take(1), LEASE_WAIT);
}

static void only_answers_to_the_last_ask_count(void **state)
{
    take(1);
    assert_true(look());
    assert_false(hear_outcome(LIMITS_REFUSED));
    assert_true(look());
    assert_int_equal(ask.need, 1); /* asked for again */
    struct limits_answer late = { .outcome = LIMITS_ANSWERED };
    late.bucket = (struct bucket_answer){ .granted = 10, .held = 10, .life = 1000000 };
    assert_false(lease_on_answer(&lease, seq - 1, &late, now));
    assert_int_equal(take(1), LEASE_WAIT);
    assert_true(hear(1, 1, 0));
    assert_false(lease_on_answer(&lease, seq, &late, now));
    assert_int_equal(take(1), LEASE_TAKEN);
    assert_int_equal(take(1), LEASE_WAIT);
}

static void what_an_ask_told_as_spent_cannot_be_given_back(void **state)
{
    take(1);
    assert_true(look());
    hear(20, 20, 0);
    assert_int_equal(take(13), LEASE_TAKEN);
    struct lease_taking before = taking;
    lease_give(&lease, &before);
    now.ns += 400 * MS;
    assert_int_equal(take(13), LEASE_TAKEN);
    before = taking;
    assert_true(look());
    assert_int_equal(ask.have, 7);
    lease_give(&lease, &before); /* too late */
    assert_int_equal(take(7), LEASE_TAKEN);
    assert_int_equal(take(1), LEASE_WAIT);
}

static void unused_tokens_go_back_early(void **state)
{
    take(1);
    assert_true(look());
    hear(10, 10, 0);
    take(1);
    now.ns += 50 * MS;
    assert_false(look());
    assert_true(next <= now.ns + 50 * MS);
    now.ns += 50 * MS;
    assert_true(look());
    assert_int_equal(ask.have, 0);
    assert_int_equal(ask.back, 9);
    assert_int_equal(ask.want, 0);
    hear(0, 0, 0);
    assert_int_equal(take(1), LEASE_WAIT);
}

/* What is plentiful is kept for longer: calm consumers cost few calls. */
static void what_is_plentiful_is_kept_for_seconds(void **state)
{
    struct limits_answer answer = { .outcome = LIMITS_ANSWERED, .nodes = 2 };
    answer.bucket = (struct bucket_answer){ .granted = 10, .held = 10, .life = 10000000 };
    take(1);
    assert_true(look());
    assert_true(lease_on_answer(&lease, seq, &answer, now));
    take(1);
    now.ns += 4 * SECOND;
    assert_false(look());
    now.ns += SECOND;
    assert_true(look());
    assert_int_equal(ask.back, 9);
}

/* Of what is scarce all is told when nobody asks any more: it stands in the others' way. */
static void what_was_spent_of_what_is_scarce_is_told_soon(void **state)
{
    struct limits_answer answer = { .outcome = LIMITS_ANSWERED, .nodes = 2 };
    answer.bucket =
        (struct bucket_answer){ .granted = 1, .held = 1, .life = 1000000, .is_scarce = true };
    take(1);
    assert_true(look());
    assert_true(lease_on_answer(&lease, seq, &answer, now));
    assert_int_equal(take(1), LEASE_TAKEN);
    assert_false(look());
    now.ns += 100 * MS;
    assert_true(look());
    assert_int_equal(ask.have + ask.back + ask.want + ask.need, 0);
}

static void away_it_goes_on_with_what_it_holds_and_its_part(void **state)
{
    take(1);
    assert_true(look());
    hear(20, 20, 0);
    for (int i = 0; i < 12; i++)
        assert_int_equal(take(1), LEASE_TAKEN);
    now.ns += 400 * MS;
    assert_int_equal(take(1), LEASE_TAKEN);
    assert_true(look());
    assert_true(hear_outcome(LIMITS_AWAY));
    /* 7 held; then 50 a second. */
    for (int i = 0; i < 7; i++)
        assert_int_equal(take(1), LEASE_TAKEN);
    assert_int_equal(take(1), LEASE_EMPTY);
    assert_int_equal(taking.state.wait_ns, 20 * MS);
    now.ns += 20 * MS;
    assert_int_equal(take(1), LEASE_TAKEN);
    assert_int_equal(take(1), LEASE_EMPTY);
    now.ns += 10 * SECOND;
    for (int i = 0; i < 50; i++)
        assert_int_equal(take(1), LEASE_TAKEN);
    assert_int_equal(take(1), LEASE_EMPTY);

    /* Still away, still the same bucket. */
    assert_true(taking.wants);
    assert_true(look());
    assert_true(ask.returning);
    assert_int_equal(ask.have, 0);
    hear_outcome(LIMITS_AWAY);
    assert_int_equal(take(1), LEASE_EMPTY);
    assert_false(look());

    /* Back: no fresh burst, and again away: none either. */
    now.ns += SECOND * 5 / 4 + 20 * MS;
    assert_true(look());
    hear(1, 1, 20000);
    assert_int_equal(take(1), LEASE_TAKEN);
    assert_int_equal(take(1), LEASE_EMPTY);
    now.ns += 30 * MS;
    assert_int_equal(take(1), LEASE_WAIT);
    assert_true(look());
    assert_false(ask.returning);
    hear_outcome(LIMITS_AWAY);
    assert_int_equal(take(1), LEASE_EMPTY);
}

static void who_waited_in_vain_has_this_nodes_part_of_that_time(void **state)
{
    take(1);
    assert_true(look());
    hear(1, 1, 0);
    assert_int_equal(take(1), LEASE_TAKEN);
    assert_int_equal(take(1), LEASE_WAIT);
    lease_wait(&lease, 1);
    assert_true(look());
    now.ns += 100 * MS; /* hangs */
    assert_true(hear_outcome(LIMITS_AWAY));
    for (int i = 0; i < 5; i++)
        assert_int_equal(take(1), LEASE_TAKEN);
    assert_int_equal(take(1), LEASE_EMPTY);
}

static void never_seen_it_starts_with_its_part_of_the_burst(void **state)
{
    take(1);
    assert_true(look());
    hear_outcome(LIMITS_AWAY);
    for (int i = 0; i < 50; i++)
        assert_int_equal(take(1), LEASE_TAKEN);
    assert_int_equal(take(1), LEASE_EMPTY);
}

static void a_divided_quota_tells_what_it_spent(void **state)
{
    limits_local_spec_fini(&whole);
    limits_local_spec_fini(&part);
    make_of((struct bucket_spec){ .kind = LIMIT_QUOTA, .burst = 100, .period = LIMIT_DAY });
    take(1);
    assert_true(look());
    hear(10, 10, 0); /* ten nobody holds: five of them are this node's part */
    for (int i = 0; i < 4; i++)
        take(1);
    now.ns += 1100 * MS;
    take(1);
    assert_true(look());
    hear(6, 6, 0);
    now.ns += 950 * MS; /* what is held ends */
    take(1);
    assert_true(look());
    hear_outcome(LIMITS_AWAY);
    for (int i = 0; i < 5; i++)
        assert_int_equal(take(1), LEASE_TAKEN);
    assert_int_equal(take(1), LEASE_EMPTY);
    now.ns += SECOND * 5 / 4;
    take(1);
    assert_true(look());
    assert_true(ask.returning);
    assert_int_equal(ask.spent, 5);
}

/* Another process goes on from what this one memorised, and tells it with its first ask. */
static void a_restart_forgets_nothing_of_a_quota(void **state)
{
    struct lease_memory memory;
    limits_local_spec_fini(&whole);
    limits_local_spec_fini(&part);
    make_of((struct bucket_spec){ .kind = LIMIT_QUOTA, .burst = 100, .period = LIMIT_DAY });
    assert_false(lease_memorise(&lease, &memory));
    take(1);
    assert_true(look());
    hear_outcome(LIMITS_AWAY);
    for (int i = 0; i < 30; i++)
        assert_int_equal(take(1), LEASE_TAKEN);
    assert_true(lease_memorise(&lease, &memory));
    assert_int_equal(memory.count, 30);
    assert_int_equal(memory.told, 0);

    lease_init(&lease, &whole, &part);
    lease_remember(&lease, &memory);
    assert_false(lease_try_end(&lease, now));
    assert_true(look()); /* though nobody waits */
    assert_true(ask.returning);
    assert_int_equal(ask.spent, 30);
    hear_outcome(LIMITS_AWAY);
    for (int i = 0; i < 20; i++)
        assert_int_equal(take(1), LEASE_TAKEN);
    assert_int_equal(take(1), LEASE_EMPTY);
    assert_true(lease_memorise(&lease, &memory));
    assert_int_equal(memory.count - memory.told, 50);

    now.ns += SECOND * 5 / 4;
    assert_true(look());
    assert_int_equal(ask.spent, 50);
    hear(0, 0, 0);
    assert_false(lease_memorise(&lease, &memory));
}

/* What is taken while an ask is under way is told by the next. */
static void what_is_spent_behind_an_ask_is_told_too(void **state)
{
    struct lease_memory memory;
    limits_local_spec_fini(&whole);
    limits_local_spec_fini(&part);
    make_of((struct bucket_spec){ .kind = LIMIT_QUOTA, .burst = 100, .period = LIMIT_DAY });
    take(1);
    assert_true(look());
    hear_outcome(LIMITS_AWAY);
    take(1);
    now.ns += SECOND * 5 / 4;
    assert_true(look());
    assert_int_equal(ask.spent, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(take(1), LEASE_TAKEN);
    hear(10, 10, 0);
    assert_true(lease_memorise(&lease, &memory));
    assert_true(look());
    assert_int_equal(ask.spent, 3);
    hear(10, 10, 0);
    assert_false(look() && ask.spent > 0);
}

/* Of a window that is over nothing is told, and what was spent in the next one is. */
static void a_window_that_ends_is_forgotten(void **state)
{
    limits_local_spec_fini(&whole);
    limits_local_spec_fini(&part);
    make_of((struct bucket_spec){ .kind = LIMIT_QUOTA, .burst = 100, .period = LIMIT_DAY });
    take(1);
    assert_true(look());
    hear_outcome(LIMITS_AWAY);
    for (int i = 0; i < 40; i++)
        assert_int_equal(take(1), LEASE_TAKEN);
    now.wall += 86400000;
    now.ns += SECOND * 5 / 4;
    assert_true(look());
    assert_int_equal(ask.spent, 0);
    hear_outcome(LIMITS_AWAY);
    assert_int_equal(take(1), LEASE_TAKEN);
    now.ns += SECOND * 5 / 4;
    assert_true(look());
    assert_int_equal(ask.spent, 1);
}

static void lost_answers_deny_but_never_divide(void **state)
{
    take(1);
    assert_true(look());
    hear(1, 1, 0);
    take(1);
    assert_int_equal(take(1), LEASE_WAIT);
    assert_true(look());
    assert_false(hear_outcome(LIMITS_REFUSED));
    assert_true(look());
    assert_false(hear_outcome(LIMITS_REFUSED));
    assert_true(look());
    assert_true(hear_outcome(LIMITS_REFUSED));
    assert_int_equal(take(1), LEASE_EMPTY);
    now.ns += 30 * MS;
    assert_int_equal(take(1), LEASE_WAIT);
}

static void idle_it_ends(void **state)
{
    take(1);
    assert_true(look());
    hear(1, 1, 0);
    assert_false(lease_try_end(&lease, now));
    take(1);
    now.ns += 5 * SECOND;
    assert_false(lease_try_end(&lease, now));
    now.ns += 15 * SECOND;
    assert_true(lease_try_end(&lease, now));
    assert_int_equal(take(1), LEASE_GONE);
    assert_false(look());
}

static _Atomic int64_t taken;

static void *take_on(void *arg)
{
    for (int i = 0; i < 20000; i++) {
        struct lease_taking t = { .now = now, .clock = { read_clock, NULL }, .cost = 1 };
        if (lease_take(&lease, &t) != LEASE_TAKEN)
            continue;
        if (i % 10 == 0)
            lease_give(&lease, &t);
        else
            atomic_fetch_add(&taken, 1);
    }
    return NULL;
}

/* Grants, reports and three workers at once: never more taken than granted. */
static void workers_together_spend_what_was_granted(void **state)
{
    pthread_t threads[3];
    int64_t granted = 10000;
    unmake(state);
    make_of(
        (struct bucket_spec){ .kind = LIMIT_RATE, .rate = 1000000, .per = 1000, .burst = 1000000 });
    take(1);
    assert_true(look());
    hear(granted, granted, 0);
    taken = 0;
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, take_on, NULL);
    for (int i = 0; i < 2000; i++) {
        if (!look())
            continue;
        hear(10, ask.have + 10, 0);
        granted += 10 - ask.back;
    }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_true(taken > 0);
    assert_true(taken <= granted);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)
    const struct CMUnitTest tests[] = {
        TEST(the_first_waits_for_an_answer),
        TEST(until_told_to_ask_again_it_denies_by_itself),
        TEST(who_waits_behind_an_ask_is_not_asked_for_unheard),
        TEST(after_denials_it_asks_for_who_is_there),
        TEST(nothing_is_spent_past_the_end),
        TEST(what_was_taken_meanwhile_stays_taken),
        TEST(a_holder_keeps_no_more_than_is_said),
        TEST(only_answers_to_the_last_ask_count),
        TEST(what_an_ask_told_as_spent_cannot_be_given_back),
        TEST(unused_tokens_go_back_early),
        TEST(what_is_plentiful_is_kept_for_seconds),
        TEST(what_was_spent_of_what_is_scarce_is_told_soon),
        TEST(away_it_goes_on_with_what_it_holds_and_its_part),
        TEST(never_seen_it_starts_with_its_part_of_the_burst),
        TEST(who_waited_in_vain_has_this_nodes_part_of_that_time),
        TEST(a_divided_quota_tells_what_it_spent),
        TEST(a_restart_forgets_nothing_of_a_quota),
        TEST(what_is_spent_behind_an_ask_is_told_too),
        TEST(a_window_that_ends_is_forgotten),
        TEST(lost_answers_deny_but_never_divide),
        TEST(idle_it_ends),
        TEST(workers_together_spend_what_was_granted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
