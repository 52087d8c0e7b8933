/* SPDX-License-Identifier: Apache-2.0 */
/* test_listen.c - binding, sharing, being given descriptors, and accepting within bounds. */
#include "tests/unit/gatewayd/cmocka_all.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gatewayd/core/metrics.h"
#include "gatewayd/net/listen_private.h"

static struct loop *loop;
static struct listen_table table;
static struct problems problems;
static const struct place nowhere;

static int start(void **state)
{
    loop = loop_new("listen");
    metrics_start(1);
    listen_table_init(&table);
    problems_init(&problems);
    return 0;
}

static int stop(void **state)
{
    listen_table_fini(&table);
    problems_fini(&problems);
    loop_free(&loop);
    metrics_stop();
    return 0;
}

static struct address address_of(const char *text)
{
    struct address a;
    assert_true(address_parse(text_of(text), &a));
    return a;
}

static struct listen_entry *open_entry(const char *name, const char *address, unsigned workers)
{
    struct address a = address_of(address);
    return listen_table_open(&table, text_of(name), &a, workers, nowhere, &problems);
}

static int connect_to(const struct address *a)
{
    int fd = socket(a->any.sa_family, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &a->any, a->length), 0);
    return fd;
}

/* ---- the table ------------------------------------------------------------------------------ */

static void tcp_has_a_descriptor_for_each_worker(void **state)
{
    struct listen_entry *e = open_entry("http", "127.0.0.1:0", 3);
    assert_non_null(e);
    assert_int_equal(e->count, 3);
    assert_int_not_equal(address_port(&e->address), 0);
    assert_ptr_equal(listen_table_find(&table, TEXT_OF("http")), e);
    assert_int_not_equal(listen_entry_fd(e, 0, 3, 0), listen_entry_fd(e, 1, 3, 0));
    assert_int_equal(listen_entry_fd(e, 0, 3, 1), -1);
    /* Fewer workers than before: nobody's queue is left alone. */
    assert_int_equal(listen_entry_fd(e, 0, 2, 1), e->fds[2]);
    assert_int_equal(listen_entry_fd(e, 1, 2, 1), -1);
    listen_table_close(&table, e);
    assert_null(listen_table_find(&table, TEXT_OF("http")));
}

static void ipv6_leaves_ipv4_alone(void **state)
{
    struct listen_entry *v6 = open_entry("six", "[::]:0", 1);
    if (v6 == NULL)
        return; /* no IPv6 here */
    char text[32];
    snprintf(text, sizeof(text), "0.0.0.0:%u", address_port(&v6->address));
    assert_non_null(open_entry("four", text, 1));
}

static void an_address_in_use_is_a_problem(void **state)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &length), 0);
    char text[32];
    snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(a.sin_port));
    assert_null(open_entry("http", text, 2));
    assert_int_equal(problems.count, 1);
    assert_non_null(strstr(problems.items[0].sentence, "Address already in use"));
    assert_null(listen_table_find(&table, TEXT_OF("http")));
    close(fd);
}

/* The workers of one process share an address by SO_REUSEPORT; two processes must not. */
static void another_process_of_ours_is_noticed(void **state)
{
    struct listen_table other;
    char text[32];
    struct listen_entry *e = open_entry("http", "127.0.0.1:0", 2);
    assert_non_null(e);
    struct address a = e->address;
    listen_table_init(&other);
    assert_null(listen_table_open(&other, TEXT_OF("http"), &a, 2, nowhere, &problems));
    assert_int_equal(problems.count, 1);
    snprintf(text, sizeof(text), "%u", address_port(&a));
    assert_non_null(strstr(problems.items[0].sentence, text));
    listen_table_close(&table, e);
    assert_non_null(listen_table_open(&other, TEXT_OF("http"), &a, 2, nowhere, &problems));
    listen_table_fini(&other);
}

