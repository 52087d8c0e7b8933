/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socket.c - connections: opening, connecting, shaking hands, reading, writing, closing.
 */
#include "gatewayd/net/socket.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gatewayd/net/socket_call.h"
#include "gatewayd/net/socket_private.h"
#include "gatewayd/net/tls_stream.h"

/* Written bytes that nobody acknowledges for so long mean that the peer is gone. */
#define USER_TIMEOUT_MS   30000
#define KEEPALIVE_SECONDS 60

static void on_read_event(void *arg);
static void on_write_event(void *arg);

/* ---- failures ------------------------------------------------------------------------------- */

static enum socket_why why_of(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return SOCKET_REFUSED;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case ENOENT:
    case EACCES:
    case EPERM:
        return SOCKET_UNREACHABLE;
    case ETIMEDOUT:
        return SOCKET_TIMED_OUT;
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED:
        return SOCKET_RESET;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL:
    case EAGAIN:
        return SOCKET_NO_RESOURCE;
    default:
        return SOCKET_OTHER;
    }
}

enum io socket_fail(struct socket *s, int error)
{
    s->error = error;
    s->why = why_of(error);
    return IO_BROKEN;
}

static enum io fail_tls(struct socket *s)
{
    s->error = s->tls->system_error;
    if (s->tls->is_cut)
        s->why = SOCKET_CUT;
    else
        s->why = s->error != 0 ? why_of(s->error) : SOCKET_TLS;
    return IO_BROKEN;
}

static struct text describe_why(enum socket_why why)
{
    switch (why) {
    case SOCKET_REFUSED:
        return TEXT_OF("connection refused");
    case SOCKET_UNREACHABLE:
        return TEXT_OF("the address cannot be reached");
    case SOCKET_TIMED_OUT:
        return TEXT_OF("the peer does not answer any more");
    case SOCKET_RESET:
        return TEXT_OF("connection reset by the peer");
    case SOCKET_CUT:
        return TEXT_OF("the connection was cut off without TLS saying goodbye");
    case SOCKET_NO_RESOURCE:
        return TEXT_OF("out of descriptors, ports or memory");
    case SOCKET_TLS:
    case SOCKET_OTHER:
    case SOCKET_OK:
        break;
    }
    return TEXT_EMPTY;
}

struct text socket_print_why(const struct socket *s, char into[SOCKET_WHY_SIZE])
{
    if (s->why == SOCKET_OK)
        return TEXT_OF("nothing is wrong");
    if (s->why == SOCKET_TLS && s->tls != NULL)
        return tls_stream_print_error(s->tls, into, SOCKET_WHY_SIZE);
    struct text known = describe_why(s->why);
    if (!text_is_empty(known))
        return known;
    if (s->error == 0)
        return TEXT_OF("TLS failed");
    return text_of(strerror_r(s->error, into, SOCKET_WHY_SIZE));
}

/* ---- events --------------------------------------------------------------------------------- */

static void start_reading(struct socket *s)
{
    if (s->wants_read)
        loop_watch_start_read(&s->watch, on_read_event);
}

/* Bytes inside TLS are announced by nobody else. */
static void announce_pending(struct socket *s)
{
    if (s->tls == NULL || s->state != SOCKET_READY || !s->wants_read)
        return;
    if (tls_stream_has_pending(s->tls))
        loop_defer(s->watch.loop, &s->tls->again);
}

/* The handler may have closed the socket, but its memory lives until the end of the turn. */
static void run_readable(struct socket *s)
{
    s->read_ended = false;
    s->handlers->on_readable(s->arg);
    announce_pending(s);
}

static void run_ready(struct socket *s)
{
    if (s->state != SOCKET_READY)
        loop_watch_stop(&s->watch);
    s->handlers->on_ready(s->arg);
    announce_pending(s);
}

static void on_again(void *arg)
{
    struct socket *s = arg;
    if (s->state == SOCKET_READY && s->wants_read)
        run_readable(s);
}

void socket_expect_room(struct socket *s)
{
    s->wants_write = true;
    loop_watch_start_write(&s->watch, on_write_event);
}

