/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gatewayd-watch - sees that gatewayd or keepalived is gone or hangs, and says so at once.
 *
 * It keeps one connection to gatewayd's probe socket and asks each 100 ms which weight every
 * virtual address is to have; the answer goes into the address' track file, from which keepalived
 * knows it within a millisecond. No answer in 200 ms, or no process: every address is at fault.
 * When keepalived itself is gone, nobody takes its addresses off this node while others take them
 * over, so gatewayd-hold is asked to.
 *
 *   gatewayd-watch [-a FILE] [-d FOLDER] [-k PIDFILE]...   watches
 *   gatewayd-watch --fault [-a FILE] [-d FOLDER]           writes the fault of every address
 *   gatewayd-watch --check [-d FOLDER]                     is gatewayd in service? exits 0 or 1
 *
 * It needs no privileges: its user must be allowed to write the track files. One thread, no memory
 * is allocated after the start, no name is looked up.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "ha/digits.h"
#include "ha/keepalived.h"
#include "ha/monotonic.h"
#include "ha/say.h"
#include "ha/site_file.h"
#include "ha/watch_rule.h"

#define ANSWER_MOST  32768
#define PID_MOST     4194304 /* the kernel's own limit */
#define CHECK_MS     800
#define RECONNECT_MS 20 /* while a new process takes over from the old one */
#define REMOVE_MS    1000
#define RESET_MS     30 /* then the addresses move all the same */
#define GONE_MS      250 /* of keepalived, until its addresses are taken off */
#define REMOVE_TRIES 30  /* of gatewayd-hold, one each WATCH_RULE_EACH_MS */
#define NICE         (-10)

struct keeper {
    const char *file;
    int fd; /* pidfd; -1: not running */
};

static const char *folder = SITE_FILE_FOLDER;
static const char *site_name = SITE_FILE_DEFAULT;
static struct site_file site;
static struct watch_rule rule;
static struct keeper keepers[KEEPALIVED_PIDFILES_MOST];
static size_t keeper_count;
static bool has_kept;   /* keepalived was seen running */
static int64_t gone_ms; /* since when it runs no more, and its addresses are here; 0: it runs */
static unsigned removal_tries; /* left */
static volatile sig_atomic_t is_told_to_end;
static volatile sig_atomic_t is_told_to_read;

static struct {
    int fd; /* -1: none */
    bool is_asked;
    bool is_again; /* it was asked on a connection before, which ended without an answer */
    int64_t asked_ms;
    int pid;                /* who answered last; 0: not known */
    struct watch_pace pace; /* of it, when it was asked */
    size_t filled;
    char bytes[ANSWER_MOST];
} probe = { .fd = -1 };

static bool print_path(const char *name, const char *suffix, char *into, size_t size)
{
    int length = snprintf(into, size, "%s/%s%s", folder, name, suffix);

    return length > 0 && (size_t)length < size;
}

/* With a limit, sending, receiving and a connection that nobody accepts end after it. */
static int open_unix(const char *name, int flags, unsigned limit_ms)
{
    struct timeval limit = { .tv_sec = limit_ms / 1000, .tv_usec = limit_ms % 1000 * 1000 };
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int fd;

    if (!print_path(name, "", to.sun_path, sizeof(to.sun_path)))
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd >= 0 && limit_ms > 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    }
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* ---- track files ---------------------------------------------------------------------------- */

static bool read_weight(int fd, int *weight_out)
{
    char text[16];
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    size_t spaces = strspn(text, " ");
    return (size_t)n < sizeof(text) - 1 &&
           watch_rule_parse_weight(text + spaces, strlen(text) - spaces, weight_out);
}

/* keepalived looks at the file when somebody who wrote to it closes it. All numbers are of one
 * length: while that changes, who reads may see some digits of a number. */
