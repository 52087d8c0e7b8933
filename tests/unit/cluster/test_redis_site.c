/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_redis_site.c - where the server is: lists of real servers, and real sentinels.
 */
#include "cluster/redis_site.h"

#include <stdio.h>

#include "conf/base/mem.h"
#include "tests/unit/cluster/folder.h"
#include "tests/unit/cluster/redis_server.h"
#include "tests/unit/gatewayd/cmocka_all.h"

/* ---- what a server must be ------------------------------------------------------------------ */

static void expect_refused(const char *settings, const char *more, const char *words)
{
    struct redis_server_process server;
    struct redis_story s;
    redis_server_start(&server, settings, NULL);
    redis_story_open_for(&s, &server, more);
    redis_story_expect_away(&s, REDIS_CALLS, words);
    redis_story_expect_away(&s, REDIS_LIMITS, words);
    redis_story_close(&s);
    redis_server_stop(&server);
}

static void a_server_that_evicts_is_refused(void **state)
{
    expect_refused("maxmemory-policy allkeys-lru", "", "set maxmemory-policy noeviction");
}

static void a_replica_is_refused_without_sentinel(void **state)
{
    expect_refused("replicaof 127.0.0.1 1", "", "it is a replica (of 127.0.0.1)");
}

static void a_database_that_is_not_there_is_refused(void **state)
{
    expect_refused("databases 2", "db = 5;", "it refuses SELECT");
}

/* A setting that is mended is noticed without a restart. */
static void a_mended_server_is_taken(void **state)
{
    struct redis_server_process server;
    struct redis_story s;
    redis_server_start(&server, "maxmemory-policy volatile-lru", NULL);
    redis_story_open_for(&s, &server, "");
    redis_story_expect_away(&s, REDIS_CALLS, "volatile-lru");
    redis_server_tell(&server, "CONFIG SET maxmemory-policy noeviction", "+OK");
    redis_story_expect_up(&s, REDIS_CALLS, true);
    redis_story_close(&s);
    redis_server_stop(&server);
}

/* ---- who we are ----------------------------------------------------------------------------- */

static void a_wrong_password_is_refused_and_never_told(void **state)
{
    struct redis_server_process server;
    struct redis_story s;
    struct problems ps;
    redis_server_start(&server, "", NULL);
    redis_server_tell(&server, "ACL SETUSER gatewayd >other <secret", "+OK");
    redis_story_open_for(&s, &server, "");
    redis_story_expect_away(&s, REDIS_CALLS, "it refuses the user or password");
    struct text reason = redis_link_reason(redis_link_of(s.redis, REDIS_CALLS));
    assert_false(text_contains(reason, TEXT_OF(REDIS_SERVER_PASSWORD)));
    /* SIGHUP: the file is read again. */
    redis_story_write_password(&s, "other");
    problems_init(&ps);
    redis_reload(s.redis, NULL, &ps);
    assert_true(problems_is_empty(&ps));
    redis_story_expect_up(&s, REDIS_CALLS, true);
    redis_story_write_password(&s, "");
    redis_reload(s.redis, NULL, &ps);
    assert_int_equal(ps.count, 1);
    problems_fini(&ps);
    assert_true(redis_link_is_up(redis_link_of(s.redis, REDIS_CALLS)));
    redis_story_close(&s);
    redis_server_stop(&server);
}

static void expect_missing_right(const char *rule, const char *words)
{
    struct redis_server_process server;
    struct redis_story s;
    char change[256];
    snprintf(change, sizeof(change), "ACL SETUSER gatewayd %s", rule);
    redis_server_start(&server, "", NULL);
    redis_server_tell(&server, change, "+OK");
    redis_story_open_for(&s, &server, "");
    redis_story_expect_away(&s, REDIS_CALLS, words);
    redis_story_expect_away(&s, REDIS_CALLS, "redis.acl");
    redis_story_close(&s);
    redis_server_stop(&server);
}

