/* SPDX-License-Identifier: Apache-2.0 */
/* test_balancer.c - who gets a request, by every way of choosing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/gatewayd/fleet_fixture.h"

#define A                   "10.0.0.1:80"
#define B                   "10.0.0.2:80"
#define C                   "10.0.0.3:80"
#define ONE(a)              "'targets':[" a "]"
#define TWO(a, b)           "'targets':[" a "," b "]"
#define THREE(a, b, c)      "'targets':[" a "," b "," c "]"
#define T(address)          "{'address':'" address "'}"
#define TW(address, weight) "{'address':'" address "','weight':" weight "}"

static const char *const ways[] = { "round_robin", "least_requests", "random_two", "hash" };

/* "{'name':'u','balance':WAY,…REST}" */
static const char *upstream(const char *way, const char *rest)
{
    static char json[1000];

    snprintf(json, sizeof(json), "{'name':'u','balance':'%s',%s%s}", way,
             strcmp(way, "hash") == 0 ? "'hash_on':'path'," : "", rest);
    return json;
}

struct tally {
    unsigned a, b, c, other;
};

static void count(struct tally *t, const char *address)
{
    if (strcmp(address, A) == 0)
        t->a++;
    else if (strcmp(address, B) == 0)
        t->b++;
    else if (strcmp(address, C) == 0)
        t->c++;
    else
        t->other++;
}

static struct tally pick_many(struct fleet_fixture *f, unsigned times)
{
    struct tally t = { 0 };

    for (unsigned i = 0; i < times; i++) {
        if (f->fleet->upstream->balance == UPSTREAM_HASH) {
            char key[16];

            snprintf(key, sizeof(key), "/%u", i);
            count(&t, fleet_fixture_pick_key(f, text_hash_stable(text_of(key))));
        } else {
            count(&t, fleet_fixture_pick(f));
        }
    }
    return t;
}

#define ABOUT(value, wanted)                                                                       \
    assert_in_range(value, (wanted)-200 > 0 ? (wanted)-200 : 0, (wanted) + 200)

static void all_are_fair_to_equals(void **state)
{
    for (unsigned w = 0; w < 4; w++) {
        struct fleet_fixture f;
        struct tally t;

        fleet_fixture_init(&f, upstream(ways[w], THREE(T(A), T(B), T(C))));
        t = pick_many(&f, 6000);
        ABOUT(t.a, 2000);
        ABOUT(t.b, 2000);
        ABOUT(t.c, 2000);
        fleet_fixture_fini(&f);
    }
}

static void all_go_by_weight(void **state)
{
    for (unsigned w = 0; w < 4; w++) {
        struct fleet_fixture f;
        struct tally t;

        fleet_fixture_init(&f, upstream(ways[w], THREE(TW(A, "5"), TW(B, "1"), TW(C, "0"))));
        t = pick_many(&f, 6000);
        ABOUT(t.a, 5000);
        ABOUT(t.b, 1000);
        assert_int_equal(t.c, 0);
        fleet_fixture_fini(&f);
    }
}

static void who_is_down_ejected_or_drained_gets_nothing(void **state)
{
    for (unsigned w = 0; w < 4; w++) {
        struct fleet_fixture f;
        struct tally t;

        fleet_fixture_init(
            &f,
            upstream(ways[w], THREE(T(A), T(B), T(C) ",{'address':'10.0.0.4:80','drain':true}")));
        fleet_fixture_set(&f, A, TARGET_DOWN);
        fleet_fixture_target(&f, B)->ejected_until = f.now + 1;
        t = pick_many(&f, 200);
        assert_int_equal(t.c, 200);
        f.now += 1;
        t = pick_many(&f, 6000);
        ABOUT(t.b, 3000);
        fleet_fixture_set(&f, C, TARGET_DOWN);
        fleet_fixture_set(&f, B, TARGET_UNKNOWN);
        assert_string_equal(fleet_fixture_pick(&f), "down");
        fleet_fixture_fini(&f);
    }
}

static void nobody_to_choose_from_is_none(void **state)
{
    for (unsigned w = 0; w < 4; w++) {
        struct fleet_fixture f;

        fleet_fixture_init(&f, upstream(ways[w], ONE(TW(A, "0"))));
        assert_string_equal(fleet_fixture_pick(&f), "none");
        fleet_fixture_fini(&f);
    }
}

static void backups_wait_until_no_primary_is_left(void **state)
{
    for (unsigned w = 0; w < 4; w++) {
        struct fleet_fixture f;
        struct tally t;

        fleet_fixture_init(
            &f, upstream(ways[w], THREE(T(A), "{'address':'" B "','backup':true}", T(C))));
        t = pick_many(&f, 200);
        assert_int_equal(t.b, 0);
        fleet_fixture_set(&f, A, TARGET_DOWN);
        assert_int_equal(pick_many(&f, 200).c, 200);
        fleet_fixture_set(&f, C, TARGET_DOWN);
        assert_int_equal(pick_many(&f, 200).b, 200);
        fleet_fixture_set(&f, C, TARGET_UP);
        assert_int_equal(pick_many(&f, 200).c, 200);
        fleet_fixture_fini(&f);
    }
}

