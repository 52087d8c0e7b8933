/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steady.c - a steady load for stories about addresses that move, and a service to be asked.
 *
 *   steady load TIMEOUT-MS FLOW...    FLOW: [tls-]new|kept,ADDRESS,PORT,EVERY-MS,PATH
 *   steady serve ADDRESS PORT         answers 200; a path of /wait/N after N milliseconds
 *
 * A flow of new connections begins one every so often, whatever becomes of the others; a kept one
 * asks again and again on the same, and makes another when that is closed; one that is not made in
 * 200 ms is given up for another: nothing was asked on it, so that is no failure, but waiting.
 * Until SIGTERM; then a line of JSON for each flow: what was answered, what failed when and how,
 * and the longest time between two answers. Times are of CLOCK_MONOTONIC, in seconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define FLOWS    64
#define EVENTS   256
#define FAILURES 400
#define BUFFER   2048
#define ALL      8192 /* connections at once */

#define CONNECT_AGAIN 0.2 /* seconds */

enum state { FREE, CONNECTING, SHAKING, IDLE, ASKED };

struct flow {
    bool is_kept;
    bool is_tls;
    char address[64];
    char path[64];
    struct sockaddr_storage to;
    socklen_t to_length;
    double every, next;
    struct connection *kept;
    unsigned long answered, failed, made;
    double last, gap, gap_at, slowest;
    struct {
        double at;
        char why[32];
    } failures[FAILURES];
};

struct connection {
    enum state state;
    int fd;
    SSL *tls; /* NULL: plain */
    struct flow *flow;
    double begun; /* of the request, or of the connecting for it */
    double tried; /* of this connecting */
    double due;   /* serve: of the answer */
    size_t filled;
    char bytes[BUFFER + 1];
};

static struct flow flows[FLOWS];
static int flow_count;
static struct connection all[ALL];
static int most; /* in use: below this */
static int poller;
static SSL_CTX *context;
static volatile sig_atomic_t is_told_to_end;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct connection *take(int fd)
{
    for (int i = 0; i < ALL; i++) {
        if (all[i].state != FREE)
            continue;
        if (i >= most)
            most = i + 1;
        all[i] = (struct connection){ .state = IDLE, .fd = fd };
        return &all[i];
    }
    return NULL;
}

static void watch(struct connection *c, uint32_t events, int operation)
{
    struct epoll_event event = { .events = events, .data.ptr = c };

    epoll_ctl(poller, operation, c->fd, &event);
}

static void drop(struct connection *c)
{
    SSL_free(c->tls);
    close(c->fd);
    if (c->flow != NULL && c->flow->kept == c)
        c->flow->kept = NULL;
    c->state = FREE;
}

/* ---- load ---------------------------------------------------------------------------------- */

static void fail(struct connection *c, const char *why)
{
    struct flow *f = c->flow;

    if (f->failed < FAILURES) {
        f->failures[f->failed].at = now();
        snprintf(f->failures[f->failed].why, sizeof(f->failures[0].why), "%s", why);
    }
    f->failed++;
    drop(c);
}

static const char *error_name(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return "refused";
    case ECONNRESET:
    case EPIPE:
        return "reset";
    case EHOSTUNREACH:
    case ENETUNREACH:
        return "unreachable";
    default:
        return strerror(error);
    }
}

static void answered(struct connection *c)
{
    struct flow *f = c->flow;
    double t = now();

    if (t - f->last > f->gap) {
        f->gap = t - f->last;
        f->gap_at = f->last;
    }
    if (t - c->begun > f->slowest)
        f->slowest = t - c->begun;
    f->last = t;
    f->answered++;
}

/* As send(2) and recv(2): a connection that the other side has closed is read as 0. */
static ssize_t put(struct connection *c, const char *bytes, int length)
{
    if (c->tls == NULL)
        return send(c->fd, bytes, (size_t)length, MSG_NOSIGNAL);
    ERR_clear_error();
    errno = 0;
    return SSL_write(c->tls, bytes, length);
}

static ssize_t get(struct connection *c, char *bytes, size_t size)
{
    if (c->tls == NULL)
        return recv(c->fd, bytes, size, 0);
    ERR_clear_error();
    errno = 0;
    int n = SSL_read(c->tls, bytes, (int)size);
    if (n > 0)
        return n;
    if (SSL_get_error(c->tls, n) == SSL_ERROR_WANT_READ)
        errno = EAGAIN;
    else if (errno == 0)
        return 0;
    return -1;
}

static void ask(struct connection *c)
{
    bool is_v6 = c->flow->to.ss_family == AF_INET6;
    char request[256];
    int length = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %s%s%s\r\n%s\r\n",
                          c->flow->path, is_v6 ? "[" : "", c->flow->address, is_v6 ? "]" : "",
                          c->flow->is_kept ? "" : "Connection: close\r\n");

    c->state = ASKED;
    c->filled = 0;
    watch(c, EPOLLIN, EPOLL_CTL_MOD);
    if (put(c, request, length) != length)
        fail(c, error_name(errno));
}

