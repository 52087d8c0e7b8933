/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_redis_wire.c - one connection, to a peer that the test itself is: what it sends, how it
 * ends.
 */
#include "cluster/redis_wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/base/mem.h"
#include "gatewayd/core/loop.h"
#include "gatewayd/core/metrics.h"
#include "gatewayd/net/resolve.h"
#include "tests/unit/gatewayd/cmocka_all.h"

#define REPLY_MAX 100000

struct story {
    struct loop *loop;
    struct resolve *resolve;
    struct redis_wire *wire;
    int listener;
    int peer;
    char name[64];
    bool is_ready;
    bool has_ended;
    bool closes; /* at the first reply */
    int replies;
    char reason[400];
};

static void on_ready(void *arg)
{
    struct story *s = arg;
    assert_false(s->is_ready);
    s->is_ready = true;
}

static void on_reply(void *arg, const struct redis_reply *reply)
{
    struct story *s = arg;
    s->replies++;
    if (s->closes)
        redis_wire_close(&s->wire);
}

static void on_end(void *arg, struct text reason)
{
    struct story *s = arg;
    assert_false(s->has_ended);
    s->has_ended = true;
    snprintf(s->reason, sizeof(s->reason), "%.*s", TEXT_ARGS(reason));
}

static const struct redis_wire_handlers handlers = { on_ready, on_reply, on_end };

static void on_tick(void *arg)
{
}

static void turn(struct story *s)
{
    struct loop_timer tick;
    loop_timer_init(&tick, s->loop, on_tick, NULL);
    loop_timer_start(&tick, 2);
    loop_run_once(s->loop, true);
    loop_timer_stop(&tick);
}

#define TURN_UNTIL(s, condition)                                                                   \
    do {                                                                                           \
        uint64_t until_ = clock_read_ns() + 10000000000ull;                                        \
        while (!(condition)) {                                                                     \
            assert_true(clock_read_ns() < until_);                                                 \
            turn(s);                                                                               \
        }                                                                                          \
    } while (0)

static void open_to(struct story *s, const char *server)
{
    s->wire = redis_wire_open(&(struct redis_wire_options){ .loop = s->loop,
                                                            .resolve = s->resolve,
                                                            .server = text_of(server),
                                                            .reply_max = REPLY_MAX },
                              &handlers, s);
    assert_false(s->has_ended || s->is_ready);
}

static void start(struct story *s)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof(at);
    metrics_start(1);
    *s = (struct story){ .loop = loop_new("test"), .peer = -1 };
    s->resolve = resolve_new(s->loop, TEXT_OF("127.0.0.1:1"));
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(s->listener, 1), 0);
    getsockname(s->listener, (struct sockaddr *)&at, &size);
    snprintf(s->name, sizeof(s->name), "127.0.0.1:%d", ntohs(at.sin_port));
}

static void connect_peer(struct story *s)
{
    open_to(s, s->name);
    s->peer = accept(s->listener, NULL, NULL);
    assert_true(s->peer >= 0);
    TURN_UNTIL(s, s->is_ready);
}

static void stop(struct story *s)
{
    redis_wire_close(&s->wire);
    resolve_free(&s->resolve);
    if (s->peer >= 0)
        close(s->peer);
    close(s->listener);
    loop_run_once(s->loop, false);
    loop_free(&s->loop);
    metrics_stop();
}

