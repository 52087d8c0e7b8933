/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_writer.c - the thread that empties the rings into files.
 *
 * It sleeps on an eventfd. The first line after a quiet time wakes it; then it gathers for some
 * milliseconds before it looks again, so that a busy worker writes no eventfd per line; a ring that
 * is half full calls it at once. A slow or broken file makes lines be lost, never a worker wait.
 * Lines of one ring stay in order and whole.
 */
#include "gatewayd/core/log_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "conf/base/mem.h"
#include "gatewayd/core/log_private.h"

#define GATHER_MS     20
#define STOP_SECONDS  2
#define FLUSH_SECONDS 1

static struct {
    pthread_t thread;
    int wake_fd;
    atomic_bool is_running;
    atomic_bool is_asleep;
    int fds[LOG_RING_KINDS]; /* the thread's own while it runs; -1: nowhere */

    pthread_mutex_t lock; /* between control and the thread, for what follows */
    pthread_cond_t done;
    char *access; /* destination as configured */
    int next_access_fd;
    bool has_next_access;
    bool is_stopping;
    bool is_over; /* nothing is left to be written */
    uint64_t rounds_asked;
    uint64_t rounds_done;
} writer = {
    .wake_fd = -1,
    .fds = { STDERR_FILENO, -1 },
    .lock = PTHREAD_MUTEX_INITIALIZER,
};

static const struct log_scope scope = { .subject = LOG_SUBJECT_node };

bool log_writer_is_running(void)
{
    return atomic_load_explicit(&writer.is_running, memory_order_acquire);
}

static void ring_bell(void)
{
    uint64_t one = 1;
    ssize_t n = write(writer.wake_fd, &one, sizeof(one));
    (void)n; /* EAGAIN: it has been rung more than often enough */
}

static bool is_half_full(struct log_ring *r)
{
    uint64_t written = atomic_load_explicit(&r->written, memory_order_relaxed);
    return written - atomic_load_explicit(&r->taken, memory_order_relaxed) > r->size / 2;
}

void log_writer_wake(struct log_ring *r)
{
    if (!log_writer_is_running())
        return;
    bool was_asleep = atomic_load(&writer.is_asleep) && atomic_exchange(&writer.is_asleep, false);
    if (was_asleep || (is_half_full(r) && !atomic_exchange(&r->is_urged, true)))
        ring_bell();
}

/* ---- writing -------------------------------------------------------------------------------- */

static uint64_t count_lines(const struct text pieces[2])
{
    uint64_t lines = 0;
    for (int i = 0; i < 2; i++)
        for (size_t at = 0; at < pieces[i].length; at++)
            lines += pieces[i].at[at] == '\n';
    return lines;
}

static ssize_t write_pieces(int fd, const struct text pieces[2])
{
    struct iovec iov[2];
    int count = 0;
    for (int i = 0; i < 2; i++)
        if (pieces[i].length > 0)
            iov[count++] = (struct iovec){ (void *)pieces[i].at, pieces[i].length };
    return writev(fd, iov, count);
}

/* A destination that was made non-blocking by whoever shares it. */
static void wait_for_room(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    (void)poll(&p, 1, 1000);
}

/* Everything that is there now, or it is lost. True if there was something. */
static bool drain(struct log_ring *r, int fd)
{
    struct text pieces[2];
    size_t bytes = log_ring_peek(r, pieces);
    if (bytes == 0)
        return false;
    uint64_t end = atomic_load_explicit(&r->taken, memory_order_relaxed) + bytes;
    while (bytes > 0) {
        ssize_t n = fd < 0 ? (ssize_t)bytes : write_pieces(fd, pieces);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            wait_for_room(fd);
            continue;
        }
        if (n < 0) {
            log_count_lost(r->kind, count_lines(pieces));
            n = (ssize_t)bytes;
        }
        log_ring_remove(r, (size_t)n);
        bytes -= (size_t)n;
        if (bytes > 0)
            bytes = log_ring_peek(r, pieces);
        if (atomic_load_explicit(&r->taken, memory_order_relaxed) >= end)
            break;
    }
    atomic_store(&r->is_urged, false);
    return true;
}

static bool drain_all(void)
{
    bool any = false;
    for (struct log_ring *r = log_ring_first(); r != NULL; r = r->next)
        any |= drain(r, writer.fds[r->kind]);
    return any;
}