/* Who was cut in the middle of it has asked nothing yet; a failure it is all the same. */
static void shake(struct connection *c)
{
    if (c->tls == NULL) {
        c->state = SHAKING;
        c->tls = SSL_new(context);
        SSL_set_fd(c->tls, c->fd);
        SSL_set_connect_state(c->tls);
        watch(c, EPOLLIN, EPOLL_CTL_MOD);
    }
    ERR_clear_error();
    errno = 0;
    int done = SSL_do_handshake(c->tls);
    if (done == 1)
        ask(c);
    else if (SSL_get_error(c->tls, done) != SSL_ERROR_WANT_READ)
        fail(c, errno != 0 ? error_name(errno) : "cut");
}

static void begin(struct flow *f)
{
    int fd = socket(f->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;
    struct connection *c = fd < 0 ? NULL : take(fd);

    if (c == NULL) {
        fprintf(stderr, "steady: too many connections\n");
        exit(1);
    }
    c->state = CONNECTING;
    c->flow = f;
    c->begun = c->tried = now();
    f->made++;
    if (f->is_kept)
        f->kept = c;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    watch(c, EPOLLOUT, EPOLL_CTL_ADD);
    if (connect(fd, (struct sockaddr *)&f->to, f->to_length) != 0 && errno != EINPROGRESS)
        fail(c, error_name(errno));
}

/* The whole answer is there: its status, and whether the connection goes on; 0: not yet. */
static int parse(const struct connection *c, bool *is_last)
{
    const char *end = strstr(c->bytes, "\r\n\r\n");
    const char *length = strcasestr(c->bytes, "\r\ncontent-length:");

    if (end == NULL || strlen(c->bytes) < 12)
        return 0;
    size_t body = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
    if (c->filled < (size_t)(end - c->bytes) + 4 + body)
        return 0;
    const char *closes = strcasestr(c->bytes, "\r\nconnection: close");
    *is_last = closes != NULL && closes < end;
    return (int)strtol(c->bytes + 9, NULL, 10);
}

static void take_answer(struct connection *c)
{
    bool is_last;
    int status = parse(c, &is_last);
    char why[32];

    if (status == 0)
        return;
    if (status != 200) {
        snprintf(why, sizeof(why), "status %d", status);
        fail(c, why);
        return;
    }
    answered(c);
    if (!c->flow->is_kept || is_last)
        drop(c);
    else
        c->state = IDLE;
}

static void read_answer(struct connection *c)
{
    ssize_t n = get(c, c->bytes + c->filled, BUFFER - c->filled);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 && c->state == IDLE) /* an idle connection may be closed */
        drop(c);
    else if (n <= 0)
        fail(c, n == 0 ? "cut" : error_name(errno));
    else {
        c->filled += (size_t)n;
        c->bytes[c->filled] = '\0';
        take_answer(c);
    }
}

static void on_load_event(struct connection *c)
{
    int error = 0;
    socklen_t length = sizeof(error);

    if (c->state == SHAKING) {
        shake(c);
        return;
    }
    if (c->state != CONNECTING) {
        read_answer(c);
        return;
    }
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0)
        fail(c, error_name(error));
    else if (c->flow->is_tls)
        shake(c);
    else
        ask(c);
}

static void tick(struct flow *f, double t)
{
    if (t < f->next)
        return;
    f->next = t - f->next > 1 ? t + f->every : f->next + f->every;
    if (f->kept == NULL)
        begin(f);
    else if (f->kept->state == IDLE) {
        f->kept->begun = t;
        ask(f->kept);
    }
}

static void look_at(struct connection *c, double t, double timeout)
{
    struct flow *f = c->flow;
    double begun = c->begun;

    if (c->state == FREE || c->state == IDLE)
        return;
    if (t - begun > timeout)
        fail(c, c->state == ASKED ? "no answer" : "no connection");
    else if (c->state == CONNECTING && f->is_kept && t - c->tried > CONNECT_AGAIN) {
        drop(c);
        begin(f);
        if (f->kept != NULL)
            f->kept->begun = begun;
    }
}

static void load(double timeout)
{
    struct epoll_event events[EVENTS];
    double t = now();

    for (int i = 0; i < flow_count; i++) {
        flows[i].last = flows[i].gap_at = t;
        flows[i].next = t + flows[i].every * i / flow_count;
    }
    while (!is_told_to_end) {
        int n = epoll_wait(poller, events, EVENTS, 1);

        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;

            if (c->state != FREE)
                on_load_event(c);
        }
        t = now();
        for (int i = 0; i < most; i++)
            look_at(&all[i], t, timeout);
        for (int i = 0; i < flow_count; i++)
            tick(&flows[i], t);
    }
}

