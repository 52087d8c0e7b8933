/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_redis_scripts.c - scripts are in the program as their files are, and run by digest or text.
 */
#include "cluster/redis_scripts.h"

#include <stdio.h>

#include "conf/base/digest.h"
#include "conf/base/mem.h"
#include "tests/unit/cluster/fair_clock.h"
#include "tests/unit/cluster/redis_server.h"
#include "tests/unit/gatewayd/cmocka_all.h"

REDIS_SCRIPT(limits);

static const struct redis_script joined = {
    "joined", TEXT("return {KEYS[1], #KEYS, ARGV[1], #ARGV, redis.call('GET', KEYS[1])}")
};

struct answer {
    bool is_there;
    enum redis_outcome outcome;
    size_t count;
    char key[64];
    char argument[64];
    int64_t took_ms;
    int64_t fair_ms;
    uint64_t began_ns;
    uint64_t began_fair_ns;
};

static void on_done(void *arg, const struct redis_result *result)
{
    struct answer *a = arg;
    a->is_there = true;
    a->outcome = result->outcome;
    a->took_ms = (int64_t)(clock_read_ns() - a->began_ns) / 1000000;
    a->fair_ms = (int64_t)(fair_clock_ns() - a->began_fair_ns) / 1000000;
    if (result->outcome != REDIS_ANSWERED)
        return;
    a->count = redis_reply_count(result->reply);
    snprintf(a->key, sizeof(a->key), "%.*s",
             TEXT_ARGS(redis_reply_text(redis_reply_at(result->reply, 0))));
    snprintf(a->argument, sizeof(a->argument), "%.*s",
             TEXT_ARGS(redis_reply_text(redis_reply_at(result->reply, 2))));
}

static void run(struct redis_story *s, struct answer *a, int64_t timeout_ms)
{
    /* The words are copied: these are gone when the script is sent again. */
    char key[] = "{gatewayd}:k";
    char argument[] = "a b";
    struct text words[] = { text_of(key), text_of(argument) };
    struct redis_run r = { &joined, words, 2, 1, timeout_ms, on_done, a };
    *a = (struct answer){ .began_ns = clock_read_ns(), .began_fair_ns = fair_clock_ns() };
    redis_link_run(redis_link_of(s->redis, REDIS_CALLS), &r);
    memset(key, 'x', sizeof(key));
    memset(argument, 'x', sizeof(argument));
}

static bool is_there(void *arg)
{
    return ((struct answer *)arg)->is_there;
}

static void expect_right(struct redis_story *s, struct answer *a)
{
    assert_true(redis_story_until(s, is_there, a));
    assert_int_equal(a->outcome, REDIS_ANSWERED);
    assert_string_equal(a->key, "{gatewayd}:k");
    assert_string_equal(a->argument, "a b");
}

/* How often the server was asked to run it by digest, and by text. */
static uint64_t count_calls(const struct redis_server_process *server, const char *command)
{
    char *stats = redis_server_ask(server, "INFO commandstats");
    char name[64];
    uint64_t calls = 0;
    snprintf(name, sizeof(name), "cmdstat_%s:calls=", command);
    const char *at = strstr(stats, name);
    if (at != NULL) {
        struct text number = text_of(at + strlen(name));
        assert_true(text_parse_u64(text_first(number, text_find_byte(number, ',')), &calls));
    }
    MEM_FREE(&stats);
    return calls;
}

static void a_script_is_sent_by_text_only_when_the_server_does_not_know_it(void **state)
{
    struct redis_server_process server;
    struct redis_story s;
    struct answer a;
    struct answer b;
    redis_server_start(&server, "", NULL);
    redis_story_open_for(&s, &server, "");
    redis_story_expect_up(&s, REDIS_CALLS, true);
    run(&s, &a, 2000);
    run(&s, &b, 2000);
    expect_right(&s, &a);
    expect_right(&s, &b);
    uint64_t by_text = count_calls(&server, "eval");
    assert_in_range(by_text, 1, 2);
    for (int i = 0; i < 10; i++) {
        run(&s, &a, 2000);
        expect_right(&s, &a);
    }
    assert_int_equal(count_calls(&server, "eval"), by_text);
    redis_server_tell(&server, "SCRIPT FLUSH", "+OK");
    run(&s, &a, 2000);
    expect_right(&s, &a);
    assert_int_equal(count_calls(&server, "eval"), by_text + 1);
    redis_story_close(&s);
    redis_server_stop(&server);
}

static void both_tries_share_one_deadline(void **state)
{
    struct redis_server_process server;
    struct redis_story s;
    struct answer a;
    redis_server_start(&server, "", NULL);
    redis_story_open_for(&s, &server, "");
    redis_story_expect_up(&s, REDIS_CALLS, true);
    redis_server_pause(&server);
    run(&s, &a, 300);
    assert_true(redis_story_until(&s, is_there, &a));
    assert_int_equal(a.outcome, REDIS_LOST);
    assert_true(a.took_ms >= 299);
    assert_in_range(a.fair_ms, 0, 450);
    redis_story_close(&s);
    redis_server_stop(&server);
}

static void the_program_has_the_files_byte_for_byte(void **state)
{
    char bytes[65536];
    FILE *f = fopen("cluster/limits.lua", "r");
    assert_non_null(f);
    size_t length = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    assert_true(text_equals(redis_script_limits.text, text_from(bytes, length)));
    assert_string_equal(redis_script_limits.name, "limits");
}

static void a_digest_is_sha_1_in_hex(void **state)
{
    struct redis_script s = { "one", TEXT("return 1") };
    char into[REDIS_SCRIPTS_DIGEST_SIZE];
    assert_true(text_equals(redis_scripts_digest(&s, into),
                            TEXT_OF("e0e1f9fabfc9d4800c877a703b823ac0578ff8db")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_script_is_sent_by_text_only_when_the_server_does_not_know_it),
        cmocka_unit_test(both_tries_share_one_deadline),
        cmocka_unit_test(the_program_has_the_files_byte_for_byte),
        cmocka_unit_test(a_digest_is_sha_1_in_hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
