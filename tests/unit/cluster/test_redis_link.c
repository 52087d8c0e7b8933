/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_redis_link.c - links to a real redis-server: calls, deadlines, the breaker, coming back.
 */
#include "cluster/redis_link.h"

#include <stdio.h>

#include "conf/base/mem.h"
#include "tests/unit/cluster/redis_server.h"
#include "tests/unit/gatewayd/cmocka_all.h"

static struct redis_server_process server;

static int start_server(void **state)
{
    redis_server_start(&server, "", NULL);
    return 0;
}

static int stop_server(void **state)
{
    redis_server_stop(&server);
    return 0;
}

static void open_story(struct redis_story *s, const char *more)
{
    redis_story_open_for(s, &server, more);
    for (int use = 0; use < REDIS_USES; use++)
        redis_story_expect_up(s, (enum redis_use)use, true);
}

static void calls_are_answered_in_order(void **state)
{
    struct redis_story s;
    struct redis_story_answer a[3];
    open_story(&s, "");
    redis_story_call(&s, REDIS_CALLS, "SET {gatewayd}:n 42", 1000, &a[0]);
    redis_story_call(&s, REDIS_CALLS, "HLEN {gatewayd}:none", 1000, &a[1]);
    redis_story_call(&s, REDIS_CALLS, "GET {gatewayd}:n", 1000, &a[2]);
    assert_int_equal(redis_link_waiting(redis_link_of(s.redis, REDIS_CALLS)), 3);
    redis_story_wait(&s, &a[2]);
    assert_true(a[0].is_there && a[1].is_there);
    assert_string_equal(a[0].text, "OK");
    assert_int_equal(a[1].integer, 0);
    assert_int_equal(a[2].integer, 42);
    redis_story_close(&s);
}

static void thousands_go_out_together(void **state)
{
    enum { COUNT = 5000 };
    struct redis_story s;
    struct redis_story_answer *a = mem_new_array(COUNT, sizeof(*a));
    open_story(&s, "");
    char words[64];
    for (int i = 0; i < COUNT; i++) {
        snprintf(words, sizeof(words), "XADD {gatewayd}:many %d-0 f v", i + 1);
        redis_story_call(&s, REDIS_CALLS, words, 5000, &a[i]);
    }
    redis_story_wait(&s, &a[COUNT - 1]);
    for (int i = 0; i < COUNT; i++) {
        snprintf(words, sizeof(words), "%d-0", i + 1);
        assert_string_equal(a[i].text, words);
    }
    MEM_FREE(&a);
    redis_story_close(&s);
}

static void an_error_is_refused_with_its_text(void **state)
{
    struct redis_story s;
    struct redis_story_answer a;
    open_story(&s, "");
    redis_story_call(&s, REDIS_CALLS, "SET {gatewayd}:s x", 1000, &a);
    redis_story_wait(&s, &a);
    redis_story_call(&s, REDIS_CALLS, "HGET {gatewayd}:s f", 1000, &a);
    redis_story_wait(&s, &a);
    assert_int_equal(a.outcome, REDIS_REFUSED);
    assert_non_null(strstr(a.text, "WRONGTYPE"));
    redis_story_call(&s, REDIS_CALLS, "GET other", 1000, &a);
    redis_story_wait(&s, &a);
    assert_int_equal(a.outcome, REDIS_REFUSED);
    assert_non_null(strstr(a.text, "NOPERM"));
    assert_true(redis_link_is_up(redis_link_of(s.redis, REDIS_CALLS)));
    redis_story_close(&s);
}

/* Of a server that hangs: what was sent waits its own time and no longer, the rest not at all. */
static void nobody_waits_longer_than_asked_for(void **state)
{
    struct redis_story s;
    struct redis_story_answer a[4];
    open_story(&s, "timeout = \"100ms\";");
    redis_server_pause(&server);
    redis_story_call(&s, REDIS_LIMITS, "GET {gatewayd}:h", 100, &a[0]);
    redis_story_turn_for(&s, 50);
    redis_story_call(&s, REDIS_LIMITS, "GET {gatewayd}:h", 100, &a[1]);
    redis_story_wait(&s, &a[0]);
    assert_int_equal(a[0].outcome, REDIS_LOST);
    assert_true(a[0].took_ms >= 99);
    assert_in_range(a[0].fair_ms, 0, 190);
    redis_story_wait(&s, &a[1]);
    assert_int_equal(a[1].outcome, REDIS_LOST);
    assert_in_range(a[1].fair_ms, 0, 150);
    assert_false(redis_link_is_up(redis_link_of(s.redis, REDIS_LIMITS)));
    for (int i = 0; i < 20; i++) {
        redis_story_call(&s, REDIS_LIMITS, "GET {gatewayd}:h", 100, &a[2]);
        redis_story_wait(&s, &a[2]);
        assert_int_equal(a[2].outcome, REDIS_AWAY);
        assert_in_range(a[2].fair_ms, 0, 20);
        redis_story_turn_for(&s, 10);
    }
    /* Idle, the others notice by themselves. */
    redis_story_expect_away(&s, REDIS_CALLS, "did not answer in time");
    redis_server_go_on(&server);
    redis_story_expect_up(&s, REDIS_LIMITS, true);
    redis_story_expect_up(&s, REDIS_CALLS, true);
    redis_story_call(&s, REDIS_LIMITS, "GET {gatewayd}:h", 100, &a[3]);
    redis_story_wait(&s, &a[3]);
    assert_int_equal(a[3].outcome, REDIS_ANSWERED);
    redis_story_close(&s);
}