static void write_weight(int fd, const char *path, off_t size, int weight)
{
    char text[16];
    int length = snprintf(text, sizeof(text), "%4d\n", weight);

    if (pwrite(fd, text, (size_t)length, 0) != length ||
        (size != length && ftruncate(fd, length) != 0))
        say("%s cannot be written: %m", path);
}

static void update_track(size_t index)
{
    char path[256];
    struct stat st;
    int held = 0;
    int fd;

    if (!print_path(site.items[index].name, ".track", path, sizeof(path)))
        return;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool is_known = fd >= 0 && read_weight(fd, &held);
    if (fd >= 0)
        close(fd);
    if (!watch_rule_is_due(&rule, index, is_known, held))
        return;
    /* Without O_CREAT first: it refuses files of others in a sticky folder (fs.protected_regular).
     */
    fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        say("%s cannot be written: %m", path);
    } else {
        write_weight(fd, path, st.st_size, rule.weights[index]);
        say("%s: %d", site.items[index].name, rule.weights[index]);
    }
    if (fd >= 0)
        close(fd);
}

static void update_tracks(void)
{
    for (size_t i = 0; i < site.count; i++)
        update_track(i);
}

/* ---- gatewayd ------------------------------------------------------------------------------- */

static void end_probe(void)
{
    if (probe.fd >= 0)
        close(probe.fd);
    probe.fd = -1;
    probe.is_asked = false;
    probe.filled = 0;
}

/* What gatewayd-hold is asked, and its answer without the newline. False: none. */
static bool ask_hold(const char *line, unsigned limit_ms, char *answer, size_t size)
{
    int fd = open_unix("hold.sock", 0, limit_ms);

    if (fd < 0)
        return false;
    ssize_t n = send(fd, line, strlen(line), MSG_NOSIGNAL);
    if (n == (ssize_t)strlen(line))
        n = recv(fd, answer, size - 1, 0);
    close(fd);
    answer[n > 0 ? n : 0] = '\0';
    answer[strcspn(answer, "\n")] = '\0';
    return n > 0;
}

/* Of one that hangs the kernel has taken requests, and nobody would answer or refuse them. Once the
 * addresses are elsewhere it is too late: what is sent from here has no address any more. */
static void reset_connections(void)
{
    char answer[256] = "";

    if (!ask_hold("reset\n", RESET_MS, answer, sizeof(answer)))
        say("connections are not reset: gatewayd-hold does not answer");
    else if (strcmp(answer, "ok") != 0)
        say("connections are not reset: %s", answer);
}

static void on_fault(const char *why)
{
    bool is_news = !rule.is_fault;

    end_probe();
    probe.is_again = false;
    watch_rule_on_silence(&rule);
    if (is_news)
        say("gatewayd %s: every address is at fault", why);
    update_tracks();
}