static void a_retry_goes_to_somebody_else_if_there_is_one(void **state)
{
    for (unsigned w = 0; w < 4; w++) {
        struct fleet_fixture f;

        fleet_fixture_init(&f, upstream(ways[w], TWO(T(A), T(B))));
        for (unsigned i = 0; i < 50; i++)
            assert_string_equal(fleet_fixture_pick_other(&f, A), B);
        fleet_fixture_set(&f, B, TARGET_DOWN);
        assert_string_equal(fleet_fixture_pick_other(&f, A), A);
        fleet_fixture_fini(&f);
    }
}

static void no_target_gets_more_than_max_connections(void **state)
{
    for (unsigned w = 0; w < 4; w++) {
        struct fleet_fixture f;

        fleet_fixture_init(&f, upstream(ways[w], "'max_connections':3," TWO(T(A), T(B))));
        for (unsigned i = 0; i < 6; i++)
            assert_string_not_equal(fleet_fixture_pick_and_keep(&f), "full");
        assert_string_equal(fleet_fixture_pick(&f), "full");
        target_give(fleet_fixture_target(&f, A));
        assert_string_equal(fleet_fixture_pick_and_keep(&f), A);
        assert_string_equal(fleet_fixture_pick(&f), "full");
        assert_int_equal(fleet_fixture_target(&f, B)->in_flight, 3);
        fleet_fixture_fini(&f);
    }
}

static void round_robin_is_smooth(void **state)
{
    struct fleet_fixture f;
    char last[20] = "";
    unsigned longest = 0;
    unsigned run = 0;

    fleet_fixture_init(&f, upstream("round_robin", THREE(TW(A, "4"), TW(B, "2"), TW(C, "1"))));
    for (unsigned i = 0; i < 700; i++) {
        const char *at = fleet_fixture_pick(&f);

        run = strcmp(at, last) == 0 ? run + 1 : 1;
        longest = run > longest ? run : longest;
        strcpy(last, at);
    }
    assert_in_range(longest, 1, 2);
    fleet_fixture_fini(&f);
}

static void round_robin_is_exact_for_each_worker(void **state)
{
    struct fleet_fixture f;
    struct tally t;

    fleet_fixture_init(&f, upstream("round_robin", TWO(TW(A, "2"), TW(B, "1"))));
    t = pick_many(&f, 300);
    assert_in_range(t.a, 199, 201);
    assert_in_range(t.b, 99, 101);
    fleet_fixture_fini(&f);
}

static void least_requests_goes_to_who_has_least_for_its_weight(void **state)
{
    struct fleet_fixture f;

    fleet_fixture_init(&f, upstream("least_requests", TWO(TW(A, "2"), TW(B, "1"))));
    fleet_fixture_target(&f, A)->in_flight = 5;
    fleet_fixture_target(&f, B)->in_flight = 2;
    for (unsigned i = 0; i < 20; i++)
        assert_string_equal(fleet_fixture_pick(&f), B);
    fleet_fixture_target(&f, A)->in_flight = 3;
    for (unsigned i = 0; i < 20; i++)
        assert_string_equal(fleet_fixture_pick(&f), A);
    fleet_fixture_fini(&f);
}

static void random_two_spares_the_busy_one(void **state)
{
    struct fleet_fixture f;
    struct tally t;

    fleet_fixture_init(&f, upstream("random_two", THREE(T(A), T(B), T(C))));
    fleet_fixture_target(&f, A)->in_flight = 100;
    t = pick_many(&f, 3000);
    assert_in_range(t.a, 0, 150);
    fleet_fixture_fini(&f);
}

/* ---- hashing ---- */

#define KEYS 6000

static void remember(struct fleet_fixture *f, char homes[KEYS][20])
{
    for (unsigned i = 0; i < KEYS; i++) {
        char key[16];

        snprintf(key, sizeof(key), "/%u", i);
        strcpy(homes[i], fleet_fixture_pick_key(f, text_hash_stable(text_of(key))));
    }
}

static unsigned moved(char before[KEYS][20], char after[KEYS][20], const char *not_from)
{
    unsigned count = 0;

    for (unsigned i = 0; i < KEYS; i++)
        count += strcmp(before[i], after[i]) != 0 && strcmp(before[i], not_from) != 0;
    return count;
}

static char before[KEYS][20];
static char after[KEYS][20];

static void a_key_stays_where_it_is(void **state)
{
    struct fleet_fixture f;

    fleet_fixture_init(&f, upstream("hash", THREE(T(A), T(B), T(C))));
    remember(&f, before);
    fleet_fixture_target(&f, A)->in_flight = 100;
    remember(&f, after);
    assert_int_equal(moved(before, after, ""), 0);
    fleet_fixture_fini(&f);
}

