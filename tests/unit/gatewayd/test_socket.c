/* SPDX-License-Identifier: Apache-2.0 */
/* test_socket.c - plain connections over loopback: reading, writing, ending, breaking, splicing. */
#include "tests/unit/gatewayd/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/gatewayd/socket_pair.h"

static struct socket_pair pair;

static int start(void **state)
{
    socket_pair_init(&pair);
    return 0;
}

static int stop(void **state)
{
    socket_pair_fini(&pair);
    return 0;
}

static char *make_bytes(size_t size)
{
    char *bytes = malloc(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 31 + i / 251);
    return bytes;
}

static void bytes_arrive(void **state)
{
    socket_pair_connect(&pair);
    socket_pair_write(&pair, &pair.client, TEXT_OF("hello"));
    assert_true(socket_pair_read(&pair, &pair.server, 5));
    assert_memory_equal(pair.server.got, "hello", 5);
    assert_true(socket_is_drained(&pair.server.socket));
    assert_int_equal(pair.server.readable, 1); /* a short read is the end: no second look */
}

static void addresses_are_known(void **state)
{
    struct address local;
    socket_pair_connect(&pair);
    assert_true(socket_get_local(&pair.server.socket, &local));
    assert_true(address_equals(&local, &pair.listener->address));
    assert_true(socket_get_local(&pair.client.socket, &local));
    assert_true(address_is_loopback(&local));
    assert_true(text_is_empty(socket_alpn(&pair.client.socket)));
}

