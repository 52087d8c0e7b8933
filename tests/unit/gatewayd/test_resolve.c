/* SPDX-License-Identifier: Apache-2.0 */
/* test_resolve.c - names from a small name server of our own, with its TTLs and its moods. */
#include "tests/unit/gatewayd/cmocka_all.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gatewayd/core/metrics.h"
#include "gatewayd/net/resolve.h"

/* ---- the name server ------------------------------------------------------------------------ */

enum mood { ANSWERS, NO_SUCH_NAME, FAILS, SILENT };

static struct loop *loop;
static struct resolve *resolve;
static struct loop_watch server;
static enum mood mood;
static unsigned ttl;
static unsigned asked;

static size_t add_record(unsigned char *at, unsigned type, const void *address, unsigned length)
{
    unsigned char head[] = { 0xc0,
                             12,
                             0,
                             (unsigned char)type,
                             0,
                             1,
                             (unsigned char)(ttl >> 24),
                             (unsigned char)(ttl >> 16),
                             (unsigned char)(ttl >> 8),
                             (unsigned char)ttl,
                             0,
                             (unsigned char)length };
    memcpy(at, head, sizeof(head));
    memcpy(at + sizeof(head), address, length);
    return sizeof(head) + length;
}

static size_t question_end(const unsigned char *message, size_t size)
{
    size_t at = 12;
    while (at < size && message[at] != 0)
        at += message[at] + 1u;
    return at + 5;
}

static void on_question(void *arg)
{
    static const unsigned char v4[][4] = { { 192, 0, 2, 2 }, { 192, 0, 2, 1 }, { 192, 0, 2, 2 } };
    static const unsigned char v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
    unsigned char m[1500];
    struct sockaddr_in peer;
    socklen_t length = sizeof(peer);
    ssize_t n = recvfrom(server.fd, m, 512, 0, (struct sockaddr *)&peer, &length);
    assert_true(n > 12);
    asked++;
    if (mood == SILENT)
        return;
    size_t end = question_end(m, (size_t)n);
    unsigned type = m[end - 3];
    m[2] = 0x84; /* an answer, with authority */
    m[3] = mood == NO_SUCH_NAME ? 0x83 : mood == FAILS ? 0x82 : 0x80;
    memset(m + 6, 0, 6);
    if (mood == ANSWERS && type == 1) {
        m[7] = 3;
        for (int i = 0; i < 3; i++)
            end += add_record(m + end, 1, v4[i], 4);
    }
    if (mood == ANSWERS && type == 28) {
        m[7] = 1;
        end += add_record(m + end, 28, v6, 16);
    }
    sendto(server.fd, m, end, 0, (struct sockaddr *)&peer, length);
}

static int start(void **state)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof(a);
    loop = loop_new("names");
    metrics_start(1);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &length), 0);
    loop_watch_init(&server, loop, fd, NULL);
    loop_watch_start_read(&server, on_question);
    char where[32];
    snprintf(where, sizeof(where), "127.0.0.1:%u", ntohs(a.sin_port));
    resolve = resolve_new(loop, text_of(where));
    assert_non_null(resolve);
    mood = ANSWERS;
    ttl = 30;
    asked = 0;
    return 0;
}

static int stop(void **state)
{
    resolve_free(&resolve);
    loop_watch_stop(&server);
    close(server.fd);
    loop_free(&loop);
    metrics_stop();
    return 0;
}

/* ---- asking --------------------------------------------------------------------------------- */

struct wanted {
    unsigned answers;
    enum resolve_result result;
    char addresses[512];
    size_t count;
    int64_t ttl_ms;
};

static void on_answer(void *arg, const struct resolve_answer *answer)
{
    struct wanted *w = arg;
    char text[ADDRESS_TEXT_SIZE];
    w->answers++;
    w->result = answer->result;
    w->count = answer->count;
    w->ttl_ms = answer->ttl_ms;
    assert_true((answer->why == NULL) == (answer->result == RESOLVE_OK));
    for (size_t i = 0; i < answer->count; i++) {
        struct text a = address_print(&answer->addresses[i], text);
        size_t length = strlen(w->addresses);
        snprintf(w->addresses + length, sizeof(w->addresses) - length, "%s%.*s", i > 0 ? " " : "",
                 TEXT_ARGS(a));
    }
}

static void run_ms(uint64_t ms)
{
    for (uint64_t end = clock_read_ms() + ms; clock_read_ms() < end;) {
        loop_run_once(loop, false);
        usleep(500);
    }
}

