/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/gatewayd/socket_pair.h"

#include "conf/base/mem.h"
#include "gatewayd/core/metrics.h"

static void keep_why(struct socket_end *e)
{
    struct text why = socket_print_why(&e->socket, e->why);
    if (why.at != e->why) {
        memcpy(e->why, why.at, why.length);
        e->why[why.length] = '\0';
    }
}

static void on_ready(void *arg)
{
    struct socket_end *e = arg;
    e->ready++;
    if (!socket_is_ready(&e->socket))
        keep_why(e);
}

static void on_readable(void *arg)
{
    struct socket_end *e = arg;
    e->readable++;
    if (!e->reads)
        return;
    if (e->got_size - e->got_length < e->read_size) {
        e->got_size = e->got_size * 2 + e->read_size;
        e->got = mem_resize(e->got, e->got_size);
    }
    size_t n;
    e->last = socket_read(&e->socket, e->got + e->got_length, e->read_size, &n);
    e->got_length += n;
    if (e->last == IO_BROKEN) {
        keep_why(e);
        socket_close(&e->socket);
    }
}

static void on_writable(void *arg)
{
    struct socket_end *e = arg;
    e->writable++;
}

static const struct socket_handlers handlers = { on_ready, on_readable, on_writable };

static void init_end(struct socket_pair *p, struct socket_end *e)
{
    *e = (struct socket_end){ .reads = true, .read_size = 4096 };
    socket_init(&e->socket, p->loop, &handlers, e);
}

static void fini_end(struct socket_end *e)
{
    socket_close(&e->socket);
    MEM_FREE(&e->got);
}

static void on_accept(void *arg, int fd, const struct address *peer)
{
    struct socket_pair *p = arg;
    socket_open(&p->server.socket, fd);
    p->accepted = true;
}

void socket_pair_init(struct socket_pair *p)
{
    static const struct place nowhere = { 0 };
    struct problems ps;
    struct address any;
    *p = (struct socket_pair){ .loop = loop_new("pair") };
    metrics_start(1);
    problems_init(&ps);
    listen_table_init(&p->table);
    MUST(address_parse(TEXT_OF("127.0.0.1:0"), &any));
    p->listener = listen_table_open(&p->table, TEXT_OF("pair"), &any, 1, nowhere, &ps);
    MUST(p->listener != NULL);
    listen_acceptor_start(&p->acceptor, p->loop, listen_entry_fd(p->listener, 0, 1, 0), NULL,
                          on_accept, p);
    init_end(p, &p->client);
    init_end(p, &p->server);
    problems_fini(&ps);
}

void socket_pair_fini(struct socket_pair *p)
{
    fini_end(&p->client);
    fini_end(&p->server);
    listen_acceptor_stop(&p->acceptor);
    listen_table_fini(&p->table);
    socket_stop_lingering();
    loop_free(&p->loop);
    metrics_stop();
}

static void do_nothing(void *arg)
{
}

bool socket_pair_run_until(struct socket_pair *p, bool (*what)(struct socket_pair *p))
{
    struct loop_timer tick;
    loop_timer_init(&tick, p->loop, do_nothing, NULL);
    uint64_t end = clock_read_ms() + 20000;
    while (!what(p) && clock_read_ms() < end) {
        loop_timer_start(&tick, 10);
        loop_run_once(p->loop, true);
    }
    loop_timer_stop(&tick);
    return what(p);
}

void socket_pair_run(struct socket_pair *p, unsigned turns)
{
    while (turns-- > 0)
        loop_run_once(p->loop, false);
}

void socket_pair_run_ms(struct socket_pair *p, uint64_t ms)
{
    struct loop_timer tick;
    loop_timer_init(&tick, p->loop, do_nothing, NULL);
    for (uint64_t end = clock_read_ms() + ms; clock_read_ms() < end;) {
        loop_timer_start(&tick, 2);
        loop_run_once(p->loop, true);
    }
    loop_timer_stop(&tick);
}

static bool are_both_ready(struct socket_pair *p)
{
    return p->accepted && socket_is_ready(&p->client.socket) && socket_is_ready(&p->server.socket);
}

void socket_pair_connect(struct socket_pair *p)
{
    enum io io = socket_connect(&p->client.socket, &p->listener->address);
    MUST(io == IO_AGAIN || io == IO_DONE);
    MUST(socket_pair_run_until(p, are_both_ready));
}

static bool is_handshake_over(struct socket_pair *p)
{
    return p->client.ready > 0 && p->server.ready > 0;
}

void socket_pair_start_tls(struct socket_pair *p, struct tls_server *server,
                           struct tls_client *client, struct text name, struct tls_session *session)
{
    p->client.ready = 0;
    p->server.ready = 0;
    MUST(socket_start_tls_server(&p->server.socket, server) == IO_AGAIN);
    MUST(socket_start_tls_client(&p->client.socket, client, name, session) == IO_AGAIN);
    (void)socket_pair_run_until(p, is_handshake_over);
}

void socket_pair_write(struct socket_pair *p, struct socket_end *from, struct text bytes)
{
    uint64_t end = clock_read_ms() + 5000;
    while (bytes.length > 0 && clock_read_ms() < end) {
        struct iovec iov = { (void *)bytes.at, bytes.length };
        size_t n;
        enum io io = socket_writev(&from->socket, &iov, 1, &n);
        MUST(io == IO_DONE || io == IO_AGAIN);
        bytes = text_from(bytes.at + n, bytes.length - n);
        if (bytes.length > 0)
            loop_run_once(p->loop, true);
    }
    MUST(bytes.length == 0);
}

bool socket_pair_read(struct socket_pair *p, struct socket_end *to, size_t bytes)
{
    uint64_t end = clock_read_ms() + 5000;
    struct loop_timer tick;
    loop_timer_init(&tick, p->loop, do_nothing, NULL);
    while (to->got_length < bytes && clock_read_ms() < end) {
        loop_timer_start(&tick, 10);
        loop_run_once(p->loop, true);
    }
    loop_timer_stop(&tick);
    return to->got_length >= bytes;
}