static void a_restart_is_survived_and_noticed(void **state)
{
    struct redis_story s;
    struct redis_story_answer a;
    open_story(&s, "");
    struct redis_link *link = redis_link_of(s.redis, REDIS_CALLS);
    uint64_t run = redis_link_run_of_server(link);
    assert_int_not_equal(run, 0);
    redis_server_kill(&server);
    redis_story_expect_away(&s, REDIS_CALLS, "refused");
    redis_story_call(&s, REDIS_CALLS, "GET {gatewayd}:n", 1000, &a);
    redis_story_wait(&s, &a);
    assert_int_equal(a.outcome, REDIS_AWAY);
    assert_non_null(strstr(a.text, "refused"));
    redis_server_restart(&server);
    redis_story_expect_up(&s, REDIS_CALLS, true);
    assert_int_not_equal(redis_link_run_of_server(link), run);
    redis_story_close(&s);
}

static void the_time_of_the_server_is_known(void **state)
{
    struct redis_story s;
    open_story(&s, "");
    redis_story_turn_for(&s, 1500);
    for (int use = 0; use < REDIS_USES; use++) {
        int64_t here = clock_read_wall_us();
        int64_t there = redis_link_time_us(redis_link_of(s.redis, (enum redis_use)use));
        assert_in_range(there - here + 20000, 0, 40000);
    }
    redis_story_close(&s);
}

struct watching {
    int ups;
    int downs;
};

static void on_change(void *arg, struct redis_link *link, bool is_up)
{
    struct watching *w = arg;
    if (is_up)
        w->ups++;
    else
        w->downs++;
}

static bool has_come_back(void *arg)
{
    struct watching *w = arg;
    return w->ups == 2;
}

static void who_watches_is_told_of_each_change(void **state)
{
    struct redis_story s;
    struct watching w = { 0, 0 };
    redis_story_open_for(&s, &server, "");
    redis_watch(s.redis, REDIS_FOLLOW, on_change, &w);
    redis_story_expect_up(&s, REDIS_FOLLOW, true);
    assert_int_equal(w.downs, 0);
    redis_server_tell(&server, "CLIENT KILL TYPE normal SKIPME yes", ":");
    assert_true(redis_story_until(&s, has_come_back, &w));
    assert_int_equal(w.downs, 1);
    redis_story_close(&s);
}

/* XREAD BLOCK holds one link only. */
static void a_blocked_call_does_not_hold_the_others(void **state)
{
    struct redis_story s;
    struct redis_story_answer blocked;
    struct redis_story_answer a;
    open_story(&s, "");
    redis_story_call(&s, REDIS_FOLLOW, "XREAD BLOCK 800 STREAMS {gatewayd}:stream $", 2000,
                     &blocked);
    redis_story_turn_for(&s, 50);
    redis_story_call(&s, REDIS_CALLS, "GET {gatewayd}:n", 1000, &a);
    redis_story_wait(&s, &a);
    assert_in_range(a.fair_ms, 0, 200);
    redis_story_wait(&s, &blocked);
    assert_int_equal(blocked.outcome, REDIS_ANSWERED);
    redis_story_close(&s);
}

static void what_waits_at_the_end_is_answered(void **state)
{
    struct redis_story s;
    struct redis_story_answer sent;
    struct redis_story_answer not_sent;
    open_story(&s, "");
    redis_story_call(&s, REDIS_FOLLOW, "XREAD BLOCK 5000 STREAMS {gatewayd}:stream $", 9000, &sent);
    redis_story_turn_for(&s, 50);
    redis_story_call(&s, REDIS_CALLS, "GET {gatewayd}:n", 1000, &not_sent);
    redis_stop(s.redis);
    assert_true(sent.is_there && not_sent.is_there);
    assert_int_equal(sent.outcome, REDIS_LOST);
    assert_int_equal(not_sent.outcome, REDIS_AWAY);
    redis_story_close(&s);
}

static void on_ceiling(void *arg, const struct redis_result *result)
{
    int *outcomes = arg;
    outcomes[result->outcome]++;
}