static void a_user_without_the_rights_it_needs_is_told_which(void **state)
{
    expect_missing_right("-info", "'info'");
    expect_missing_right("-time", "'time'");
    expect_missing_right("-role", "'role'");
    expect_missing_right("resetkeys ~other:*", "NOPERM");
}

/* ---- several servers ------------------------------------------------------------------------ */

static void the_first_of_the_list_that_will_do_is_used(void **state)
{
    struct redis_server_process bad;
    struct redis_server_process good;
    struct redis_story s;
    char servers[128];
    char name[64];
    redis_server_start(&bad, "maxmemory-policy allkeys-lru", NULL);
    redis_server_start(&good, "", NULL);
    snprintf(servers, sizeof(servers), "\"127.0.0.1:1\", \"127.0.0.1:%d\", \"127.0.0.1:%d\"",
             bad.port, good.port);
    snprintf(name, sizeof(name), "127.0.0.1:%d", good.port);
    redis_story_open(&s, servers, "");
    redis_story_expect_up(&s, REDIS_CALLS, true);
    assert_true(text_equals(redis_server_name(s.redis), text_of(name)));
    redis_server_kill(&good);
    redis_story_expect_away(&s, REDIS_CALLS, "127.0.0.1:1: connection refused");
    redis_story_expect_away(&s, REDIS_CALLS, "allkeys-lru");
    redis_server_tell(&bad, "CONFIG SET maxmemory-policy noeviction", "+OK");
    redis_story_expect_up(&s, REDIS_CALLS, true);
    redis_story_close(&s);
    redis_server_stop(&bad);
    redis_server_stop(&good);
}

struct wanted {
    struct redis_story *story;
    int port;
};

static bool uses_port(void *arg)
{
    const struct wanted *w = arg;
    char name[64];
    snprintf(name, sizeof(name), "127.0.0.1:%d", w->port);
    return redis_link_is_up(redis_link_of(w->story->redis, REDIS_CALLS)) &&
           text_equals(redis_server_name(w->story->redis), text_of(name));
}

static void expect_server(struct redis_story *s, int port)
{
    struct wanted w = { s, port };
    if (!redis_story_until(s, uses_port, &w))
        fail_msg("not at %d: %.*s", port,
                 TEXT_ARGS(redis_link_reason(redis_link_of(s->redis, REDIS_CALLS))));
}

static void a_renewed_link_tries_another_server_first(void **state)
{
    struct redis_server_process one;
    struct redis_server_process two;
    struct redis_story s;
    char servers[128];
    redis_server_start(&one, "", NULL);
    redis_server_start(&two, "", NULL);
    snprintf(servers, sizeof(servers), "\"127.0.0.1:%d\", \"127.0.0.1:%d\"", one.port, two.port);
    redis_story_open(&s, servers, "");
    expect_server(&s, one.port);
    redis_link_renew(redis_link_of(s.redis, REDIS_FOLLOW), TEXT_OF("its history is behind"));
    expect_server(&s, two.port);
    redis_story_close(&s);
    redis_server_stop(&one);
    redis_server_stop(&two);
}

/* ---- Sentinel ------------------------------------------------------------------------------- */

enum { SENTINELS = 3 };

struct set {
    struct redis_server_process servers[2];
    struct redis_server_process sentinels[SENTINELS];
};

static bool does_sentinel_say(const struct redis_server_process *sentinel, const char *words)
{
    char *answer = redis_server_ask(sentinel, "SENTINEL MASTER mymaster");
    bool is_said = strstr(answer, words) != NULL;
    MEM_FREE(&answer);
    return is_said;
}

static void wait_for_sentinel(const struct redis_server_process *sentinel, const char *words)
{
    uint64_t until = clock_read_ns() + 40000000000ull;
    while (!does_sentinel_say(sentinel, words)) {
        assert_true(clock_read_ns() < until);
        struct timespec pause = { .tv_nsec = 20000000 };
        nanosleep(&pause, NULL);
    }
}