static void report(const struct flow *f, double end)
{
    bool is_last = end - f->last > f->gap;

    printf("{\"kind\": \"%s\", \"address\": \"%s\", \"path\": \"%s\", \"answered\": %lu, "
           "\"failed\": %lu, \"connections\": %lu, \"gap\": %.6f, \"gap_at\": %.6f, "
           "\"slowest\": %.6f, \"failures\": [",
           f->is_kept ? "kept" : "new", f->address, f->path, f->answered, f->failed, f->made,
           is_last ? end - f->last : f->gap, is_last ? f->last : f->gap_at, f->slowest);
    for (unsigned long i = 0; i < f->failed && i < FAILURES; i++)
        printf("%s[%.6f, \"%s\"]", i == 0 ? "" : ", ", f->failures[i].at, f->failures[i].why);
    printf("]}\n");
}

static void set_address(const char *address, const char *port, struct sockaddr_storage *to,
                        socklen_t *length_out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)to;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;
    uint16_t number = htons((uint16_t)strtoul(port, NULL, 10));

    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = number;
        *length_out = sizeof(*v4);
    } else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = number;
        *length_out = sizeof(*v6);
    } else {
        fprintf(stderr, "steady: %s is no address\n", address);
        exit(2);
    }
}

static void add_flow(char *spec)
{
    struct flow *f = &flows[flow_count++];
    char *words[5];

    for (int i = 0; i < 5; i++) {
        words[i] = strsep(&spec, ",");
        if (words[i] == NULL || flow_count == FLOWS) {
            fprintf(stderr, "steady: a flow is [tls-]new|kept,ADDRESS,PORT,EVERY-MS,PATH\n");
            exit(2);
        }
    }
    f->is_tls = strncmp(words[0], "tls-", 4) == 0;
    f->is_kept = strcmp(words[0] + (f->is_tls ? 4 : 0), "kept") == 0;
    f->every = strtod(words[3], NULL) / 1000;
    snprintf(f->address, sizeof(f->address), "%s", words[1]);
    snprintf(f->path, sizeof(f->path), "%s", words[4]);
    set_address(words[1], words[2], &f->to, &f->to_length);
}

/* ---- serve --------------------------------------------------------------------------------- */

static void serve_answer(struct connection *c)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

    c->due = 0;
    if (send(c->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) < 0)
        drop(c);
}

static void serve_read(struct connection *c)
{
    ssize_t n = recv(c->fd, c->bytes + c->filled, BUFFER - c->filled, 0);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        drop(c);
        return;
    }
    c->filled += (size_t)n;
    c->bytes[c->filled] = '\0';
    if (strstr(c->bytes, "\r\n\r\n") == NULL)
        return;
    c->filled = 0;
    const char *wait = strstr(c->bytes, " /wait/");
    if (wait == NULL)
        serve_answer(c);
    else
        c->due = now() + strtod(wait + 7, NULL) / 1000;
}

static int serve_listen(const char *address, const char *port)
{
    struct sockaddr_storage at = { 0 };
    socklen_t length;
    int one = 1;

    set_address(address, port, &at, &length);
    int fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, length) != 0 || listen(fd, 1024) != 0) {
        perror("steady");
        exit(1);
    }
    return fd;
}

static void serve(int listener)
{
    struct epoll_event events[EVENTS];
    struct epoll_event event = { .events = EPOLLIN };

    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    while (!is_told_to_end) {
        int n = epoll_wait(poller, events, EVENTS, 2);

        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            int fd = c == NULL ? accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) : -1;

            if (fd >= 0 && (c = take(fd)) != NULL)
                watch(c, EPOLLIN, EPOLL_CTL_ADD);
            else if (c != NULL && c->state != FREE)
                serve_read(c);
        }
        for (int i = 0; i < most; i++) {
            if (all[i].state != FREE && all[i].due > 0 && now() >= all[i].due)
                serve_answer(&all[i]);
        }
    }
}

static void on_end(int number)
{
    (void)number;
    is_told_to_end = 1;
}

int main(int argc, char **argv)
{
    signal(SIGTERM, on_end);
    signal(SIGINT, on_end);
    poller = epoll_create1(EPOLL_CLOEXEC);
    (void)mlockall(MCL_CURRENT);
    signal(SIGPIPE, SIG_IGN);
    context = SSL_CTX_new(TLS_client_method());
    if (argc == 4 && strcmp(argv[1], "serve") == 0) {
        serve(serve_listen(argv[2], argv[3]));
        return 0;
    }
    if (argc < 4 || strcmp(argv[1], "load") != 0) {
        fprintf(stderr, "usage: steady load TIMEOUT-MS FLOW... | steady serve ADDRESS PORT\n");
        return 2;
    }
    for (int i = 3; i < argc; i++)
        add_flow(argv[i]);
    load(strtod(argv[2], NULL) / 1000);
    double end = now();
    for (int i = 0; i < flow_count; i++)
        report(&flows[i], end);
    return 0;
}