static void finish_connecting(struct socket *s)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(s->watch.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    loop_watch_stop_write(&s->watch);
    if (error != 0) {
        (void)socket_fail(s, error);
    } else {
        s->state = SOCKET_READY;
        start_reading(s);
    }
    run_ready(s);
}

static enum io shake_hands(struct socket *s)
{
    enum io result = tls_stream_handshake(s->tls);
    if (result == IO_AGAIN && s->tls->wants_write)
        loop_watch_start_write(&s->watch, on_write_event);
    else
        loop_watch_stop_write(&s->watch);
    if (result == IO_DONE) {
        s->state = SOCKET_READY;
        if (!s->wants_read)
            loop_watch_stop_read(&s->watch);
    }
    return result == IO_BROKEN ? fail_tls(s) : result;
}

static void go_on_shaking_hands(struct socket *s)
{
    if (shake_hands(s) != IO_AGAIN)
        run_ready(s);
}

static void on_read_event(void *arg)
{
    struct socket *s = arg;
    if (LIKELY(s->state == SOCKET_READY))
        run_readable(s);
    else if (s->state == SOCKET_HANDSHAKING)
        go_on_shaking_hands(s);
}

static void on_write_event(void *arg)
{
    struct socket *s = arg;
    if (s->state == SOCKET_CONNECTING) {
        finish_connecting(s);
        return;
    }
    if (s->state == SOCKET_HANDSHAKING) {
        go_on_shaking_hands(s);
        return;
    }
    s->wants_write = false;
    s->handlers->on_writable(s->arg);
    /* Left on if that write was short again: no epoll_ctl between. Another state means another
     * connection, begun by the handler. */
    if (!s->wants_write && s->state == SOCKET_READY)
        loop_watch_stop_write(&s->watch);
}

/* ---- life ----------------------------------------------------------------------------------- */

void socket_init(struct socket *s, struct loop *loop, const struct socket_handlers *handlers,
                 void *arg)
{
    *s = (struct socket){ .handlers = handlers, .arg = arg };
    s->watch.loop = loop;
    s->watch.fd = -1;
}

static void begin(struct socket *s, int fd, enum socket_state state)
{
    MUST(s->state == SOCKET_CLOSED);
    loop_watch_init(&s->watch, s->watch.loop, fd, s);
    s->state = state;
    s->why = SOCKET_OK;
    s->error = 0;
    s->wants_read = true;
    s->wants_write = false;
    s->read_ended = false;
    s->shut = false;
}

void socket_open(struct socket *s, int fd)
{
    begin(s, fd, SOCKET_READY);
    start_reading(s);
}

static void set_number(int fd, int level, int option, int value)
{
    /* Refusing one costs comfort, not correctness. */
    (void)setsockopt(fd, level, option, &value, sizeof(value));
}