static bool is_any_filled(void)
{
    for (struct log_ring *r = log_ring_first(); r != NULL; r = r->next)
        if (atomic_load(&r->written) != atomic_load_explicit(&r->taken, memory_order_relaxed))
            return true;
    return false;
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void close_access(void)
{
    if (writer.fds[LOG_RING_ACCESS] > STDERR_FILENO)
        close(writer.fds[LOG_RING_ACCESS]);
    writer.fds[LOG_RING_ACCESS] = -1;
}

/* Before a round: whatever was logged before the request was made is written by it. */
static uint64_t look_at_requests(bool *stop_out)
{
    pthread_mutex_lock(&writer.lock);
    if (writer.has_next_access) {
        close_access();
        writer.fds[LOG_RING_ACCESS] = writer.next_access_fd;
        writer.has_next_access = false;
    }
    *stop_out = writer.is_stopping;
    uint64_t rounds = writer.rounds_asked;
    pthread_mutex_unlock(&writer.lock);
    return rounds;
}

static void answer_requests(uint64_t rounds)
{
    pthread_mutex_lock(&writer.lock);
    if (writer.rounds_done < rounds) {
        writer.rounds_done = rounds;
        pthread_cond_broadcast(&writer.done);
    }
    pthread_mutex_unlock(&writer.lock);
}

static void wait_for_bell(int ms)
{
    struct pollfd p = { .fd = writer.wake_fd, .events = POLLIN };
    if (poll(&p, 1, ms) <= 0)
        return;
    uint64_t bells;
    MUST(read(writer.wake_fd, &bells, sizeof(bells)) == sizeof(bells) || errno == EAGAIN);
}

static void sleep_until_something(bool was_busy)
{
    if (was_busy) {
        wait_for_bell(GATHER_MS);
        return;
    }
    /* Either a thread that logs sees us asleep, or we see its line. */
    atomic_store(&writer.is_asleep, true);
    if (!is_any_filled())
        wait_for_bell(-1);
    atomic_store(&writer.is_asleep, false);
}

static void report_loss(uint64_t *reported)
{
    uint64_t now = log_lost() + log_access_lost();
    if (now == *reported)
        return;
    log_warn(&scope, "%llu log lines were lost because they could not be written fast enough",
             (unsigned long long)(now - *reported));
    *reported = now;
}

static void *run(void *unused)
{
    uint64_t reported = log_lost() + log_access_lost();
    bool stop = false;
    while (!stop) {
        uint64_t rounds = look_at_requests(&stop);
        bool any = drain_all();
        answer_requests(rounds);
        report_loss(&reported);
        if (!stop)
            sleep_until_something(any);
    }
    drain_all();
    pthread_mutex_lock(&writer.lock);
    writer.is_over = true;
    pthread_cond_signal(&writer.done);
    pthread_mutex_unlock(&writer.lock);
    return NULL;
}

/* ---- control's side ------------------------------------------------------------------------- */

/* -1: nowhere, -2: cannot. */
static int open_access(const char *access)
{
    if (strcmp(access, "off") == 0 || access[0] == '\0')
        return -1;
    if (strcmp(access, "stdout") == 0)
        return STDOUT_FILENO;
    int fd = open(access, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (fd >= 0)
        return fd;
    log_error(&scope, "cannot open the access log %s: %s", access, strerror(errno));
    return -2;
}

static void set_access_fd(int fd)
{
    pthread_mutex_lock(&writer.lock);
    if (writer.has_next_access && writer.next_access_fd > STDERR_FILENO)
        close(writer.next_access_fd);
    writer.next_access_fd = fd;
    writer.has_next_access = true;
    pthread_mutex_unlock(&writer.lock);
    log_set_access_on(fd >= 0);
    ring_bell();
}

bool log_writer_set_access(struct text access)
{
    char *wanted = mem_copy_text(access.at, access.length);
    int fd = open_access(wanted);
    if (fd == -2) {
        MEM_FREE(&wanted);
        return false;
    }
    MEM_FREE(&writer.access);
    writer.access = wanted;
    set_access_fd(fd);
    return true;
}

void log_writer_reopen(void)
{
    if (!log_writer_is_running() || writer.access == NULL)
        return;
    int fd = open_access(writer.access);
    if (fd != -2)
        set_access_fd(fd);
}

bool log_writer_start(struct text access)
{
    MUST(!log_writer_is_running());
    writer.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    MUST(writer.wake_fd >= 0);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&writer.done, &monotonic);
    pthread_condattr_destroy(&monotonic);
    writer.is_stopping = false;
    writer.is_over = false;

    bool opened = log_writer_set_access(access);
    MUST(pthread_create(&writer.thread, NULL, run, NULL) == 0);
    pthread_setname_np(writer.thread, "log");
    atomic_store(&writer.is_running, true);
    return opened;
}

static struct timespec in_seconds(int seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += seconds;
    return until;
}

void log_writer_flush(void)
{
    if (!log_writer_is_running())
        return;
    struct timespec until = in_seconds(FLUSH_SECONDS);
    pthread_mutex_lock(&writer.lock);
    uint64_t round = ++writer.rounds_asked;
    ring_bell();
    int result = 0;
    while (writer.rounds_done < round && result == 0)
        result = pthread_cond_timedwait(&writer.done, &writer.lock, &until);
    pthread_mutex_unlock(&writer.lock);
}

/* A reader of ours that has stopped reading must not keep the process from ending. */
static bool has_ended_in_time(void)
{
    struct timespec until = in_seconds(STOP_SECONDS);
    int result = 0;
    pthread_mutex_lock(&writer.lock);
    writer.is_stopping = true;
    ring_bell();
    while (!writer.is_over && result == 0)
        result = pthread_cond_timedwait(&writer.done, &writer.lock, &until);
    bool is_over = writer.is_over;
    pthread_mutex_unlock(&writer.lock);
    return is_over;
}

void log_writer_stop(void)
{
    if (!log_writer_is_running())
        return;
    /* From here on lines are written by those who log. */
    atomic_store(&writer.is_running, false);
    log_set_access_on(false);
    if (!has_ended_in_time())
        return;
    pthread_join(writer.thread, NULL);
    close_access();
    close(writer.wake_fd);
    writer.wake_fd = -1;
    pthread_cond_destroy(&writer.done);
    MEM_FREE(&writer.access);
}
