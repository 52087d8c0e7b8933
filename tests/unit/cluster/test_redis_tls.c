/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_redis_tls.c - links over TLS: who is believed, and who we are.
 */
#include "cluster/redis_link.h"

#include <stdio.h>

#include "conf/base/mem.h"
#include "tests/unit/cluster/redis_server.h"
#include "tests/unit/gatewayd/certificates.h"
#include "tests/unit/gatewayd/cmocka_all.h"

static struct redis_server_process server;

static int start(void **state)
{
    certificates_start();
    certificates_make(&(struct certificates_wish){ "server", "IP:127.0.0.1", "server", .days = 9 });
    certificates_make(
        &(struct certificates_wish){ "named", "DNS:redis.internal", "named", .days = 9 });
    certificates_make(&(struct certificates_wish){ "old", "IP:127.0.0.1", "old", .days = -1 });
    certificates_make(&(struct certificates_wish){ "client", "DNS:gw-a", "gw-a", .days = 9 });
    certificates_make(&(struct certificates_wish){ "stranger", "IP:127.0.0.1", "stranger",
                                                   .days = 9, .self_signed = true });
    return 0;
}

static int stop(void **state)
{
    certificates_stop();
    return 0;
}

static void open_with(struct redis_story *s, const char *certificate, const char *settings,
                      const char *ca, const char *more)
{
    char tls[4096];
    redis_server_start(&server, settings, certificate);
    snprintf(tls, sizeof(tls), "tls = { ca = \"%.*s\"; %s };", TEXT_ARGS(certificates_path(ca)),
             more);
    redis_story_open_for(s, &server, tls);
}

static void close_all(struct redis_story *s)
{
    redis_story_close(s);
    redis_server_stop(&server);
}

static void calls_work(struct redis_story *s)
{
    struct redis_story_answer a[200];
    for (int use = 0; use < REDIS_USES; use++)
        redis_story_expect_up(s, (enum redis_use)use, true);
    for (int i = 0; i < 200; i++)
        redis_story_call(s, REDIS_CALLS, "XADD {gatewayd}:n * f v", 5000, &a[i]);
    redis_story_wait(s, &a[199]);
    for (int i = 0; i < 200; i++)
        assert_int_equal(a[i].outcome, REDIS_ANSWERED);
}

static void a_server_with_a_certificate_of_our_authority_is_used(void **state)
{
    struct redis_story s;
    open_with(&s, "server", "", "ca.pem", "");
    calls_work(&s);
    close_all(&s);
}

static bool has_answered(void *arg)
{
    return *(bool *)arg;
}

static void on_big(void *arg, const struct redis_result *result)
{
    bool *is_there = arg;
    if (result->outcome != REDIS_ANSWERED)
        fail_msg("%.*s", TEXT_ARGS(result->reason));
    assert_int_equal(result->outcome, REDIS_ANSWERED);
    *is_there = true;
}

static size_t big_length;

static void on_read_back(void *arg, const struct redis_result *result)
{
    on_big(arg, result);
    big_length = redis_reply_text(result->reply).length;
}

/* More than any buffer on the way holds. */
static void megabytes_pass_in_both_directions(void **state)
{
    enum { SIZE = 20 << 20 };
    struct redis_story s;
    bool is_there = false;
    char *big = mem_new(SIZE);
    struct text words[] = { TEXT("SET"), TEXT("{gatewayd}:big"), { big, SIZE } };
    struct text get[] = { TEXT("GET"), TEXT("{gatewayd}:big") };
    open_with(&s, "server", "", "ca.pem", "");
    redis_story_expect_up(&s, REDIS_CALLS, true);
    struct redis_link *link = redis_link_of(s.redis, REDIS_CALLS);
    redis_link_call(link, &(struct redis_call){ words, 3, 15000, on_big, &is_there });
    assert_true(redis_story_until(&s, has_answered, &is_there));
    is_there = false;
    redis_link_call(link, &(struct redis_call){ get, 2, 15000, on_read_back, &is_there });
    assert_true(redis_story_until(&s, has_answered, &is_there));
    assert_int_equal(big_length, SIZE);
    MEM_FREE(&big);
    close_all(&s);
}

static void a_server_of_another_authority_is_refused(void **state)
{
    struct redis_story s;
    open_with(&s, "stranger", "", "ca.pem", "");
    redis_story_expect_away(&s, REDIS_CALLS, "TLS");
    redis_story_expect_away(&s, REDIS_CALLS, "certificate");
    close_all(&s);
}

static void a_certificate_of_another_name_is_refused(void **state)
{
    struct redis_story s;
    open_with(&s, "named", "", "ca.pem", "");
    redis_story_expect_away(&s, REDIS_CALLS, "TLS");
    close_all(&s);
    open_with(&s, "named", "", "ca.pem", "server_name = \"redis.internal\";");
    calls_work(&s);
    close_all(&s);
    open_with(&s, "server", "", "ca.pem", "server_name = \"redis.internal\";");
    redis_story_expect_away(&s, REDIS_CALLS, "TLS");
    close_all(&s);
}

static void a_certificate_that_has_expired_is_refused(void **state)
{
    struct redis_story s;
    open_with(&s, "old", "", "ca.pem", "");
    redis_story_expect_away(&s, REDIS_CALLS, "expired");
    close_all(&s);
}

static void a_server_may_ask_for_our_certificate(void **state)
{
    struct redis_story s;
    char more[4096];
    struct tls_certificate c = certificates_get("client");
    snprintf(more, sizeof(more), "cert = \"%.*s\"; key = \"%.*s\";", TEXT_ARGS(c.cert),
             TEXT_ARGS(c.key));
    open_with(&s, "server", "tls-auth-clients yes", "ca.pem", more);
    calls_work(&s);
    close_all(&s);
    open_with(&s, "server", "tls-auth-clients yes", "ca.pem", "");
    redis_story_expect_up(&s, REDIS_CALLS, false);
    redis_story_expect_away(&s, REDIS_CALLS, "127.0.0.1");
    redis_story_turn_for(&s, 300);
    assert_false(redis_link_is_up(redis_link_of(s.redis, REDIS_CALLS)));
    close_all(&s);
}

/* Plain towards TLS, and TLS towards plain. */
static void two_that_do_not_agree_on_tls_do_not_hang(void **state)
{
    struct redis_story s;
    char tls[4096];
    redis_server_start(&server, "", "server");
    redis_story_open_for(&s, &server, "");
    redis_story_expect_away(&s, REDIS_CALLS, "127.0.0.1");
    redis_story_close(&s);
    redis_server_stop(&server);
    redis_server_start(&server, "", NULL);
    snprintf(tls, sizeof(tls), "tls = { ca = \"%.*s\"; };", TEXT_ARGS(certificates_path("ca.pem")));
    redis_story_open_for(&s, &server, tls);
    redis_story_expect_away(&s, REDIS_CALLS, "127.0.0.1");
    close_all(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_with_a_certificate_of_our_authority_is_used),
        cmocka_unit_test(megabytes_pass_in_both_directions),
        cmocka_unit_test(a_server_of_another_authority_is_refused),
        cmocka_unit_test(a_certificate_of_another_name_is_refused),
        cmocka_unit_test(a_certificate_that_has_expired_is_refused),
        cmocka_unit_test(a_server_may_ask_for_our_certificate),
        cmocka_unit_test(two_that_do_not_agree_on_tls_do_not_hang),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