static void say(struct story *s, const char *bytes)
{
    assert_int_equal(write(s->peer, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
}

static void commands_of_a_turn_go_out_together_and_replies_come_one_by_one(void **state)
{
    struct story s;
    char got[256];
    start(&s);
    connect_peer(&s);
    redis_wire_send(s.wire, (struct text[]){ TEXT("PING") }, 1);
    redis_wire_send(s.wire, (struct text[]){ TEXT("GET"), TEXT("k") }, 2);
    assert_int_equal(redis_wire_gone(s.wire), 0);
    TURN_UNTIL(&s, redis_wire_gone(s.wire) == redis_wire_queued(s.wire));
    ssize_t length = read(s.peer, got, sizeof(got) - 1);
    assert_int_equal(length, redis_wire_queued(s.wire));
    got[length] = '\0';
    assert_string_equal(got, "*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    say(&s, "+PONG\r\n$1\r\nv\r\n:1");
    TURN_UNTIL(&s, s.replies == 2);
    say(&s, "\r\n");
    TURN_UNTIL(&s, s.replies == 3);
    stop(&s);
}

static void expect_end(const char *bytes, int replies, const char *words)
{
    struct story s;
    start(&s);
    connect_peer(&s);
    say(&s, bytes);
    TURN_UNTIL(&s, s.has_ended);
    assert_int_equal(s.replies, replies);
    if (strstr(s.reason, words) == NULL)
        fail_msg("%s", s.reason);
    stop(&s);
}

static void garbage_ends_it(void **state)
{
    expect_end("+OK\r\nHTTP/1.1 400 Bad Request\r\n", 1, "the reply cannot be read");
    expect_end("*100000\r\n", 0, "larger than what is ever asked for");
}

static void a_reply_that_is_cut_off_is_none(void **state)
{
    struct story s;
    start(&s);
    connect_peer(&s);
    say(&s, "$10\r\nabc");
    turn(&s);
    close(s.peer);
    s.peer = -1;
    TURN_UNTIL(&s, s.has_ended);
    assert_int_equal(s.replies, 0);
    assert_string_equal(s.reason, "the server closed the connection");
    stop(&s);
}

static void it_can_be_closed_from_a_reply(void **state)
{
    struct story s;
    start(&s);
    connect_peer(&s);
    s.closes = true;
    say(&s, "+1\r\n+2\r\n+3\r\n");
    TURN_UNTIL(&s, s.replies > 0);
    for (int i = 0; i < 5; i++)
        turn(&s);
    assert_int_equal(s.replies, 1);
    assert_false(s.has_ended);
    stop(&s);
}

/* What was sent is told apart from what was not, although the peer reads nothing. */
static void what_has_left_is_known(void **state)
{
    enum { SIZE = 16 << 20 };
    struct story s;
    char *big = mem_new(SIZE);
    start(&s);
    connect_peer(&s);
    redis_wire_send(s.wire, (struct text[]){ TEXT("SET"), TEXT("k"), { big, SIZE } }, 3);
    for (int i = 0; i < 50; i++)
        turn(&s);
    assert_true(redis_wire_gone(s.wire) > 0);
    assert_true(redis_wire_gone(s.wire) < SIZE);
    /* And then it reads. */
    size_t total = 0;
    fcntl(s.peer, F_SETFL, O_NONBLOCK);
    while (total < redis_wire_queued(s.wire)) {
        ssize_t got = read(s.peer, big, SIZE);
        if (got > 0)
            total += (size_t)got;
        turn(&s);
    }
    assert_int_equal(redis_wire_gone(s.wire), redis_wire_queued(s.wire));
    MEM_FREE(&big);
    stop(&s);
}

static void expect_no_connection(const char *server, const char *words)
{
    struct story s;
    start(&s);
    open_to(&s, server);
    TURN_UNTIL(&s, s.has_ended);
    assert_false(s.is_ready);
    if (strstr(s.reason, words) == NULL)
        fail_msg("%s", s.reason);
    stop(&s);
}

static void who_is_not_there_is_said(void **state)
{
    expect_no_connection("127.0.0.1:1", "connection refused");
    expect_no_connection("unix:/nonexistent/redis.sock", "cannot be reached");
    expect_no_connection("redis.invalid:6379", "the name cannot be resolved");
}

static void a_name_is_resolved(void **state)
{
    struct story s;
    char name[64];
    start(&s);
    snprintf(name, sizeof(name), "localhost:%s", strchr(s.name, ':') + 1);
    open_to(&s, name);
    TURN_UNTIL(&s, s.is_ready || s.has_ended);
    if (!s.is_ready)
        fail_msg("%s", s.reason);
    stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_of_a_turn_go_out_together_and_replies_come_one_by_one),
        cmocka_unit_test(garbage_ends_it),
        cmocka_unit_test(a_reply_that_is_cut_off_is_none),
        cmocka_unit_test(it_can_be_closed_from_a_reply),
        cmocka_unit_test(what_has_left_is_known),
        cmocka_unit_test(who_is_not_there_is_said),
        cmocka_unit_test(a_name_is_resolved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
