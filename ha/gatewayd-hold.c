/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gatewayd-hold - the one part of a node that needs a power: it holds back new handshakes for a
 * virtual address for at most 300 ms, and takes an address off its interface when keepalived, which
 * would do that, is no more. It refuses everything else.
 *
 *   gatewayd-hold [-a FILE] [-s SOCKET] [-u USER] [-k PIDFILE]... [-n NFT]
 *
 * It listens on a unix socket (its own, or one given by systemd), hears root and USER only, reads
 * one line per connection (hold_line.h) and answers "ok" or "error WHY". It is started by any user
 * with CAP_NET_ADMIN (ambient, so that nft has it, too) or by root, of whose powers it keeps that
 * one. Holding is an element with a timeout in a set of nftables that a rule drops SYNs by: it ends
 * by itself whatever becomes of this program. The table is its own, inet gatewayd_hold.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ha/hold_line.h"
#include "ha/keepalived.h"
#include "ha/monotonic.h"
#include "ha/say.h"
#include "ha/site_file.h"
#include "ha/tcp_end.h"

#define CONNECTIONS_MOST 8
#define BACKLOG          128 /* they wait in the order they came, whoever is silent before them */
#define DEADLINE_MS      1000
#define NFT_MS           2000
#define RESET_MS         60  /* for all connections */
#define REFUSE_MOST      128 /* bytes of what nft is told of one address */
#define GIVEN_FD         3

struct connection {
    int fd; /* -1: free */
    int64_t until_ms;
    size_t filled;
    char bytes[HOLD_LINE_MOST];
};

static const char *site_name = SITE_FILE_DEFAULT;
static const char *socket_name = SITE_FILE_FOLDER "/hold.sock";
static const char *nft = "/usr/sbin/nft";
static const char *pidfiles[KEEPALIVED_PIDFILES_MOST];
static size_t pidfile_count;
static struct site_file site;
static uid_t friend_uid;
static gid_t friend_gid;
static struct connection connections[CONNECTIONS_MOST];
static volatile sig_atomic_t is_told_to_end;
static volatile sig_atomic_t is_told_to_read;
static sigset_t signals_before;

static const char ruleset[] = "table inet gatewayd_hold\n"
                              "delete table inet gatewayd_hold\n"
                              "table inet gatewayd_hold {\n"
                              "  set v4 { type ipv4_addr; flags timeout; }\n"
                              "  set v6 { type ipv6_addr; flags timeout; }\n"
                              "  set r4 { type ipv4_addr; flags timeout; }\n"
                              "  set r6 { type ipv6_addr; flags timeout; }\n"
                              "  chain before {\n"
                              "    type filter hook prerouting priority -300; policy accept;\n"
                              "    ip daddr @r4 meta l4proto tcp reject with tcp reset\n"
                              "    ip6 daddr @r6 meta l4proto tcp reject with tcp reset\n"
                              "  }\n"
                              "  chain input {\n"
                              "    type filter hook input priority -300; policy accept;\n"
                              "    ip daddr @v4 tcp flags & (syn | ack) == syn counter drop\n"
                              "    ip6 daddr @v6 tcp flags & (syn | ack) == syn counter drop\n"
                              "  }\n"
                              "}\n";

/* ---- nftables ------------------------------------------------------------------------------- */

static bool wait_for(pid_t child)
{
    int64_t until = monotonic_ms() + NFT_MS;
    int status = 0;

    for (;;) {
        pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child)
            return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (ended < 0 && errno != EINTR)
            return false;
        if (monotonic_ms() >= until) {
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            return false;
        }
        poll(NULL, 0, 1);
    }
}

/* A transaction: all of it or nothing. Its errors go where ours go. */
static bool run_nft(const char *commands)
{
    static char *const environment[] = { NULL };
    static char *const arguments[] = { (char *)(uintptr_t) "nft", (char *)(uintptr_t) "-f",
                                       (char *)(uintptr_t) "/dev/stdin", NULL };
    int pipes[2];
    pid_t child;
    size_t length = strlen(commands);

    /* Smaller than a pipe holds: written before anybody reads. */
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return false;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipes[0], STDIN_FILENO);
    bool is_begun = write(pipes[1], commands, length) == (ssize_t)length &&
                    posix_spawn(&child, nft, &actions, &attributes, arguments, environment) == 0;
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(pipes[0]);
    close(pipes[1]);
    return is_begun && wait_for(child);
}