static void a_stale_socket_file_is_replaced_and_a_live_one_is_not(void **state)
{
    char text[64];
    struct stat st;
    snprintf(text, sizeof(text), "unix:/tmp/gatewayd-test-listen.%d", (int)getpid());
    const char *path = text + strlen("unix:");
    unlink(path);
    struct listen_entry *e = open_entry("a", text, 4);
    assert_non_null(e);
    assert_true(e->is_shared);
    assert_int_equal(e->count, 1);
    assert_int_equal(listen_entry_fd(e, 3, 4, 0), e->fds[0]);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0666);

    struct listen_table other;
    struct address a = address_of(text);
    listen_table_init(&other);
    assert_null(listen_table_open(&other, TEXT_OF("b"), &a, 1, nowhere, &problems));
    listen_table_close(&table, e);
    assert_non_null(listen_table_open(&other, TEXT_OF("b"), &a, 1, nowhere, &problems));
    listen_table_fini(&other);
    unlink(path);
}

static void given_descriptors_are_taken_by_address(void **state)
{
    struct listen_entry *mine = open_entry("http", "127.0.0.1:0", 2);
    char text[ADDRESS_TEXT_SIZE];
    struct text address = address_print(&mine->address, text);
    text[address.length] = '\0';

    struct listen_table next;
    struct address same = mine->address;
    listen_table_init(&next);
    for (unsigned i = 0; i < mine->count; i++)
        listen_table_give(&next, TEXT_EMPTY, dup(mine->fds[i]));
    struct listen_entry *e = listen_table_open(&next, TEXT_OF("web"), &same, 3, nowhere, &problems);
    assert_non_null(e);
    assert_true(e->is_given);
    assert_false(e->is_shared);
    assert_int_equal(e->count, 3); /* one more was opened beside them */
    assert_string_equal(e->name, "web");
    listen_table_fini(&next);
}

static void inherit(struct listen_table *t, const struct listen_entry *e, const char *name)
{
    for (unsigned i = 0; i < e->count; i++)
        listen_table_inherit(t, &(struct listen_heirloom){ .name = text_of(name),
                                                           .asked = e->asked,
                                                           .fd = dup(e->fds[i]) });
}

/* By what was configured, whatever the port that was bound; more are added that listen later. */
static void inherited_descriptors_are_taken_by_what_was_asked(void **state)
{
    struct listen_entry *mine = open_entry("http", "127.0.0.1:0", 2);
    struct address asked = address_of("127.0.0.1:0");
    struct listen_table next;
    int listening = 0;
    socklen_t size = sizeof(listening);
    listen_table_init(&next);
    next.is_waiting = true;
    inherit(&next, mine, "http");
    struct listen_entry *e =
        listen_table_open(&next, TEXT_OF("web"), &asked, 3, nowhere, &problems);
    assert_non_null(e);
    assert_true(address_equals(&e->address, &mine->address));
    assert_false(e->is_given);
    assert_int_equal(e->count, 3);
    assert_int_equal(getsockopt(e->fds[2], SOL_SOCKET, SO_ACCEPTCONN, &listening, &size), 0);
    assert_int_equal(listening, 0);
    listen_table_listen(&next);
    assert_int_equal(getsockopt(e->fds[2], SOL_SOCKET, SO_ACCEPTCONN, &listening, &size), 0);
    assert_int_equal(listening, 1);
    listen_table_fini(&next);
}

static void what_nobody_opens_is_dropped(void **state)
{
    struct listen_entry *mine = open_entry("http", "127.0.0.1:0", 1);
    struct listen_table next;
    struct address other = address_of("127.0.0.2:0");
    listen_table_init(&next);
    inherit(&next, mine, "http");
    struct listen_entry *e =
        listen_table_open(&next, TEXT_OF("http"), &other, 1, nowhere, &problems);
    assert_non_null(e); /* of the same name, and another address: not the inherited one */
    assert_false(e->is_inherited);
    listen_table_drop_unopened(&next);
    assert_ptr_equal(listen_table_find(&next, TEXT_OF("http")), e);
    listen_table_fini(&next);
}

static void what_was_passed_on_is_left_alone_at_the_end(void **state)
{
    struct listen_entry *mine = open_entry("http", "127.0.0.1:0", 1);
    int kept = dup(mine->fds[0]);
    struct address address = mine->address;
    mine->is_passed_on = true;
    listen_table_hold_handshakes(&table);
    listen_table_drop_passed_on(&table);
    assert_null(listen_table_find(&table, TEXT_OF("http")));
    /* Who has a copy accepts as before. */
    int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, &address.any, address.length), 0);
    close(client);
    close(kept);
}