static void start_set(struct set *set)
{
    char settings[64];
    redis_server_start(&set->servers[0], "repl-diskless-sync-delay 0", NULL);
    snprintf(settings, sizeof(settings), "replicaof 127.0.0.1 %d", set->servers[0].port);
    redis_server_start(&set->servers[1], settings, NULL);
    for (int i = 0; i < SENTINELS; i++)
        redis_server_start_sentinel(&set->sentinels[i], set->servers[0].port, 2);
    for (int i = 0; i < SENTINELS; i++) {
        wait_for_sentinel(&set->sentinels[i], "num-slaves\r\n$1\r\n1\r\n");
        wait_for_sentinel(&set->sentinels[i], "num-other-sentinels\r\n$1\r\n2\r\n");
    }
}

static void stop_set(struct set *set)
{
    for (int i = 0; i < SENTINELS; i++)
        redis_server_stop(&set->sentinels[i]);
    for (int i = 0; i < 2; i++)
        redis_server_stop(&set->servers[i]);
}

/* One sentinel is configured, the others are learned of; the configured one dies first. */
static void a_fail_over_is_followed_without_the_configured_sentinel(void **state)
{
    struct set set;
    struct redis_story s;
    start_set(&set);
    redis_story_open_sentinels(&s, set.sentinels, 1);
    expect_server(&s, set.servers[0].port);
    assert_true(redis_link_is_named(redis_link_of(s.redis, REDIS_CALLS)));
    uint64_t run = redis_link_run_of_server(redis_link_of(s.redis, REDIS_CALLS));
    redis_server_kill(&set.sentinels[0]);
    redis_story_turn_for(&s, 50);
    assert_true(redis_link_is_up(redis_link_of(s.redis, REDIS_CALLS)));
    redis_server_kill(&set.servers[0]);
    expect_server(&s, set.servers[1].port);
    assert_int_not_equal(redis_link_run_of_server(redis_link_of(s.redis, REDIS_CALLS)), run);
    redis_story_close(&s);
    stop_set(&set);
}

/* Sentinel switches although the old master lives and answers: the links move by themselves. */
static void a_switch_by_hand_moves_links_that_are_up(void **state)
{
    struct set set;
    struct redis_story s;
    start_set(&set);
    redis_story_open_sentinels(&s, set.sentinels, SENTINELS);
    expect_server(&s, set.servers[0].port);
    redis_server_tell(&set.sentinels[0], "SENTINEL FAILOVER mymaster", "+OK");
    expect_server(&s, set.servers[1].port);
    for (int use = 0; use < REDIS_USES; use++)
        redis_story_expect_up(&s, (enum redis_use)use, true);
    redis_story_close(&s);
    stop_set(&set);
}

/* The old master is stopped while another is put in its place, and goes on, still believing that it
 * is the master until the sentinels reach it; a process that begins then does not take it. */
static void an_old_master_that_comes_back_is_not_used(void **state)
{
    struct set set;
    struct redis_story s;
    char port[64];
    start_set(&set);
    redis_server_pause(&set.servers[0]);
    snprintf(port, sizeof(port), "port\r\n$5\r\n%d\r\n", set.servers[1].port);
    for (int i = 0; i < SENTINELS; i++)
        wait_for_sentinel(&set.sentinels[i], port);
    /* The sentinels are held, so that nobody tells the old one. */
    redis_server_pause(&set.sentinels[1]);
    redis_server_pause(&set.sentinels[2]);
    redis_server_go_on(&set.servers[0]);
    redis_story_open_sentinels(&s, set.sentinels, SENTINELS);
    expect_server(&s, set.servers[1].port);
    redis_story_close(&s);
    stop_set(&set);
}