static bool read_proc(int pid, const char *name, char *into, size_t size)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, into, size - 1);
    close(fd);
    into[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static struct watch_pace get_pace(void)
{
    struct watch_pace pace = { 0 };
    char stat[512];
    char schedstat[128];

    if (probe.pid > 0 && read_proc(probe.pid, "stat", stat, sizeof(stat)) &&
        read_proc(probe.pid, "schedstat", schedstat, sizeof(schedstat)) &&
        watch_rule_parse_pace(stat, schedstat, &pace))
        return pace;
    return (struct watch_pace){ 0 };
}

static bool ask(int64_t now)
{
    static const char request[] = "GET /ha HTTP/1.1\r\nHost: probe\r\n\r\n";

    if (probe.fd < 0)
        probe.fd = open_unix("probe.sock", SOCK_NONBLOCK, 0);
    if (probe.fd < 0)
        return false;
    if (send(probe.fd, request, sizeof(request) - 1, MSG_NOSIGNAL) != sizeof(request) - 1) {
        end_probe();
        return false;
    }
    probe.is_asked = true;
    probe.asked_ms = now;
    probe.pace = get_pace();
    probe.filled = 0;
    return true;
}

/* The listener may be changing hands: a second look before it counts. */
static bool ask_twice(int64_t now)
{
    if (ask(now))
        return true;
    if (rule.is_fault)
        return false;
    poll(NULL, 0, RECONNECT_MS);
    return ask(now);
}

/* A number in a field of the head, which is whole; `name` ends with its colon. */
static bool find_number(const char *name, unsigned most, unsigned *value_out)
{
    const char *field = strcasestr(probe.bytes, name);

    if (field == NULL)
        return false;
    field += strlen(name);
    field += strspn(field, " ");
    return digits_parse(field, strcspn(field, "\r"), most, value_out);
}

/* The length of the body if the head is whole, -1 if it is not, -2 if it is no good answer. */
static int find_body(const char **body_out)
{
    char *end = memmem(probe.bytes, probe.filled, "\r\n\r\n", 4);
    unsigned length = 0;
    unsigned pid = 0;

    if (end == NULL)
        return probe.filled < sizeof(probe.bytes) - 1 ? -1 : -2;
    *body_out = end + 4;
    end[2] = '\0'; /* of the last line there is */
    bool is_good = strncmp(probe.bytes, "HTTP/1.1 200 ", 13) == 0 &&
                   find_number("\r\nContent-Length:", ANSWER_MOST, &length);
    probe.pid = find_number("\r\nGatewayd-Pid:", PID_MOST, &pid) ? (int)pid : 0;
    end[2] = '\r';
    return is_good ? (int)length : -2;
}

/* Looks at what was read. False: it is no answer to be believed. */
static bool take_answer(void)
{
    const char *body = NULL;
    int weights[SITE_FILE_MOST];
    int length;

    probe.bytes[probe.filled] = '\0';
    length = find_body(&body);
    if (length == -1)
        return true;
    if (length < 0)
        return false;
    if (probe.filled < (size_t)(body - probe.bytes) + (size_t)length)
        return true;
    if (!watch_rule_parse(&site, body, (size_t)length, weights))
        return false;
    bool was_fault = rule.is_fault;
    watch_rule_on_answer(&rule, weights);
    if (was_fault && !rule.is_fault)
        say("gatewayd answers");
    update_tracks();
    probe.is_asked = false;
    probe.is_again = false;
    probe.filled = 0;
    return true;
}

static void on_probe_readable(int64_t now)
{
    ssize_t n = recv(probe.fd, probe.bytes + probe.filled, sizeof(probe.bytes) - 1 - probe.filled,
                     MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        bool is_over = probe.is_again;
        end_probe();
        probe.is_again = true;
        if (is_over || !ask_twice(now))
            on_fault("is gone");
        return;
    }
    probe.filled += (size_t)n;
    if (!take_answer())
        on_fault("answers what cannot be understood");
}

/* ---- keepalived ----------------------------------------------------------------------------- */

static bool open_keeper(struct keeper *k)
{
    pid_t pid = keepalived_read_pid(k->file);

    if (pid == 0)
        return false;
    k->fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (k->fd >= 0 && keepalived_look(pid) != KEEPALIVED_RUNS) {
        close(k->fd);
        k->fd = -1;
    }
    return k->fd >= 0;
}

/* False: nobody hears, and it is no use to go on. */
static bool remove_address(const struct site_address *a)
{
    char line[SITE_FILE_NAME + 16];
    char answer[256] = "";

    snprintf(line, sizeof(line), "remove %s\n", a->name);
    bool is_heard = ask_hold(line, REMOVE_MS, answer, sizeof(answer));

    if (strcmp(answer, "ok") == 0)
        say("%s was taken off %s", a->text, a->interface);
    else
        say("%s stays on %s: %s", a->text, a->interface,
            is_heard ? answer : "gatewayd-hold cannot be reached");
    return is_heard;
}

static bool remove_addresses(void)
{
    for (size_t i = 0; i < site.count; i++) {
        if (!remove_address(&site.items[i]))
            return false;
    }
    return true;
}

/* A child that died alone is started again by its parent, and a parent's death ends the child, who
 * takes the addresses off: only when none of them is left it is up to us. Not at once: until
 * another node has missed three adverts this one is the only that answers. */
static void look_at_keepers(void)
{
    bool is_running = false;

    for (size_t i = 0; i < keeper_count; i++)
        is_running = keepers[i].fd >= 0 || open_keeper(&keepers[i]) || is_running;
    if (has_kept && !is_running) {
        say("keepalived is gone: its addresses are taken off this node");
        gone_ms = monotonic_ms();
        removal_tries = REMOVE_TRIES;
    }
    has_kept = is_running;
    if (is_running)
        gone_ms = 0;
    if (gone_ms == 0 || monotonic_ms() - gone_ms < GONE_MS)
        return;
    if (remove_addresses() || --removal_tries == 0)
        gone_ms = 0;
}

static void on_keeper_gone(struct keeper *k)
{
    close(k->fd);
    k->fd = -1;
    look_at_keepers();
}

/* ---- the loop ------------------------------------------------------------------------------- */

static void notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    size_t length = path == NULL ? 0 : strlen(path);
    int fd;

    if (length < 2 || length >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(to.sun_path, path, length);
    if (path[0] == '@')
        to.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    ssize_t n = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to,
                       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    (void)n; /* a supervisor that does not listen is no reason to stop */
    close(fd);
}

static void read_again(void)
{
    static struct site_file other;
    char why[256];

    is_told_to_read = false;
    if (!site_file_read(site_name, &other, why, sizeof(why))) {
        say("%s is left as it was: %s", site_name, why);
        return;
    }
    site = other;
    watch_rule_init(&rule, site.count);
    end_probe();
}

static void wait_for_events(int64_t until)
{
    struct pollfd fds[1 + KEEPALIVED_PIDFILES_MOST];
    struct keeper *whose[KEEPALIVED_PIDFILES_MOST];
    nfds_t count = 1;
    int64_t left = until - monotonic_ms();

    fds[0] = (struct pollfd){ .fd = probe.fd, .events = POLLIN };
    for (size_t i = 0; i < keeper_count; i++) {
        if (keepers[i].fd < 0)
            continue;
        whose[count - 1] = &keepers[i];
        fds[count++] = (struct pollfd){ .fd = keepers[i].fd, .events = POLLIN };
    }
    if (poll(fds, count, left < 0 ? 0 : (int)left) <= 0)
        return;
    if (probe.fd >= 0 && fds[0].revents != 0)
        on_probe_readable(monotonic_ms());
    for (nfds_t i = 1; i < count; i++) {
        if (fds[i].revents != 0)
            on_keeper_gone(whose[i - 1]);
    }
}

/* Whoever did not run for a while (SIGSTOP, a machine that slept) may have the answer here. */
static bool is_overdue(int64_t now)
{
    if (probe.is_asked && now - probe.asked_ms >= WATCH_RULE_LIMIT_MS)
        on_probe_readable(now);
    if (!probe.is_asked || now - probe.asked_ms < WATCH_RULE_LIMIT_MS)
        return false;
    struct watch_pace pace = get_pace();
    return !watch_rule_is_starved(&probe.pace, &pace, now - probe.asked_ms);
}

static void watch(void)
{
    int64_t next = monotonic_ms();

    notify("READY=1");
    while (!is_told_to_end) {
        int64_t now = monotonic_ms();

        if (is_told_to_read)
            read_again();
        if (is_overdue(now)) {
            reset_connections();
            on_fault("does not answer");
        }
        if (now >= next) {
            next = now + WATCH_RULE_EACH_MS;
            look_at_keepers();
            if (!probe.is_asked && !ask_twice(now))
                on_fault("is not there");
            notify("WATCHDOG=1");
        }
        int64_t limit = probe.is_asked && now < probe.asked_ms + WATCH_RULE_LIMIT_MS
                            ? probe.asked_ms + WATCH_RULE_LIMIT_MS
                            : next;
        wait_for_events(limit < next ? limit : next);
    }
}

static void on_signal(int number)
{
    if (number == SIGHUP)
        is_told_to_read = true;
    else
        is_told_to_end = true;
}

/* Without being paged out and before everybody else, as far as it is allowed. */
static void prefer(void)
{
    struct sched_param first = { .sched_priority = 1 };

    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
        say("its memory is not locked: %m");
    if (sched_getscheduler(0) == SCHED_RR) /* its unit has seen to it */
        return;
    if (sched_setscheduler(0, SCHED_RR, &first) != 0 && setpriority(PRIO_PROCESS, 0, NICE) != 0)
        say("it runs with the priority of everybody: %m");
}

static void start_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal };

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