/* Nothing is sent within one turn, so all of it waits. */
static void what_is_queued_has_a_ceiling(void **state)
{
    enum { SIZE = 8 << 20, COUNT = 12 };
    struct redis_story s;
    struct redis_story_answer a;
    int outcomes[REDIS_AWAY + 1] = { 0 };
    char *big = mem_new(SIZE);
    struct text words[] = { TEXT("SET"), TEXT("{gatewayd}:big"), { big, SIZE } };
    struct redis_call call = { words, 3, 20000, on_ceiling, outcomes };
    open_story(&s, "");
    for (int i = 0; i < COUNT; i++)
        redis_link_call(redis_link_of(s.redis, REDIS_CALLS), &call);
    redis_story_call(&s, REDIS_CALLS, "UNLINK {gatewayd}:big", 20000, &a);
    redis_story_wait(&s, &a);
    assert_int_equal(a.outcome, REDIS_ANSWERED);
    assert_int_equal(outcomes[REDIS_ANSWERED], 7);
    assert_int_equal(outcomes[REDIS_AWAY], COUNT - 7);
    MEM_FREE(&big);
    redis_story_close(&s);
}

static void a_script_that_runs_long_makes_it_away(void **state)
{
    struct redis_story s;
    struct redis_story_answer a;
    open_story(&s, "timeout = \"100ms\";");
    redis_server_tell(&server, "CONFIG SET busy-reply-threshold 100", "+OK");
    redis_story_call(&s, REDIS_CALLS, "EVAL while\ttrue\tdo\tend 0", 3000, &a);
    redis_story_expect_away(&s, REDIS_CALLS, "BUSY");
    redis_server_tell(&server, "SCRIPT KILL", "+OK");
    redis_story_expect_up(&s, REDIS_CALLS, true);
    redis_story_wait(&s, &a);
    redis_story_close(&s);
}

/* One that became a replica without closing its connections. */
static void a_server_that_becomes_a_replica_is_left(void **state)
{
    struct redis_story s;
    struct redis_story_answer a;
    open_story(&s, "");
    redis_server_tell(&server, "REPLICAOF 127.0.0.1 1", "+OK");
    redis_story_call(&s, REDIS_CALLS, "SET {gatewayd}:n 1", 1000, &a);
    redis_story_wait(&s, &a);
    assert_int_equal(a.outcome, REDIS_REFUSED);
    assert_non_null(strstr(a.text, "READONLY"));
    assert_false(redis_link_is_up(redis_link_of(s.redis, REDIS_CALLS)));
    redis_story_expect_away(&s, REDIS_CALLS, "it is a replica");
    redis_server_tell(&server, "REPLICAOF NO ONE", "+OK");
    redis_story_expect_up(&s, REDIS_CALLS, true);
    redis_story_call(&s, REDIS_CALLS, "SET {gatewayd}:n 1", 1000, &a);
    redis_story_wait(&s, &a);
    assert_int_equal(a.outcome, REDIS_ANSWERED);
    redis_story_close(&s);
}

static void a_server_that_loads_is_waited_for(void **state)
{
    static const char fill[] = "EVAL \"for i=1,3000 do redis.call('SET',i,i) end return 'done'\" 0";
    struct redis_server_process slow;
    struct redis_story s;
    redis_server_start(&slow,
                       "appendonly no\nkey-load-delay 300\nloading-process-events-interval-bytes "
                       "1024",
                       NULL);
    redis_server_tell(&slow, fill, "$4\r\ndone");
    redis_server_tell(&slow, "SAVE", "+OK");
    redis_server_kill(&slow);
    redis_server_restart(&slow);
    redis_story_open_for(&s, &slow, "");
    redis_story_expect_away(&s, REDIS_CALLS, "still loading");
    redis_story_expect_up(&s, REDIS_CALLS, true);
    redis_story_close(&s);
    redis_server_stop(&slow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_answered_in_order),
        cmocka_unit_test(thousands_go_out_together),
        cmocka_unit_test(an_error_is_refused_with_its_text),
        cmocka_unit_test(nobody_waits_longer_than_asked_for),
        cmocka_unit_test(a_restart_is_survived_and_noticed),
        cmocka_unit_test(the_time_of_the_server_is_known),
        cmocka_unit_test(who_watches_is_told_of_each_change),
        cmocka_unit_test(a_blocked_call_does_not_hold_the_others),
        cmocka_unit_test(what_waits_at_the_end_is_answered),
        cmocka_unit_test(what_is_queued_has_a_ceiling),
        cmocka_unit_test(a_script_that_runs_long_makes_it_away),
        cmocka_unit_test(a_server_that_becomes_a_replica_is_left),
        cmocka_unit_test(a_server_that_loads_is_waited_for),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