/* The line that cluster/sentinel.acl documents, as a command. */
static void set_sentinel_user(const struct redis_server_process *sentinel)
{
    char line[1024];
    char command[2048] = "";
    FILE *f = fopen("cluster/sentinel.acl", "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        char *password = strstr(line, "PASSWORD");
        if (strncmp(line, "user ", 5) != 0)
            continue;
        assert_non_null(password);
        line[strcspn(line, "\n")] = '\0';
        snprintf(command, sizeof(command), "ACL SETUSER %.*s" REDIS_SERVER_PASSWORD "%s",
                 (int)(password - line - 5), line + 5, password + strlen("PASSWORD"));
    }
    fclose(f);
    redis_server_tell(sentinel, command, "+OK");
}

static bool is_listened_to(void *arg)
{
    char *clients = redis_server_ask(arg, "CLIENT LIST TYPE pubsub");
    bool is_there = strstr(clients, "user=gatewayd") != NULL;
    MEM_FREE(&clients);
    return is_there;
}

static void the_documented_user_of_the_sentinels_is_enough(void **state)
{
    struct redis_server_process sentinel;
    struct redis_server_process server;
    struct redis_story s;
    char servers[64];
    char more[4096];
    char *folder = folder_new();
    redis_server_start(&server, "", NULL);
    redis_server_start_sentinel(&sentinel, server.port, 1);
    set_sentinel_user(&sentinel);
    folder_write(folder, "password", TEXT_OF(REDIS_SERVER_PASSWORD));
    snprintf(servers, sizeof(servers), "\"127.0.0.1:%d\"", sentinel.port);
    snprintf(more, sizeof(more),
             "sentinel = { master = \"mymaster\"; user = \"gatewayd\"; password_file = "
             "\"%s/password\"; };",
             folder);
    redis_story_open(&s, servers, more);
    expect_server(&s, server.port);
    assert_true(redis_story_until(&s, is_listened_to, &sentinel));
    redis_story_close(&s);
    redis_server_stop(&sentinel);
    redis_server_stop(&server);
    folder_remove(&folder);
}

static void a_master_that_sentinel_does_not_know_is_said(void **state)
{
    struct redis_server_process sentinel;
    struct redis_server_process server;
    struct redis_story s;
    redis_server_start(&server, "", NULL);
    redis_server_start_sentinel(&sentinel, server.port, 1);
    redis_server_tell(&sentinel, "SENTINEL REMOVE mymaster", "+OK");
    redis_story_open_sentinels(&s, &sentinel, 1);
    redis_story_expect_away(&s, REDIS_CALLS, "No such master with that name");
    redis_story_close(&s);
    redis_server_stop(&sentinel);
    redis_server_stop(&server);
}

static void a_sentinel_in_place_of_a_server_is_said(void **state)
{
    struct redis_server_process sentinel;
    struct redis_story s;
    redis_server_start_sentinel(&sentinel, 1, 1);
    redis_server_tell(&sentinel, "ACL SETUSER gatewayd on >secret +@all", "+OK");
    redis_story_open_for(&s, &sentinel, "");
    redis_story_expect_away(&s, REDIS_CALLS, "it is a sentinel: set state.redis.sentinel");
    redis_story_close(&s);
    redis_server_stop(&sentinel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_evicts_is_refused),
        cmocka_unit_test(a_replica_is_refused_without_sentinel),
        cmocka_unit_test(a_database_that_is_not_there_is_refused),
        cmocka_unit_test(a_mended_server_is_taken),
        cmocka_unit_test(a_wrong_password_is_refused_and_never_told),
        cmocka_unit_test(a_user_without_the_rights_it_needs_is_told_which),
        cmocka_unit_test(the_first_of_the_list_that_will_do_is_used),
        cmocka_unit_test(a_renewed_link_tries_another_server_first),
        cmocka_unit_test(a_fail_over_is_followed_without_the_configured_sentinel),
        cmocka_unit_test(a_switch_by_hand_moves_links_that_are_up),
        cmocka_unit_test(an_old_master_that_comes_back_is_not_used),
        cmocka_unit_test(the_documented_user_of_the_sentinels_is_enough),
        cmocka_unit_test(a_master_that_sentinel_does_not_know_is_said),
        cmocka_unit_test(a_sentinel_in_place_of_a_server_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
