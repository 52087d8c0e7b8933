/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_peer_client.c - what is kept of a node that is asked ends with its last connection and call.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cluster/peer_client.h"
#include "conf/node.h"
#include "gatewayd/core/clock.h"
#include "gatewayd/core/metrics.h"
#include "tests/unit/gatewayd/cmocka_all.h"

#define ANSWER  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
#define CLIENTS 8

/* A node of one thread: it answers everything with an empty object. */
struct server {
    int fd;
    int clients[CLIENTS];
    size_t count;
    bool is_silent;
    char address[32];
};

static struct loop *loop;
static struct resolve *resolve;
static struct peer_client *client;
static struct node_config config;
static struct server server;
static unsigned answers;
static unsigned last_status;

static void listen_at(struct server *s)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof(in);
    *s = (struct server){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) };
    assert_true(s->fd >= 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(s->fd, 8), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&in, &length), 0);
    snprintf(s->address, sizeof(s->address), "127.0.0.1:%u", (unsigned)ntohs(in.sin_port));
}

static void hang_up(struct server *s)
{
    while (s->count > 0)
        close(s->clients[--s->count]);
}

static void serve(struct server *s)
{
    char bytes[4096];
    int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        assert_true(s->count < CLIENTS);
        s->clients[s->count++] = fd;
    }
    for (size_t i = 0; i < s->count; i++) {
        if (read(s->clients[i], bytes, sizeof(bytes)) > 0 && !s->is_silent)
            assert_int_equal(write(s->clients[i], ANSWER, sizeof(ANSWER) - 1), sizeof(ANSWER) - 1);
    }
}

static int set_up(void **state)
{
    static const struct digest key;
    struct problems ps;
    problems_init(&ps);
    metrics_start(1);
    loop = loop_new("test");
    resolve = resolve_new(loop, TEXT_OF("127.0.0.1:1"));
    config = (struct node_config){ .node = TEXT("gw-a") };
    client = peer_client_new(loop, resolve, &config, &key, &ps);
    assert_non_null(client);
    problems_fini(&ps);
    listen_at(&server);
    answers = 0;
    return 0;
}

static int tear_down(void **state)
{
    peer_client_free(&client);
    hang_up(&server);
    if (server.fd >= 0)
        close(server.fd);
    resolve_free(&resolve);
    loop_free(&loop);
    metrics_stop();
    return 0;
}

static void on_answer(void *arg, const struct peer_answer *answer)
{
    answers++;
    last_status = answer->status;
}

static struct peer_call *ask(void)
{
    return peer_client_call(client,
                            &(struct peer_request){ .to = TEXT("gw-b"),
                                                    .address = text_of(server.address),
                                                    .method = METHOD_GET,
                                                    .path = TEXT("/v1/cluster/status"),
                                                    .timeout_ms = 20000 },
                            on_answer, NULL);
}

static bool are_places(size_t count)
{
    return peer_client_count_places(client) == count;
}

static bool are_answers(size_t count)
{
    return answers == count;
}

static bool are_asked(size_t count)
{
    return server.count == count;
}

static void until(bool (*is_so)(size_t count), size_t count)
{
    uint64_t end = clock_read_ms() + 20000;
    while (!is_so(count)) {
        assert_true(clock_read_ms() < end);
        serve(&server);
        loop_run_once(loop, false);
        usleep(1000);
    }
}

static void a_place_is_kept_while_there_is_a_connection(void **state)
{
    assert_true(are_places(0));
    for (size_t i = 1; i <= 3; i++) {
        (void)ask();
        until(are_answers, i);
        assert_int_equal(last_status, 200);
        assert_true(are_places(1));
    }
    assert_int_equal(server.count, 1); /* one connection, kept */
    hang_up(&server);
    until(are_places, 0);
}

static void nobody_there_leaves_nothing(void **state)
{
    close(server.fd);
    server.fd = -1;
    for (size_t i = 1; i <= 3; i++) {
        (void)ask();
        assert_true(are_places(1));
        until(are_answers, i);
        assert_int_equal(last_status, 0);
        until(are_places, 0);
    }
}

static void a_call_that_is_stopped_leaves_nothing(void **state)
{
    server.is_silent = true;
    struct peer_call *call = ask();
    until(are_asked, 1);
    peer_call_stop(&call);
    until(are_places, 0);
    assert_int_equal(answers, 0);
}

/* SIGHUP: a connection without TLS is as good as before. */
static void reading_certificates_again_keeps_what_has_none(void **state)
{
    struct problems ps;
    (void)ask();
    until(are_answers, 1);
    assert_true(are_places(1));
    problems_init(&ps);
    peer_client_reload(client, &config, &ps);
    assert_true(problems_is_empty(&ps));
    problems_fini(&ps);
    (void)ask();
    until(are_answers, 2);
    assert_int_equal(server.count, 1);
    hang_up(&server);
    until(are_places, 0);
}

/* A node that comes back elsewhere: each address is a place, and those of before end. */
static void a_node_that_moves_leaves_nothing(void **state)
{
    for (size_t i = 1; i <= 4; i++) {
        (void)ask();
        until(are_answers, i);
        hang_up(&server);
        close(server.fd);
        listen_at(&server);
    }
    until(are_places, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_place_is_kept_while_there_is_a_connection),
        TEST(nobody_there_leaves_nothing),
        TEST(a_call_that_is_stopped_leaves_nothing),
        TEST(reading_certificates_again_keeps_what_has_none),
        TEST(a_node_that_moves_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