/* Its handshake has begun, or will when it tries again. */
static int begin_to_connect(const struct address *a)
{
    int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(fd, &a->any, a->length), -1);
    return fd;
}

static bool is_heard_of(int fd, int events, int ms)
{
    return poll(&(struct pollfd){ .fd = fd, .events = (short)events }, 1, ms) == 1;
}

static void nobody_new_gets_through(const struct address *a)
{
    int client = begin_to_connect(a);
    assert_false(is_heard_of(client, POLLOUT, 200)); /* neither in nor reset */
    close(client);
}

static void at_the_end_no_handshake_begins(void **state)
{
    static const char *const addresses[] = { "127.0.0.1:0", "[::1]:0" };
    for (size_t i = 0; i < ARRAY_LENGTH(addresses); i++) {
        struct listen_entry *e = open_entry("http", addresses[i], 1);
        int before = connect_to(&e->address);
        listen_table_hold_handshakes(&table);
        nobody_new_gets_through(&e->address);
        int fd = accept(e->fds[0], NULL, NULL);
        assert_int_equal(write(before, "x", 1), 1);
        assert_true(is_heard_of(fd, POLLIN, 1000));
        close(fd);
        close(before);
        listen_table_close(&table, e);
    }
}

/* What the accepted ones inherit is set right, so that they are heard like all others. */
static void nor_where_filters_are_refused(void **state)
{
    static const char *const addresses[] = { "127.0.0.1:0", "[::1]:0", "[::]:0" };
    for (size_t i = 0; i < ARRAY_LENGTH(addresses); i++) {
        struct listen_entry *e = open_entry("http", addresses[i], 1);
        int before = connect_to(&e->address);
        listen_hold_by_hops(e->fds[0]);
        nobody_new_gets_through(&e->address);
        int fd = accept(e->fds[0], NULL, NULL);
        listen_hold_by_hops(fd); /* as one whose handshake ended just now */
        assert_int_equal(write(before, "x", 1), 1);
        assert_false(is_heard_of(fd, POLLIN, 50));
        listen_hold_take_over(fd);
        assert_true(is_heard_of(fd, POLLIN, 5000)); /* it was sent again */
        close(fd);
        close(before);
        listen_table_close(&table, e);
    }
}

static void what_is_no_listening_socket_is_closed(void **state)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    listen_table_give(&table, TEXT_OF("x"), fds[0]);
    assert_true(list_is_empty(&table.entries));
    assert_int_equal(fcntl(fds[0], F_GETFD), -1);
    close(fds[1]);
}

static void one_without_reuseport_is_shared(void **state)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 1), 0);
    listen_table_give(&table, TEXT_OF("http"), fd);
    struct address other = address_of("127.0.0.1:1");
    struct listen_entry *e =
        listen_table_open(&table, TEXT_OF("http"), &other, 4, nowhere, &problems);
    assert_non_null(e); /* by its name, wherever it listens */
    assert_true(e->is_shared);
    assert_int_equal(e->count, 1);
    assert_true(fcntl(e->fds[0], F_GETFD) & FD_CLOEXEC);
}

/* ---- accepting ------------------------------------------------------------------------------ */

enum { MANY = 64 };

static int accepted[MANY];
static unsigned accepted_count;
static struct listen_acceptor acceptor;

static void on_accept(void *arg, int fd, const struct address *peer)
{
    assert_true(accepted_count < MANY);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    accepted[accepted_count++] = fd;
}

static void run_ms(uint64_t ms)
{
    for (uint64_t end = clock_read_ms() + ms; clock_read_ms() < end;) {
        loop_run_once(loop, false);
        usleep(500);
    }
}

static void run_until_accepted(unsigned count)
{
    for (int i = 0; i < 20000 && accepted_count < count; i++)
        run_ms(1);
    assert_int_equal(accepted_count, count);
}

static void run_until_paused(enum metric metric)
{
    for (int i = 0; i < 20000 && metrics_sum(metrics_node(), metric) == 0; i++)
        run_ms(1);
    assert_true(metrics_sum(metrics_node(), metric) >= 1);
}