static const char *change(const char *commands)
{
    if (run_nft(commands))
        return NULL;
    /* Somebody flushed all rules, maybe. */
    if (run_nft(ruleset) && run_nft(commands))
        return NULL;
    return "nft did not do it";
}

/* What is there with an older timeout has to go first, in the same transaction; what is not there
 * cannot be deleted. */
static const char *change_hold(const struct site_address *a, unsigned ms)
{
    const char *set = a->family == AF_INET ? "v4" : "v6";
    char commands[512];
    int length = snprintf(commands, sizeof(commands),
                          "add element inet gatewayd_hold %s { %s timeout 1s }\n"
                          "delete element inet gatewayd_hold %s { %s }\n",
                          set, a->text, set, a->text);

    if (ms > 0)
        snprintf(commands + length, sizeof(commands) - (size_t)length,
                 "add element inet gatewayd_hold %s { %s timeout %ums }\n", set, a->text, ms);
    return change(commands);
}

static const char *refuse_all(void)
{
    static char commands[REFUSE_MOST * (1 + SITE_FILE_MOST)];
    int length = snprintf(commands, REFUSE_MOST,
                          "flush set inet gatewayd_hold r4\nflush set inet gatewayd_hold r6\n");

    for (size_t i = 0; i < site.count; i++)
        length += snprintf(commands + length, REFUSE_MOST,
                           "add element inet gatewayd_hold %s { %s timeout %ums }\n",
                           site.items[i].family == AF_INET ? "r4" : "r6", site.items[i].text,
                           HOLD_LINE_MS_MOST);
    return change(commands);
}

/* Who waits for an answer that nobody gives is told, and who comes is refused, while the addresses
 * are here and for a moment after they have gone. nft may be late on a busy machine: so those are
 * told first, and those again who came again meanwhile. */
static const char *reset_connections(void)
{
    long first = tcp_end_all(&site, RESET_MS);
    int error = errno;
    const char *why = refuse_all();
    long second = tcp_end_all(&site, RESET_MS);

    if (first < 0 || second < 0)
        return strerror(error);
    say("%ld connections were reset", first + second);
    return why;
}

/* ---- addresses ------------------------------------------------------------------------------ */

static bool is_keepalived_running(void)
{
    for (size_t i = 0; i < pidfile_count; i++) {
        pid_t pid = keepalived_read_pid(pidfiles[i]);

        if (pid != 0 && keepalived_look(pid) != KEEPALIVED_NOT)
            return true;
    }
    return false;
}

struct removal {
    struct nlmsghdr head;
    struct ifaddrmsg body;
    struct rtattr local;
    unsigned char bytes[16];
};

/* Asks the kernel (rtnetlink(7)); errno of its answer. */
static int ask_kernel(const struct removal *r)
{
    struct timeval limit = { .tv_sec = 1 };
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
        char rest[256];
    } answer;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    int error = errno;

    if (fd < 0)
        return error;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    ssize_t n = send(fd, r, r->head.nlmsg_len, 0);
    if (n > 0)
        n = recv(fd, &answer, sizeof(answer), 0);
    error = n < 0 ? errno : EPROTO;
    if (n >= (ssize_t)(sizeof(answer.head) + sizeof(answer.error.error)) &&
        answer.head.nlmsg_type == NLMSG_ERROR)
        error = -answer.error.error;
    close(fd);
    return error;
}