static int open_towards(const struct address *to)
{
    int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || to->any.sa_family == AF_UNIX)
        return fd;
    set_number(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_number(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
    set_number(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_SECONDS);
    set_number(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    return fd;
}

enum io socket_connect(struct socket *s, const struct address *to)
{
    MUST(s->state == SOCKET_CLOSED);
    int fd = open_towards(to);
    if (fd < 0)
        return socket_fail(s, errno);
    if (connect(fd, &to->any, to->length) == 0) {
        socket_open(s, fd);
        return IO_DONE;
    }
    if (errno != EINPROGRESS) {
        /* On a unix socket it is their queue that is full. */
        bool is_refused = errno == EAGAIN && to->any.sa_family == AF_UNIX;
        enum io result = socket_fail(s, is_refused ? ECONNREFUSED : errno);
        close(fd);
        return result;
    }
    begin(s, fd, SOCKET_CONNECTING);
    loop_watch_start_write(&s->watch, on_write_event);
    return IO_AGAIN;
}

static enum io start_tls(struct socket *s, struct tls_stream *tls)
{
    MUST(s->state == SOCKET_READY && s->tls == NULL);
    if (tls == NULL)
        return socket_fail(s, ENOMEM);
    s->tls = tls;
    loop_task_init(&tls->again, on_again, s);
    s->state = SOCKET_HANDSHAKING;
    loop_watch_start_read(&s->watch, on_read_event);
    return IO_AGAIN;
}

/* The client speaks first, so nothing is tried before the event. */
enum io socket_start_tls_server(struct socket *s, struct tls_server *tls)
{
    return start_tls(s, tls_stream_new_server(tls, s->watch.fd));
}

enum io socket_start_tls_client(struct socket *s, struct tls_client *tls, struct text server_name,
                                struct tls_session *session)
{
    enum io result = start_tls(s, tls_stream_new_client(tls, s->watch.fd, server_name, session));
    if (result == IO_BROKEN)
        return result;
    result = shake_hands(s);
    if (result != IO_DONE)
        return result;
    /* The server was faster than we are: that is told from the loop all the same. */
    s->state = SOCKET_HANDSHAKING;
    loop_watch_start_write(&s->watch, on_write_event);
    return IO_AGAIN;
}

static void forget(struct socket *s)
{
    tls_stream_free(&s->tls);
    s->watch.fd = -1;
    s->state = SOCKET_CLOSED;
}

static void cancel_again(struct socket *s)
{
    if (s->tls != NULL)
        loop_task_cancel(&s->tls->again);
}

static void stop_events(struct socket *s)
{
    loop_watch_stop(&s->watch);
    cancel_again(s);
    s->wants_write = false;
}

void socket_close(struct socket *s)
{
    if (s->state == SOCKET_CLOSED)
        return;
    if (s->tls != NULL && s->state == SOCKET_READY)
        tls_stream_say_goodbye(s->tls);
    stop_events(s);
    close(s->watch.fd);
    forget(s);
}

void socket_reset(struct socket *s)
{
    if (s->state == SOCKET_CLOSED)
        return;
    struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    (void)setsockopt(s->watch.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    stop_events(s);
    close(s->watch.fd);
    forget(s);
}

void socket_shutdown(struct socket *s)
{
    if (s->state != SOCKET_READY || s->shut)
        return;
    s->shut = true;
    if (s->tls != NULL)
        tls_stream_say_goodbye(s->tls);
    (void)shutdown(s->watch.fd, SHUT_WR);
}

int socket_take_fd(struct socket *s)
{
    if (s->state != SOCKET_READY || s->tls != NULL)
        return -1;
    stop_events(s);
    int fd = s->watch.fd;
    forget(s);
    return fd;
}

void socket_set_handlers(struct socket *s, const struct socket_handlers *handlers, void *arg)
{
    s->handlers = handlers;
    s->arg = arg;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

/* The end would be announced in each turn from now on. */
static enum io end_reading(struct socket *s)
{
    socket_pause_read(s);
    return IO_EOF;
}

static enum io receive(struct socket *s, void *into, size_t size, int flags, size_t *got_out)
{
    ssize_t n;
    do {
        n = socket_call_recv(s->watch.fd, into, size, flags);
    } while (UNLIKELY(n < 0 && errno == EINTR));
    s->read_ended = n < (ssize_t)size;
    if (LIKELY(n > 0)) {
        *got_out = (size_t)n;
        return IO_DONE;
    }
    if (n == 0)
        return end_reading(s);
    return errno == EAGAIN ? IO_AGAIN : socket_fail(s, errno);
}

enum io socket_read(struct socket *s, void *into, size_t size, size_t *got_out)
{
    MUST(s->state == SOCKET_READY && size > 0);
    *got_out = 0;
    if (s->tls == NULL)
        return receive(s, into, size, 0, got_out);
    enum io result = tls_stream_read(s->tls, into, size, got_out);
    s->read_ended = !tls_stream_has_pending(s->tls);
    if (result == IO_BROKEN)
        return fail_tls(s);
    if (result == IO_EOF)
        return end_reading(s);
    /* Reading outside of on_readable: what stays inside would be announced by nobody. */
    announce_pending(s);
    return result;
}

enum io socket_peek(struct socket *s, void *into, size_t size, size_t *got_out)
{
    MUST(s->state == SOCKET_READY && s->tls == NULL && size > 0);
    *got_out = 0;
    return receive(s, into, size, MSG_PEEK, got_out);
}

bool socket_has_unread(struct socket *s)
{
    char byte;
    ssize_t n;
    MUST(s->state == SOCKET_READY);
    if (s->tls != NULL && tls_stream_has_pending(s->tls))
        return true;
    do {
        n = socket_call_recv(s->watch.fd, &byte, 1, MSG_PEEK);
    } while (UNLIKELY(n < 0 && errno == EINTR));
    return n >= 0 || errno != EAGAIN;
}

static enum io send_plain(struct socket *s, const struct iovec *iov, unsigned count,
                          size_t *written_out)
{
    struct msghdr message = { .msg_iov = (struct iovec *)iov, .msg_iovlen = count };
    ssize_t n;
    do {
        n = count == 1 ? socket_call_send(s->watch.fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL)
                       : socket_call_sendmsg(s->watch.fd, &message, MSG_NOSIGNAL);
    } while (UNLIKELY(n < 0 && errno == EINTR));
    if (LIKELY(n >= 0)) {
        *written_out = (size_t)n;
        return IO_DONE;
    }
    return errno == EAGAIN ? IO_AGAIN : socket_fail(s, errno);
}

static size_t sum_of(const struct iovec *iov, unsigned count)
{
    size_t sum = 0;
    for (unsigned i = 0; i < count; i++)
        sum += iov[i].iov_len;
    return sum;
}

enum io socket_writev(struct socket *s, const struct iovec *iov, unsigned count,
                      size_t *written_out)
{
    MUST(s->state == SOCKET_READY);
    *written_out = 0;
    enum io result;
    if (LIKELY(s->tls == NULL)) {
        result = send_plain(s, iov, count, written_out);
    } else {
        result = tls_stream_writev(s->tls, iov, count, written_out);
        if (result == IO_BROKEN)
            return fail_tls(s);
    }
    if (result == IO_BROKEN)
        return result;
    if (LIKELY(*written_out == sum_of(iov, count)))
        return IO_DONE;
    socket_expect_room(s);
    return IO_AGAIN;
}

enum io socket_write_queue(struct socket *s, struct outq *q)
{
    if (outq_is_empty(q))
        return IO_DONE;
    struct iovec iov[OUTQ_SLICES];
    unsigned count = outq_peek(q, iov, OUTQ_SLICES);
    size_t written;
    enum io result = socket_writev(s, iov, count, &written);
    outq_remove(q, written);
    return result;
}

void socket_pause_read(struct socket *s)
{
    if (!s->wants_read)
        return;
    s->wants_read = false;
    cancel_again(s);
    if (s->state == SOCKET_READY)
        loop_watch_stop_read(&s->watch);
}

void socket_resume_read(struct socket *s)
{
    if (s->wants_read)
        return;
    s->wants_read = true;
    if (s->state != SOCKET_READY)
        return;
    start_reading(s);
    announce_pending(s);
}

void socket_want_write(struct socket *s)
{
    MUST(s->state == SOCKET_READY);
    socket_expect_room(s);
}

/* ---- what it is ----------------------------------------------------------------------------- */

bool socket_get_local(const struct socket *s, struct address *local_out)
{
    struct address a = { .length = sizeof(a.local) };
    if (getsockname(s->watch.fd, &a.any, &a.length) != 0)
        return false;
    *local_out = a;
    return true;
}

struct text socket_alpn(const struct socket *s)
{
    return s->tls == NULL ? TEXT_EMPTY : tls_stream_alpn(s->tls);
}

struct text socket_sni(const struct socket *s)
{
    return s->tls == NULL ? TEXT_EMPTY : tls_stream_sni(s->tls);
}

struct text socket_tls_version(const struct socket *s)
{
    return s->tls == NULL ? TEXT_EMPTY : tls_stream_version(s->tls);
}

struct text socket_tls_cipher(const struct socket *s)
{
    return s->tls == NULL ? TEXT_EMPTY : tls_stream_cipher(s->tls);
}

bool socket_tls_is_resumed(const struct socket *s)
{
    return s->tls != NULL && tls_stream_is_resumed(s->tls);
}

struct text socket_peer_name(const struct socket *s, char into[SOCKET_WHY_SIZE])
{
    return s->tls == NULL ? TEXT_EMPTY : tls_stream_peer_name(s->tls, into, SOCKET_WHY_SIZE);
}