/* ---- the other uses ------------------------------------------------------------------------- */

static int write_fault(void)
{
    watch_rule_init(&rule, site.count);
    update_tracks();
    return 0;
}

/* Lines "NAME WEIGHT": does one of them not say that gatewayd is at fault? */
static bool has_service(const char *lines)
{
    const char *line = strstr(lines, "\r\n\r\n");

    for (line = line == NULL ? "" : line + 4; *line != '\0';) {
        const char *end = strchrnul(line, '\n');
        const char *weight = memchr(line, ' ', (size_t)(end - line));

        if (weight != NULL && strncmp(weight, " -254", 5) != 0)
            return true;
        line = *end == '\0' ? end : end + 1;
    }
    return false;
}

/* The backstop. A node that drains is not ready and holds its addresses all the same, until the
 * drain moves them: what counts is an answer in time that is no fault. */
static int check(void)
{
    static const char request[] = "GET /ha HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n";
    static char answer[ANSWER_MOST];
    size_t filled = 0;
    int fd = open_unix("probe.sock", 0, CHECK_MS);

    if (fd < 0)
        return 1;
    ssize_t n = send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL);
    while (n > 0 && filled < sizeof(answer) - 1) {
        n = recv(fd, answer + filled, sizeof(answer) - 1 - filled, 0);
        filled += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    return n == 0 && strncmp(answer, "HTTP/1.1 200 ", 13) == 0 && has_service(answer) ? 0 : 1;
}