static void only_the_keys_of_who_is_gone_move_and_evenly(void **state)
{
    struct fleet_fixture f;
    struct tally t = { 0 };

    fleet_fixture_init(&f, upstream("hash", THREE(T(A), T(B), T(C))));
    remember(&f, before);
    fleet_fixture_set(&f, C, TARGET_DOWN);
    remember(&f, after);
    assert_int_equal(moved(before, after, C), 0);
    for (unsigned i = 0; i < KEYS; i++)
        count(&t, after[i]);
    ABOUT(t.a, KEYS / 2);
    fleet_fixture_set(&f, C, TARGET_UP);
    remember(&f, after);
    assert_int_equal(moved(before, after, ""), 0);
    fleet_fixture_change(&f, upstream("hash", TWO(T(B), T(A))));
    remember(&f, after);
    assert_int_equal(moved(before, after, C), 0);
    fleet_fixture_fini(&f);
}

static void a_changed_weight_moves_keys_one_way_only(void **state)
{
    struct fleet_fixture f;

    fleet_fixture_init(&f, upstream("hash", THREE(T(A), T(B), T(C))));
    remember(&f, before);
    fleet_fixture_change(&f, upstream("hash", THREE(TW(A, "2"), T(B), T(C))));
    remember(&f, after);
    for (unsigned i = 0; i < KEYS; i++) {
        if (strcmp(before[i], after[i]) != 0)
            assert_string_equal(after[i], A);
    }
    assert_in_range(moved(before, after, ""), KEYS / 8, KEYS / 4);
    fleet_fixture_fini(&f);
}

static void hash_without_a_key_still_spreads(void **state)
{
    struct fleet_fixture f;
    struct tally t = { 0 };

    fleet_fixture_init(&f, upstream("hash", TWO(T(A), T(B))));
    for (unsigned i = 0; i < 2000; i++)
        count(&t, fleet_fixture_pick(&f));
    ABOUT(t.a, 1000);
    fleet_fixture_fini(&f);
}

/* ---- slow start ---- */

static void who_is_back_gets_its_share_gradually(void **state)
{
    for (unsigned w = 0; w < 4; w++) {
        struct fleet_fixture f;
        unsigned at_once;
        unsigned half_way;

        fleet_fixture_init(&f, upstream(ways[w], "'slow_start':'10s'," TWO(T(A), T(B))));
        f.now += 20000;
        ABOUT(pick_many(&f, 4000).a, 2000);
        fleet_fixture_set(&f, A, TARGET_DOWN);
        fleet_fixture_set(&f, A, TARGET_UP);
        at_once = pick_many(&f, 4000).a;
        assert_in_range(at_once, 100, 700); /* a tenth against a whole one: 364 */
        f.now += 5000;
        half_way = pick_many(&f, 4000).a;
        assert_in_range(half_way, 1000, 1650); /* a half against a whole one: 1333 */
        f.now += 5000;
        ABOUT(pick_many(&f, 4000).a, 2000);
        fleet_fixture_fini(&f);
    }
}

static void who_was_drained_starts_slowly_too(void **state)
{
    struct fleet_fixture f;

    fleet_fixture_init(&f, upstream("round_robin", "'slow_start':'10s'," TWO(T(A), TW(B, "0"))));
    f.now += 20000;
    fleet_fixture_change(&f, upstream("round_robin", "'slow_start':'10s'," TWO(T(A), T(B))));
    assert_in_range(pick_many(&f, 1100).b, 50, 200);
    f.now += 20000;
    assert_in_range(pick_many(&f, 1100).b, 500, 600);
    fleet_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_fair_to_equals),
        cmocka_unit_test(all_go_by_weight),
        cmocka_unit_test(who_is_down_ejected_or_drained_gets_nothing),
        cmocka_unit_test(nobody_to_choose_from_is_none),
        cmocka_unit_test(backups_wait_until_no_primary_is_left),
        cmocka_unit_test(a_retry_goes_to_somebody_else_if_there_is_one),
        cmocka_unit_test(no_target_gets_more_than_max_connections),
        cmocka_unit_test(round_robin_is_smooth),
        cmocka_unit_test(round_robin_is_exact_for_each_worker),
        cmocka_unit_test(least_requests_goes_to_who_has_least_for_its_weight),
        cmocka_unit_test(random_two_spares_the_busy_one),
        cmocka_unit_test(a_key_stays_where_it_is),
        cmocka_unit_test(only_the_keys_of_who_is_gone_move_and_evenly),
        cmocka_unit_test(a_changed_weight_moves_keys_one_way_only),
        cmocka_unit_test(hash_without_a_key_still_spreads),
        cmocka_unit_test(who_is_back_gets_its_share_gradually),
        cmocka_unit_test(who_was_drained_starts_slowly_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