static const char *remove_address(const struct site_address *a)
{
    unsigned size = a->family == AF_INET ? 4 : 16;
    struct removal r = {
        .head = { .nlmsg_len = offsetof(struct removal, bytes) + size,
                  .nlmsg_type = RTM_DELADDR,
                  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
        .body = { .ifa_family = (unsigned char)a->family,
                  .ifa_prefixlen = (unsigned char)a->length,
                  .ifa_index = if_nametoindex(a->interface) },
        .local = { .rta_len = (unsigned short)RTA_LENGTH(size), .rta_type = IFA_LOCAL },
    };

    if (pidfile_count == 0)
        return "whether keepalived runs is not known: no pid file was given";
    if (is_keepalived_running())
        return "keepalived is running: it has the addresses";
    if (r.body.ifa_index == 0)
        return "there is no such interface";
    memcpy(r.bytes, a->bytes, size);
    int error = ask_kernel(&r);
    if (error != 0 && error != EADDRNOTAVAIL)
        return strerror(error);
    say("%s/%u was taken off %s", a->text, a->length, a->interface);
    return NULL;
}

/* ---- requests ------------------------------------------------------------------------------- */

static const char *obey(const char *line, size_t length)
{
    struct hold_line request;
    const char *why = hold_line_parse(&site, line, length, &request);

    if (why != NULL)
        return why;
    switch (request.verb) {
    case HOLD_LINE_HOLD:
        return change_hold(request.address, request.ms);
    case HOLD_LINE_RELEASE:
        return change_hold(request.address, 0);
    case HOLD_LINE_RESET:
        return reset_connections();
    case HOLD_LINE_REMOVE:
        return remove_address(request.address);
    }
    return "unknown";
}

static void end_connection(struct connection *c)
{
    close(c->fd);
    c->fd = -1;
}

static void answer(struct connection *c, const char *why)
{
    char line[256];
    int length = snprintf(line, sizeof(line), why == NULL ? "ok\n" : "error %.200s\n", why);

    ssize_t n = send(c->fd, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)n; /* who does not listen is not told */
    end_connection(c);
}

static void on_readable(struct connection *c)
{
    ssize_t n = recv(c->fd, c->bytes + c->filled, sizeof(c->bytes) - c->filled, MSG_DONTWAIT);
    char *newline;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        end_connection(c);
        return;
    }
    c->filled += (size_t)n;
    newline = memchr(c->bytes, '\n', c->filled);
    if (newline == NULL && c->filled < sizeof(c->bytes))
        return;
    if (newline == NULL)
        answer(c, "the line is too long");
    else if (newline + 1 != c->bytes + c->filled)
        answer(c, "there is more than one line");
    else
        answer(c, obey(c->bytes, (size_t)(newline - c->bytes)));
}

static bool is_friend(int fd)
{
    struct ucred who;
    socklen_t size = sizeof(who);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 &&
           (who.uid == 0 || who.uid == friend_uid);
}

static struct connection *find_free(void)
{
    for (size_t i = 0; i < CONNECTIONS_MOST; i++) {
        if (connections[i].fd < 0)
            return &connections[i];
    }
    return NULL;
}

static void on_connection(int listener)
{
    struct connection *c = find_free();
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    if (c == NULL || !is_friend(fd)) {
        close(fd);
        return;
    }
    *c = (struct connection){ .fd = fd, .until_ms = monotonic_ms() + DEADLINE_MS };
}

static void read_again(void)
{
    static struct site_file other;
    char why[256];

    is_told_to_read = false;
    if (site_file_read(site_name, &other, why, sizeof(why)))
        site = other;
    else
        say("%s is left as it was: %s", site_name, why);
}

/* One request after the other: each takes some milliseconds. */
static void serve(int listener)
{
    while (!is_told_to_end) {
        struct pollfd fds[1 + CONNECTIONS_MOST];
        struct timespec limit;
        int timeout = -1;

        if (is_told_to_read)
            read_again();
        fds[0] = (struct pollfd){ .fd = find_free() == NULL ? -1 : listener, .events = POLLIN };
        for (size_t i = 0; i < CONNECTIONS_MOST; i++) {
            int64_t left = connections[i].until_ms - monotonic_ms();
            fds[1 + i] = (struct pollfd){ .fd = connections[i].fd, .events = POLLIN };
            if (connections[i].fd >= 0 && (timeout < 0 || left < timeout))
                timeout = left < 0 ? 0 : (int)left;
        }
        limit = (struct timespec){ .tv_sec = timeout / 1000, .tv_nsec = timeout % 1000 * 1000000 };
        if (ppoll(fds, 1 + CONNECTIONS_MOST, timeout < 0 ? NULL : &limit, &signals_before) < 0)
            continue;
        for (size_t i = 0; i < CONNECTIONS_MOST; i++) {
            if (connections[i].fd < 0)
                continue;
            if (fds[1 + i].revents != 0)
                on_readable(&connections[i]);
            else if (monotonic_ms() >= connections[i].until_ms)
                end_connection(&connections[i]);
        }
        if (fds[0].revents != 0)
            on_connection(listener);
    }
}

/* ---- beginning ------------------------------------------------------------------------------ */

/* Given by systemd (sd_listen_fds(3)), or -1. */
static int find_given(void)
{
    const char *pid = getenv("LISTEN_PID");
    const char *count = getenv("LISTEN_FDS");
    char ours[16];

    snprintf(ours, sizeof(ours), "%d", (int)getpid());
    if (pid == NULL || count == NULL || strcmp(pid, ours) != 0 || strcmp(count, "1") != 0)
        return -1;
    fcntl(GIVEN_FD, F_SETFD, FD_CLOEXEC);
    return GIVEN_FD;
}