/* So that the kernel does not swallow everything at once. */
static void connect_narrowly(void)
{
    int size = 65536;
    socket_pair_connect(&pair);
    setsockopt(pair.client.socket.watch.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    setsockopt(pair.server.socket.watch.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

static void much_arrives_whole(void **state)
{
    enum { SIZE = 3000000 };
    char *bytes = make_bytes(SIZE);
    connect_narrowly();
    socket_pair_write(&pair, &pair.client, text_from(bytes, SIZE));
    assert_true(socket_pair_read(&pair, &pair.server, SIZE));
    assert_memory_equal(pair.server.got, bytes, SIZE);
    assert_true(pair.client.writable > 0);
    assert_false(pair.client.socket.watch.is_writing && !pair.client.socket.wants_write);
    free(bytes);
}

static void a_queue_is_written_and_its_rest_kept(void **state)
{
    enum { SIZE = 3000000 };
    char *bytes = make_bytes(SIZE);
    struct outq q;
    outq_init(&q);
    connect_narrowly();
    assert_true(outq_try_add(&q, TEXT_OF("head"), NULL));
    assert_true(outq_try_add(&q, text_from(bytes, SIZE), NULL));
    pair.server.reads = false;
    socket_pause_read(&pair.server.socket);
    assert_int_equal(socket_write_queue(&pair.client.socket, &q), IO_AGAIN);
    assert_true(outq_bytes(&q) > 0 && outq_bytes(&q) < SIZE);
    pair.server.reads = true;
    socket_resume_read(&pair.server.socket);
    while (!outq_is_empty(&q)) {
        loop_run_once(pair.loop, true);
        assert_int_not_equal(socket_write_queue(&pair.client.socket, &q), IO_BROKEN);
    }
    assert_int_equal(socket_write_queue(&pair.client.socket, &q), IO_DONE);
    assert_true(socket_pair_read(&pair, &pair.server, SIZE + 4));
    assert_memory_equal(pair.server.got, "head", 4);
    assert_memory_equal(pair.server.got + 4, bytes, SIZE);
    free(bytes);
}

static void a_paused_socket_is_quiet(void **state)
{
    socket_pair_connect(&pair);
    socket_pause_read(&pair.server.socket);
    socket_pause_read(&pair.server.socket);
    socket_pair_write(&pair, &pair.client, TEXT_OF("hello"));
    socket_pair_run_ms(&pair, 20);
    assert_int_equal(pair.server.readable, 0);
    socket_resume_read(&pair.server.socket);
    assert_int_equal(pair.server.readable, 0); /* never from inside a call */
    assert_true(socket_pair_read(&pair, &pair.server, 5));
}

static bool has_server_ended(struct socket_pair *p)
{
    return p->server.last == IO_EOF;
}

static void the_end_is_told_once_and_the_other_way_stays_open(void **state)
{
    socket_pair_connect(&pair);
    socket_shutdown(&pair.client.socket);
    assert_true(socket_pair_run_until(&pair, has_server_ended));
    unsigned readable = pair.server.readable;
    socket_pair_run_ms(&pair, 10);
    assert_int_equal(pair.server.readable, readable);
    socket_pair_write(&pair, &pair.server, TEXT_OF("answer"));
    assert_true(socket_pair_read(&pair, &pair.client, 6));
}

static bool is_server_broken(struct socket_pair *p)
{
    return p->server.last == IO_BROKEN;
}

static void a_reset_is_known_by_its_name(void **state)
{
    socket_pair_connect(&pair);
    socket_reset(&pair.client.socket);
    assert_true(socket_pair_run_until(&pair, is_server_broken));
    assert_int_equal(socket_why(&pair.server.socket), SOCKET_RESET);
    assert_string_equal(pair.server.why, "connection reset by the peer");
    assert_false(socket_is_open(&pair.server.socket));
}

static bool is_client_told(struct socket_pair *p)
{
    return p->client.ready > 0;
}

static void a_refused_connection_is_known_by_its_name(void **state)
{
    struct address nobody = pair.listener->address;
    listen_acceptor_stop(&pair.acceptor);
    listen_table_close(&pair.table, pair.listener);
    enum io io = socket_connect(&pair.client.socket, &nobody);
    if (io == IO_AGAIN) {
        assert_int_equal(pair.client.ready, 0);
        assert_true(socket_pair_run_until(&pair, is_client_told));
        assert_false(socket_is_ready(&pair.client.socket));
    }
    assert_int_equal(socket_why(&pair.client.socket), SOCKET_REFUSED);
    socket_pair_run_ms(&pair, 10);
    assert_in_range(pair.client.ready, 0, 1);
    socket_close(&pair.client.socket);
}

static void unix_sockets_connect_at_once_or_not_at_all(void **state)
{
    struct address path;
    struct problems ps;
    char text[64];
    problems_init(&ps);
    snprintf(text, sizeof(text), "unix:/tmp/gatewayd-test-socket.%d", (int)getpid());
    assert_true(address_parse(text_of(text), &path));
    assert_int_equal(socket_connect(&pair.client.socket, &path), IO_BROKEN);
    assert_int_equal(socket_why(&pair.client.socket), SOCKET_UNREACHABLE);

    struct listen_entry *e =
        listen_table_open(&pair.table, TEXT_OF("unix"), &path, 4, (struct place){ 0 }, &ps);
    assert_non_null(e);
    assert_int_equal(e->count, 1);
    assert_int_equal(socket_connect(&pair.client.socket, &path), IO_DONE);
    assert_true(socket_is_ready(&pair.client.socket));
    unlink(path.local.sun_path);
    problems_fini(&ps);
}

static void a_look_leaves_the_bytes(void **state)
{
    char seen[16];
    size_t n;
    socket_pair_connect(&pair);
    pair.server.reads = false;
    socket_pair_write(&pair, &pair.client, TEXT_OF("hello"));
    socket_pair_run_ms(&pair, 5);
    assert_int_equal(socket_peek(&pair.server.socket, seen, sizeof(seen), &n), IO_DONE);
    assert_int_equal(n, 5);
    assert_int_equal(socket_read(&pair.server.socket, seen, 3, &n), IO_DONE);
    assert_memory_equal(seen, "hel", 3);
    assert_false(socket_is_drained(&pair.server.socket));
    pair.server.reads = true;
    assert_true(socket_pair_read(&pair, &pair.server, 2));
    assert_memory_equal(pair.server.got, "lo", 2);
}

/* ---- lingering ------------------------------------------------------------------------------ */

/* What is written after the peer has closed reaches nobody, but must not cost it the answer. */
static void an_answer_survives_a_peer_that_keeps_sending(void **state)
{
    enum { SIZE = 200000 };
    char *bytes = make_bytes(SIZE);
    socket_pair_connect(&pair);
    pair.server.reads = false;
    socket_pause_read(&pair.server.socket);
    size_t n;
    struct iovec iov = { bytes, SIZE };
    assert_int_not_equal(socket_writev(&pair.client.socket, &iov, 1, &n), IO_BROKEN);
    socket_pair_write(&pair, &pair.server, TEXT_OF("413"));
    socket_close_lingering(&pair.server.socket, 10000000, NULL);
    assert_false(socket_is_open(&pair.server.socket));
    for (int i = 0; i < 20; i++) {
        assert_int_not_equal(socket_writev(&pair.client.socket, &iov, 1, &n), IO_BROKEN);
        socket_pair_run_ms(&pair, 1);
    }
    assert_true(socket_pair_read(&pair, &pair.client, 3));
    assert_memory_equal(pair.client.got, "413", 3);
    free(bytes);
}

static bool has_client_broken(struct socket_pair *p)
{
    size_t n;
    char byte = 'x';
    struct iovec iov = { &byte, 1 };
    return socket_writev(&p->client.socket, &iov, 1, &n) == IO_BROKEN;
}

static void lingering_ends_after_so_many_bytes(void **state)
{
    socket_pair_connect(&pair);
    pair.client.reads = false;
    socket_pause_read(&pair.client.socket);
    socket_close_lingering(&pair.server.socket, 1000, NULL);
    char bytes[2000] = { 0 };
    socket_pair_write(&pair, &pair.client, text_from(bytes, sizeof(bytes)));
    assert_true(socket_pair_run_until(&pair, has_client_broken));
}

/* ---- splice --------------------------------------------------------------------------------- */

/* server → pipe → server: the bytes that came in go back out. */
static void spliced_bytes_are_the_same(void **state)
{
    enum { SIZE = 1000000 };
    char *bytes = make_bytes(SIZE);
    struct socket_pipes pipes;
    socket_pipes_init(&pipes);
    struct socket_pipe *pipe = socket_pipe_take(&pipes);
    assert_non_null(pipe);
    socket_pair_connect(&pair);
    pair.server.reads = false;
    assert_true(socket_can_splice(&pair.server.socket));

    size_t sent = 0;
    size_t moved_back = 0;
    for (int turns = 0; moved_back < SIZE && turns < 100000; turns++) {
        struct iovec iov = { bytes + sent, SIZE - sent };
        size_t n;
        if (sent < SIZE)
            assert_int_not_equal(socket_writev(&pair.client.socket, &iov, 1, &n), IO_BROKEN);
        else
            n = 0;
        sent += n;
        assert_int_not_equal(socket_splice_in(&pair.server.socket, pipe, 65536, &n), IO_BROKEN);
        enum io out = socket_splice_out(&pair.server.socket, pipe, false, &n);
        assert_int_equal(out == IO_DONE, pipe->filled == 0);
        moved_back += n;
        loop_run_once(pair.loop, false);
    }
    assert_true(socket_pair_read(&pair, &pair.client, SIZE));
    assert_memory_equal(pair.client.got, bytes, SIZE);

    socket_pipe_give(&pipes, pipe);
    assert_ptr_equal(socket_pipe_take(&pipes), pipe);
    socket_pipe_give(&pipes, pipe);
    socket_pipes_fini(&pipes);
    free(bytes);
}

static void the_end_comes_through_splice_too(void **state)
{
    struct socket_pipes pipes;
    size_t n;
    socket_pipes_init(&pipes);
    struct socket_pipe *pipe = socket_pipe_take(&pipes);
    socket_pair_connect(&pair);
    pair.server.reads = false;
    assert_int_equal(socket_splice_in(&pair.server.socket, pipe, 10, &n), IO_AGAIN);
    socket_pair_write(&pair, &pair.client, TEXT_OF("abc"));
    socket_shutdown(&pair.client.socket);
    socket_pair_run_ms(&pair, 5);
    assert_int_equal(socket_splice_in(&pair.server.socket, pipe, 10, &n), IO_DONE);
    assert_int_equal(n, 3);
    assert_int_equal(socket_splice_in(&pair.server.socket, pipe, 10, &n), IO_EOF);
    socket_pipe_give(&pipes, pipe); /* filled: closed */
    assert_int_equal(pipes.count, 0);
    socket_pipes_fini(&pipes);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(bytes_arrive),
        TEST(addresses_are_known),
        TEST(much_arrives_whole),
        TEST(a_queue_is_written_and_its_rest_kept),
        TEST(a_paused_socket_is_quiet),
        TEST(the_end_is_told_once_and_the_other_way_stays_open),
        TEST(a_reset_is_known_by_its_name),
        TEST(a_refused_connection_is_known_by_its_name),
        TEST(unix_sockets_connect_at_once_or_not_at_all),
        TEST(a_look_leaves_the_bytes),
        TEST(an_answer_survives_a_peer_that_keeps_sending),
        TEST(lingering_ends_after_so_many_bytes),
        TEST(spliced_bytes_are_the_same),
        TEST(the_end_comes_through_splice_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
