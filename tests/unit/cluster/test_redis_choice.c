/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_redis_choice.c - which of several masters: by what sentinels and servers say.
 */
#include "cluster/redis_choice.h"

#include <stdio.h>

#include "tests/unit/gatewayd/cmocka_all.h"

#define A "10.0.0.1:6379"
#define B "10.0.0.2:6379"
#define C "10.0.0.3:6379"

struct scene {
    struct redis_sentinel_answer answers[3];
    const struct redis_sentinel_answer *pointers[3];
    struct redis_choice_server servers[3];
    struct redis_choice_question q;
};

/* Three sentinels that name A by epoch 5, B and C being its replicas; all servers answer as they
 * should, A was used. */
static struct scene scene_new(void)
{
    struct scene s = { 0 };
    for (int i = 0; i < 3; i++) {
        struct redis_sentinel_answer *a = &s.answers[i];
        snprintf(a->master, sizeof(a->master), "%s", A);
        a->epoch = 5;
        a->peers = 3;
        a->replica_count = 2;
        snprintf(a->replicas[0].name, sizeof(a->replicas[0].name), "%s", B);
        snprintf(a->replicas[1].name, sizeof(a->replicas[1].name), "%s", C);
        a->replicas[0].is_seen = a->replicas[1].is_seen = true;
    }
    s.servers[0] = (struct redis_choice_server){ A, true, true, 11 };
    s.servers[1] = (struct redis_choice_server){ B, true, false, 22 };
    s.servers[2] = (struct redis_choice_server){ C, true, false, 33 };
    s.q = (struct redis_choice_question){
        .answer_count = 3,
        .is_complete = true,
        .epoch = 5,
        .server_count = 3,
        .used = A,
        .used_run = 11,
        .shunned = "",
    };
    return s;
}

static struct redis_choice make(struct scene *s)
{
    for (int i = 0; i < 3; i++)
        s->pointers[i] = &s->answers[i];
    s->q.answers = s->pointers;
    s->q.servers = s->servers;
    return redis_choice_make(&s->q);
}

static void expect(struct scene *s, const char *name)
{
    struct redis_choice choice = make(s);
    if (name == NULL) {
        assert_null(choice.server);
        return;
    }
    assert_non_null(choice.server);
    assert_string_equal(choice.server->name, name);
}

static void name_master(struct redis_sentinel_answer *a, const char *master, uint64_t epoch)
{
    snprintf(a->master, sizeof(a->master), "%s", master);
    a->epoch = epoch;
    snprintf(a->replicas[0].name, sizeof(a->replicas[0].name), "%s",
             strcmp(master, A) == 0 ? B : A);
}

static void the_named_master_is_taken(void **state)
{
    struct scene s = scene_new();
    expect(&s, A);
    assert_true(make(&s).is_named);
    s.q.shunned = A; /* Sentinel insists */
    expect(&s, A);
}

static void two_of_three_sentinels_are_enough_without_waiting(void **state)
{
    struct scene s = scene_new();
    s.q.is_complete = false;
    s.q.answer_count = 1;
    expect(&s, NULL);
    s.q.answer_count = 2;
    expect(&s, A);
    s.servers[0].is_known = s.servers[0].is_good = false; /* not looked at yet */
    expect(&s, NULL);
}

static void one_sentinel_is_enough_when_the_others_are_dead(void **state)
{
    struct scene s = scene_new();
    s.q.answer_count = 1;
    expect(&s, A);
}

static void the_highest_epoch_counts(void **state)
{
    struct scene s = scene_new();
    name_master(&s.answers[2], B, 6);
    s.servers[1].is_good = true;
    expect(&s, B);
}

/* A is cut off from the sentinels, and still calls itself master. */
static void an_old_master_that_is_cut_off_is_not_taken(void **state)
{
    struct scene s = scene_new();
    for (int i = 0; i < 3; i++) {
        name_master(&s.answers[i], B, 6);
        s.answers[i].replicas[0].is_seen = false; /* A */
    }
    s.servers[1].is_good = true;
    expect(&s, B);
    /* Even when the new one has died meanwhile. */
    s.servers[1].is_good = false;
    expect(&s, NULL);
    /* Before there is a new one: they agree that it is down. */
    s = scene_new();
    s.answers[1].is_down = true;
    expect(&s, NULL);
}

/* Our only sentinel is on the wrong side, and knows less than we do. */
static void a_sentinel_that_is_left_behind_is_no_help(void **state)
{
    struct scene s = scene_new();
    s.q.answer_count = 1;
    s.q.epoch = 6;
    s.q.used = B;
    s.q.used_run = 22;
    s.servers[1].is_good = true;
    expect(&s, B);
    s.servers[1].run = 23; /* another process: it may have lost its data */
    expect(&s, NULL);
    s.q.answer_count = 3; /* all of them were set up anew */
    expect(&s, A);
}

static void a_promoted_replica_is_taken_before_it_is_announced(void **state)
{
    struct scene s = scene_new();
    s.servers[0].is_good = false;
    s.servers[2].is_good = true;
    expect(&s, C);
    assert_false(make(&s).is_named);
    s.q.shunned = C;
    expect(&s, NULL);
    s.q.shunned = "";
    for (int i = 0; i < 3; i++)
        s.answers[i].replicas[1].is_seen = false;
    expect(&s, NULL);
}

static void of_two_promoted_ones_sentinel_says_which(void **state)
{
    struct scene s = scene_new();
    s.servers[0].is_good = false;
    s.servers[1].is_good = s.servers[2].is_good = true;
    expect(&s, NULL);
}

static void a_second_master_beside_the_named_one_is_left_alone(void **state)
{
    struct scene s = scene_new();
    s.servers[2].is_good = true;
    expect(&s, A);
}

static void without_sentinels_only_the_same_process_is_gone_back_to(void **state)
{
    struct scene s = scene_new();
    s.q.answer_count = 0;
    expect(&s, A);
    s.servers[0].run = 12;
    expect(&s, NULL);
    s.q.used = "";
    expect(&s, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_named_master_is_taken),
        cmocka_unit_test(two_of_three_sentinels_are_enough_without_waiting),
        cmocka_unit_test(one_sentinel_is_enough_when_the_others_are_dead),
        cmocka_unit_test(the_highest_epoch_counts),
        cmocka_unit_test(an_old_master_that_is_cut_off_is_not_taken),
        cmocka_unit_test(a_sentinel_that_is_left_behind_is_no_help),
        cmocka_unit_test(a_promoted_replica_is_taken_before_it_is_announced),
        cmocka_unit_test(of_two_promoted_ones_sentinel_says_which),
        cmocka_unit_test(a_second_master_beside_the_named_one_is_left_alone),
        cmocka_unit_test(without_sentinels_only_the_same_process_is_gone_back_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
