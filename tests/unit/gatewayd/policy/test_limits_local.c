/* SPDX-License-Identifier: Apache-2.0 */
/* test_limits_local.c - one word that is a bucket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>

#include "conf/base/mem.h"
#include "gatewayd/policy/limits_local.h"

#define SECOND 1000000000ll
#define NOON   1709208000000 /* 2024-02-29T12:00:00Z */

static struct limits_local_spec make(int64_t rate, int64_t per, int64_t burst)
{
    struct limits_local_spec s;
    struct bucket_spec spec = { .kind = LIMIT_RATE, .rate = rate, .per = per, .burst = burst };
    limits_local_spec_init(&s, &spec);
    return s;
}

static bool take_at(limits_local_word *word, const struct limits_local_spec *s, int64_t ns,
                    int64_t cost, struct limits_local_state *state)
{
    struct limits_local_now now = { ns, NOON };
    struct limits_local_state looked;
    enum limits_local_answer would = limits_local_peek(word, s, now, cost, &looked);
    enum limits_local_answer did = limits_local_take(word, s, now, cost, state);
    assert_int_equal(would, did);
    return did == LIMITS_LOCAL_TAKEN;
}

static void burst_at_once_then_each_token_exactly_at_its_time(void **state)
{
    struct limits_local_spec s = make(10, 1000, 5);
    limits_local_word word = 0;
    struct limits_local_state st;
    int64_t now = 7 * SECOND;
    for (int i = 0; i < 5; i++) {
        assert_true(take_at(&word, &s, now, 1, &st));
        assert_int_equal(st.left, 4 - i);
    }
    assert_false(take_at(&word, &s, now, 1, &st));
    assert_int_equal(st.wait_ns, SECOND / 10);
    assert_int_equal(st.full_ns, SECOND / 2);
    for (int i = 1; i <= 20; i++) {
        int64_t at = now + i * SECOND / 10;
        assert_false(take_at(&word, &s, at - 1, 1, &st));
        assert_int_equal(st.wait_ns, 1);
        assert_true(take_at(&word, &s, at, 1, &st));
        assert_int_equal(st.left, 0);
    }
    limits_local_spec_fini(&s);
}

static void a_cost_is_taken_whole_or_not(void **state)
{
    struct limits_local_spec s = make(10, 1000, 10);
    limits_local_word word = 0;
    struct limits_local_state st;
    assert_true(take_at(&word, &s, SECOND, 7, &st));
    assert_int_equal(st.left, 3);
    assert_false(take_at(&word, &s, SECOND, 4, &st));
    assert_int_equal(st.left, 3);
    assert_int_equal(st.wait_ns, SECOND / 10);
    assert_true(take_at(&word, &s, SECOND, 3, &st));
    limits_local_spec_fini(&s);
}

static void what_is_given_back_can_be_taken_again(void **state)
{
    struct limits_local_spec s = make(1, 60000, 3);
    limits_local_word word = 0;
    struct limits_local_state st;
    for (int i = 0; i < 100; i++) {
        assert_true(take_at(&word, &s, SECOND + i, 3, &st));
        limits_local_give(&word, &s, 3);
    }
    assert_true(take_at(&word, &s, 2 * SECOND, 3, &st));
    assert_false(take_at(&word, &s, 2 * SECOND, 1, &st));
    limits_local_spec_fini(&s);
}

/* Against the tokens counted out in exact fractions. */
static void never_more_than_burst_and_rate(void **state)
{
    uint64_t random = 4101842887655102017u;
    for (int run = 0; run < 300; run++) {
        int64_t rates[] = { 1, 3, 7, 100, 999, 123457, 1000000, 1000000000 };
        int64_t pers[] = { 1, 1000, 60000, 86400000, 31ll * 86400000 };
        int64_t bursts[] = { 1, 2, 10, 1000, 1000000000 };
        random = random * 6364136223846793005u + 1442695040888963407u;
        int64_t rate = rates[(random >> 33) % 8];
        int64_t per = pers[(random >> 40) % 5];
        int64_t burst = bursts[(random >> 50) % 5];
        struct limits_local_spec s = make(rate, per, burst);
        limits_local_word word = 0;
        struct limits_local_state st;
        int64_t start = (int64_t)(random >> 20) % (1000 * SECOND);
        int64_t now = start;
        __int128 admitted = 0;
        for (int i = 0; i < 2000; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            __int128 gap = (__int128)per * 1000000 * ((random >> 40) % 1000) / 500 / rate;
            now += gap > SECOND * 100 ? SECOND * 100 : (int64_t)gap;
            int64_t cost = 1 + (int64_t)((random >> 20) % 5) % burst;
            if (limits_local_take(&word, &s, (struct limits_local_now){ now, NOON }, cost, &st) ==
                LIMITS_LOCAL_TAKEN)
                admitted += cost;
            /* admitted <= burst + rate * t */
            assert_true((admitted - burst) * per * 1000000 <= (__int128)rate * (now - start));
        }
        limits_local_spec_fini(&s);
    }
}

static void asked_for_enough_nothing_is_lost(void **state)
{
    struct limits_local_spec s = make(1000, 1000, 10);
    limits_local_word word = 0;
    struct limits_local_state st;
    int64_t admitted = 0;
    for (int64_t now = 0; now < 10 * SECOND; now += 137000)
        admitted += take_at(&word, &s, now, 1, &st);
    assert_in_range(admitted, 10000, 10010);
    limits_local_spec_fini(&s);
}