static _Noreturn void refuse_usage(void)
{
    fputs("usage: gatewayd-watch [--fault | --check] [-a FILE] [-d FOLDER] [-k PIDFILE]...\n"
          "\n"
          "  -a FILE     the virtual addresses (default " SITE_FILE_DEFAULT ")\n"
          "  -d FOLDER   where probe.sock, hold.sock and the track files are (default\n"
          "              " SITE_FILE_FOLDER ")\n"
          "  -k PIDFILE  a file with the number of a process of keepalived; up to 4\n"
          "  --fault     write the fault into every track file, and exit\n"
          "  --check     exit 0 if gatewayd is in service (draining or not), else 1\n",
          stderr);
    exit(2);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "fault", no_argument, NULL, 'f' },
        { "check", no_argument, NULL, 'c' },
        { NULL, 0, NULL, 0 },
    };
    char why[256];
    int use = 0;
    int option;

    while ((option = getopt_long(argc, argv, "a:d:k:", options, NULL)) != -1) {
        if (option == 'a')
            site_name = optarg;
        else if (option == 'd')
            folder = optarg;
        else if (option == 'k' && keeper_count < KEEPALIVED_PIDFILES_MOST)
            keepers[keeper_count++] = (struct keeper){ .file = optarg, .fd = -1 };
        else if (option == 'f' || option == 'c')
            use = option;
        else
            refuse_usage();
    }
    if (optind != argc)
        refuse_usage();
    if (use == 'c')
        return check();
    if (!site_file_read(site_name, &site, why, sizeof(why))) {
        say("%s: %s", site_name, why);
        return 1;
    }
    if (use == 'f')
        return write_fault();
    watch_rule_init(&rule, site.count);
    prefer();
    start_signals();
    watch();
    return 0;
}