static int open_listener(void)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    size_t length = strlen(socket_name);
    int fd = find_given();

    if (fd >= 0)
        return fd;
    if (length >= sizeof(at.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(at.sun_path, socket_name, length + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    unlink(socket_name);
    mode_t mask = umask(0117);
    bool is_bound = bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0;
    umask(mask);
    /* Not what a link that was put there since points to. */
    if (is_bound && (geteuid() != 0 || lchown(socket_name, 0, friend_gid) == 0) &&
        listen(fd, BACKLOG) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Another user has what its unit gave it, and what it starts has that, too. Root without the rest
 * has no more than the bounding set, and so has what it starts. */
static bool drop_powers(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = {
        { .effective = 1U << CAP_NET_ADMIN, .permitted = 1U << CAP_NET_ADMIN },
    };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return false;
    if (geteuid() != 0)
        return true;
    for (int power = 0; power <= CAP_LAST_CAP; power++) {
        if (power != CAP_NET_ADMIN)
            (void)prctl(PR_CAPBSET_DROP, power, 0, 0, 0);
    }
    return syscall(SYS_capset, &head, data) == 0;
}

static void on_signal(int number)
{
    if (number == SIGHUP)
        is_told_to_read = true;
    else
        is_told_to_end = true;
}

/* They come while it waits, at no other time: none is missed between a look and the waiting. */
static void start_signals(void)
{
    static const int heard[] = { SIGTERM, SIGINT, SIGHUP };
    struct sigaction action = { .sa_handler = on_signal };
    sigset_t all;

    sigemptyset(&all);
    for (size_t i = 0; i < sizeof(heard) / sizeof(heard[0]); i++) {
        sigaddset(&all, heard[i]);
        sigaction(heard[i], &action, NULL);
    }
    sigprocmask(SIG_BLOCK, &all, &signals_before);
}

static _Noreturn void refuse_usage(void)
{
    fputs("usage: gatewayd-hold [-a FILE] [-s SOCKET] [-u USER] [-k PIDFILE]... [-n NFT]\n"
          "\n"
          "  -a FILE     the virtual addresses (default " SITE_FILE_DEFAULT ")\n"
          "  -s SOCKET   where it listens, unless systemd gives it a socket (default\n"
          "              " SITE_FILE_FOLDER "/hold.sock)\n"
          "  -u USER     who may ask beside root (default gatewayd)\n"
          "  -k PIDFILE  a file with the number of a process of keepalived; up to 4\n"
          "  -n NFT      the program of nftables (default /usr/sbin/nft)\n",
          stderr);
    exit(2);
}

static void parse_options(int argc, char **argv)
{
    const char *user = "gatewayd";
    int option;

    while ((option = getopt(argc, argv, "a:s:u:k:n:")) != -1) {
        if (option == 'a')
            site_name = optarg;
        else if (option == 's')
            socket_name = optarg;
        else if (option == 'u')
            user = optarg;
        else if (option == 'k' && pidfile_count < KEEPALIVED_PIDFILES_MOST)
            pidfiles[pidfile_count++] = optarg;
        else if (option == 'n')
            nft = optarg;
        else
            refuse_usage();
    }
    if (optind != argc)
        refuse_usage();
    const struct passwd *entry = getpwnam(user);
    if (entry == NULL) {
        say("there is no user %s", user);
        exit(1);
    }
    friend_uid = entry->pw_uid;
    friend_gid = entry->pw_gid;
}

int main(int argc, char **argv)
{
    char why[256];
    int listener;

    parse_options(argc, argv);
    if (!site_file_read(site_name, &site, why, sizeof(why))) {
        say("%s: %s", site_name, why);
        return 1;
    }
    for (size_t i = 0; i < CONNECTIONS_MOST; i++)
        connections[i].fd = -1;
    start_signals();
    listener = open_listener();
    if (listener < 0) {
        say("%s cannot be listened on: %m", socket_name);
        return 1;
    }
    if (!drop_powers()) {
        say("it cannot give up root's powers: %m");
        return 1;
    }
    if (!run_nft(ruleset))
        say("%s refuses its table: nothing will be held back", nft);
    serve(listener);
    if (find_given() < 0)
        unlink(socket_name);
    return 0;
}