static void changed_numbers_keep_the_bucket(void **state)
{
    struct limits_local_spec s = make(100, 1000, 100);
    limits_local_word word = 0;
    struct limits_local_state st;
    const struct limits_local_numbers *old;
    struct bucket_spec slow = { .kind = LIMIT_RATE, .rate = 1, .per = 1000, .burst = 100 };
    assert_true(take_at(&word, &s, SECOND, 100, &st));
    assert_true(limits_local_spec_set(&s, &slow, &old));
    assert_false(limits_local_spec_set(&s, &slow, &old));
    /* Empty it was and empty it is, whatever the rate. */
    assert_false(take_at(&word, &s, SECOND, 1, &st));
    assert_int_equal(st.wait_ns, SECOND);
    struct bucket_spec large = { .kind = LIMIT_RATE, .rate = 1, .per = 1000, .burst = 1000 };
    assert_true(limits_local_spec_set(&s, &large, &old));
    assert_true(take_at(&word, &s, SECOND, 900, &st));
    assert_int_equal(st.left, 0);
    struct bucket_spec fast = { .kind = LIMIT_RATE, .rate = 1000000, .per = 1000, .burst = 5 };
    assert_true(limits_local_spec_set(&s, &fast, &old));
    assert_false(take_at(&word, &s, SECOND, 1, &st));
    assert_true(take_at(&word, &s, SECOND + 1000, 1, &st));
    for (int i = 0; i < 40; i++) {
        slow.burst = 200 + i;
        limits_local_spec_set(&s, &slow, &old);
        MEM_FREE(&old);
    }
    limits_local_spec_fini(&s);
}

static void a_quota_begins_anew_with_its_window(void **state)
{
    struct limits_local_spec s;
    struct bucket_spec spec = { .kind = LIMIT_QUOTA, .burst = 3, .period = LIMIT_HOUR };
    limits_local_spec_init(&s, &spec);
    limits_local_word word = 0;
    struct limits_local_state st;
    struct limits_local_now now = { 0, NOON + 59 * 60000 };
    for (int i = 0; i < 3; i++) {
        assert_int_equal(limits_local_take(&word, &s, now, 1, &st), LIMITS_LOCAL_TAKEN);
        assert_int_equal(st.left, 2 - i);
    }
    assert_int_equal(limits_local_take(&word, &s, now, 1, &st), LIMITS_LOCAL_EMPTY);
    assert_int_equal(st.wait_ns, 60 * SECOND);
    now.wall = NOON + 3600000 - 1;
    assert_int_equal(limits_local_take(&word, &s, now, 1, &st), LIMITS_LOCAL_EMPTY);
    now.wall = NOON + 3600000;
    assert_int_equal(limits_local_take(&word, &s, now, 2, &st), LIMITS_LOCAL_TAKEN);
    /* The clock is set back: the later window goes on. */
    now.wall = NOON;
    assert_int_equal(limits_local_take(&word, &s, now, 1, &st), LIMITS_LOCAL_TAKEN);
    assert_int_equal(limits_local_take(&word, &s, now, 1, &st), LIMITS_LOCAL_EMPTY);
    limits_local_spec_fini(&s);
}

static void only_a_full_bucket_is_ended(void **state)
{
    struct limits_local_spec s = make(10, 1000, 5);
    limits_local_word word = 0;
    struct limits_local_state st;
    assert_true(take_at(&word, &s, SECOND, 1, &st));
    assert_false(limits_local_try_end(&word, &s, (struct limits_local_now){ SECOND, NOON }));
    struct limits_local_now later = { SECOND + SECOND / 10, NOON };
    assert_true(limits_local_try_end(&word, &s, later));
    assert_false(limits_local_try_end(&word, &s, later));
    assert_int_equal(limits_local_take(&word, &s, later, 1, &st), LIMITS_LOCAL_ENDED);
    limits_local_give(&word, &s, 1);
    assert_true(word == LIMITS_LOCAL_DEAD);
    limits_local_spec_fini(&s);
}

struct crowd {
    struct limits_local_spec s;
    limits_local_word word;
    _Atomic int64_t clock;
    _Atomic int64_t admitted;
};

static void *take_many(void *arg)
{
    struct crowd *c = arg;
    struct limits_local_state st;
    for (int i = 0; i < 50000; i++) {
        struct limits_local_now now = { atomic_fetch_add(&c->clock, 1000), NOON };
        if (limits_local_take(&c->word, &c->s, now, 1, &st) == LIMITS_LOCAL_TAKEN)
            atomic_fetch_add(&c->admitted, 1);
    }
    return NULL;
}

static void workers_together_take_no_more(void **state)
{
    struct crowd c = { .s = make(100000, 1000, 50) };
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, take_many, &c);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    /* 150000 us at one token each 10 us. */
    assert_in_range(c.admitted, 14900, 15050);
    limits_local_spec_fini(&c.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(burst_at_once_then_each_token_exactly_at_its_time),
        cmocka_unit_test(a_cost_is_taken_whole_or_not),
        cmocka_unit_test(what_is_given_back_can_be_taken_again),
        cmocka_unit_test(never_more_than_burst_and_rate),
        cmocka_unit_test(asked_for_enough_nothing_is_lost),
        cmocka_unit_test(changed_numbers_keep_the_bucket),
        cmocka_unit_test(a_quota_begins_anew_with_its_window),
        cmocka_unit_test(only_a_full_bucket_is_ended),
        cmocka_unit_test(workers_together_take_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