static struct wanted ask(const char *name)
{
    struct wanted w = { 0 };
    struct resolve_query *q = resolve_query_start(resolve, text_of(name), 8080, on_answer, &w);
    assert_non_null(q);
    assert_int_equal(w.answers, 0); /* never from inside the call */
    for (uint64_t end = clock_read_ms() + 5000; w.answers == 0 && clock_read_ms() < end;)
        run_ms(1);
    assert_int_equal(w.answers, 1);
    return w;
}

static void both_families_come_sorted_and_once(void **state)
{
    struct wanted w = ask("service.example.");
    assert_int_equal(w.result, RESOLVE_OK);
    assert_string_equal(w.addresses, "192.0.2.1:8080 192.0.2.2:8080 [2001:db8::1]:8080");
    assert_int_equal(w.ttl_ms, 30000);
    assert_int_equal(metrics_sum(metrics_node(), METRIC_NAMES_RESOLVED), 1);
}

static void each_question_is_really_asked(void **state)
{
    ask("service.example.");
    unsigned first = asked;
    ask("service.example.");
    assert_true(asked > first);
}

static void times_to_live_are_kept_in_bounds(void **state)
{
    ttl = 0;
    assert_int_equal(ask("service.example.").ttl_ms, RESOLVE_MIN_TTL_MS);
    ttl = 1000000;
    assert_int_equal(ask("service.example.").ttl_ms, RESOLVE_MAX_TTL_MS);
}

static void a_name_that_is_not_there_is_said_so(void **state)
{
    mood = NO_SUCH_NAME;
    struct wanted w = ask("service.example.");
    assert_int_equal(w.result, RESOLVE_NO_NAME);
    assert_int_equal(w.count, 0);
    assert_true(w.ttl_ms > 0);
    assert_int_equal(metrics_sum(metrics_node(), METRIC_NAMES_FAILED), 1);
}

static void a_server_that_fails_is_another_thing(void **state)
{
    mood = FAILS;
    assert_int_equal(ask("service.example.").result, RESOLVE_FAILED);
}

static void addresses_need_no_server(void **state)
{
    mood = SILENT;
    assert_string_equal(ask("192.0.2.7").addresses, "192.0.2.7:8080");
    assert_string_equal(ask("2001:db8::7").addresses, "[2001:db8::7]:8080");
    assert_int_equal(asked, 0);
}

static void the_hosts_file_counts(void **state)
{
    mood = SILENT;
    struct wanted w = ask("localhost");
    assert_int_equal(w.result, RESOLVE_OK);
    assert_non_null(strstr(w.addresses, "127.0.0.1:8080"));
}

static void what_is_no_name_is_answered_too(void **state)
{
    char endless[300];
    memset(endless, 'a', sizeof(endless));
    endless[sizeof(endless) - 1] = '\0';
    assert_int_equal(ask(endless).result, RESOLVE_NO_NAME);
    assert_int_equal(ask("").result, RESOLVE_NO_NAME);
    assert_int_equal(ask("a..b").result, RESOLVE_NO_NAME);
}

static void a_stopped_query_is_not_answered(void **state)
{
    struct wanted w = { 0 };
    struct resolve_query *asking =
        resolve_query_start(resolve, TEXT_OF("a.example."), 1, on_answer, &w);
    struct resolve_query *literal =
        resolve_query_start(resolve, TEXT_OF("192.0.2.1"), 1, on_answer, &w);
    resolve_query_stop(&asking);
    resolve_query_stop(&literal);
    assert_null(asking);
    run_ms(30);
    assert_int_equal(w.answers, 0);
}

static void a_resolver_may_end_while_it_asks(void **state)
{
    struct wanted w = { 0 };
    mood = SILENT;
    resolve_query_start(resolve, TEXT_OF("a.example."), 1, on_answer, &w);
    for (int i = 0; i < 2000 && asked == 0; i++)
        run_ms(10);
    assert_true(asked > 0);
}

static void a_list_of_servers_is_checked(void **state)
{
    assert_null(resolve_new(loop, TEXT_OF("nonsense")));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(both_families_come_sorted_and_once),
        TEST(each_question_is_really_asked),
        TEST(times_to_live_are_kept_in_bounds),
        TEST(a_name_that_is_not_there_is_said_so),
        TEST(a_server_that_fails_is_another_thing),
        TEST(addresses_need_no_server),
        TEST(the_hosts_file_counts),
        TEST(what_is_no_name_is_answered_too),
        TEST(a_stopped_query_is_not_answered),
        TEST(a_resolver_may_end_while_it_asks),
        TEST(a_list_of_servers_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