static void close_accepted(struct listen_budget *budget)
{
    while (accepted_count > 0) {
        close(accepted[--accepted_count]);
        if (budget != NULL)
            listen_budget_give(budget);
    }
}

static void accepting_is_bounded_per_turn(void **state)
{
    struct listen_entry *e = open_entry("http", "127.0.0.1:0", 1);
    int clients[40];
    listen_acceptor_start(&acceptor, loop, e->fds[0], NULL, on_accept, NULL);
    for (int i = 0; i < 40; i++)
        clients[i] = connect_to(&e->address);
    loop_run_once(loop, true);
    assert_int_equal(accepted_count, LISTEN_BATCH);
    run_until_accepted(40);
    for (int i = 0; i < 40; i++)
        close(clients[i]);
    listen_acceptor_stop(&acceptor);
    listen_acceptor_stop(&acceptor);
    close_accepted(NULL);
}

static void at_the_budgets_end_it_pauses_and_goes_on(void **state)
{
    struct listen_entry *e = open_entry("http", "127.0.0.1:0", 1);
    struct listen_budget budget;
    int clients[4];
    listen_budget_init(&budget, 2);
    listen_acceptor_start(&acceptor, loop, e->fds[0], &budget, on_accept, NULL);
    for (int i = 0; i < 4; i++)
        clients[i] = connect_to(&e->address);
    run_until_paused(METRIC_ACCEPT_PAUSES_CONNECTIONS);
    assert_int_equal(accepted_count, 2);
    assert_int_equal(listen_budget_used(&budget), 2);
    close_accepted(&budget);
    run_until_accepted(2);
    for (int i = 0; i < 4; i++)
        close(clients[i]);
    listen_acceptor_stop(&acceptor);
    close_accepted(&budget);
    assert_int_equal(listen_budget_used(&budget), 0);
}

static void without_descriptors_it_pauses_and_goes_on(void **state)
{
    struct listen_entry *e = open_entry("http", "127.0.0.1:0", 1);
    struct rlimit old;
    struct listen_budget budget;
    listen_budget_init(&budget, 0);
    listen_acceptor_start(&acceptor, loop, e->fds[0], &budget, on_accept, NULL);
    int client = connect_to(&e->address);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit none_left = { (rlim_t)client, old.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none_left), 0);
    run_until_paused(METRIC_ACCEPT_PAUSES_DESCRIPTORS);
    assert_int_equal(accepted_count, 0);
    assert_int_equal(listen_budget_used(&budget), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    run_until_accepted(1);
    close(client);
    listen_acceptor_stop(&acceptor);
    close_accepted(&budget);
}

static void one_that_is_held_accepts_nothing(void **state)
{
    struct listen_entry *e = open_entry("http", "127.0.0.1:0", 1);
    listen_acceptor_start(&acceptor, loop, e->fds[0], NULL, on_accept, NULL);
    listen_acceptor_hold(&acceptor);
    int client = connect_to(&e->address);
    run_ms(30);
    assert_int_equal(accepted_count, 0);
    listen_acceptor_resume(&acceptor);
    run_until_accepted(1);
    close(client);
    listen_acceptor_stop(&acceptor);
    close_accepted(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(tcp_has_a_descriptor_for_each_worker),
        TEST(ipv6_leaves_ipv4_alone),
        TEST(an_address_in_use_is_a_problem),
        TEST(another_process_of_ours_is_noticed),
        TEST(a_stale_socket_file_is_replaced_and_a_live_one_is_not),
        TEST(given_descriptors_are_taken_by_address),
        TEST(inherited_descriptors_are_taken_by_what_was_asked),
        TEST(what_nobody_opens_is_dropped),
        TEST(what_was_passed_on_is_left_alone_at_the_end),
        TEST(at_the_end_no_handshake_begins),
        TEST(nor_where_filters_are_refused),
        TEST(what_is_no_listening_socket_is_closed),
        TEST(one_without_reuseport_is_shared),
        TEST(accepting_is_bounded_per_turn),
        TEST(at_the_budgets_end_it_pauses_and_goes_on),
        TEST(without_descriptors_it_pauses_and_goes_on),
        TEST(one_that_is_held_accepts_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
