/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.c - from log_info(…) to a line in this thread's ring.
 */
#include "gatewayd/core/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "gatewayd/core/clock.h"
#include "gatewayd/core/log_private.h"

#define MESSAGE_SIZE 1024
#define SCOPES_MAX   8

_Atomic int log_level_now = LOG_LEVEL_INFO;
_Atomic uint32_t log_debug_subjects;

static _Atomic int format_now = LOG_FORMAT_JSON;
static atomic_bool access_on;
static _Atomic uint64_t lost[LOG_RING_KINDS];

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

static const char *const subject_names[] = {
#define LOG_SUBJECT(name) #name,
    LOG_SUBJECTS
#undef LOG_SUBJECT
};

_Static_assert(LOG_SUBJECT_COUNT <= 32, "log_debug_subjects has 32 bits");

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

const char *log_subject_name(enum log_subject subject)
{
    return subject_names[subject];
}

bool log_parse_subject(struct text name, enum log_subject *subject_out)
{
    for (unsigned i = 0; i < LOG_SUBJECT_COUNT; i++) {
        if (text_equals(name, text_of(subject_names[i]))) {
            *subject_out = (enum log_subject)i;
            return true;
        }
    }
    return false;
}

void log_set_level(enum log_level level)
{
    atomic_store(&log_level_now, (int)level);
}

void log_set_debug(enum log_subject subject, bool on)
{
    uint32_t bit = UINT32_C(1) << subject;
    if (on)
        atomic_fetch_or(&log_debug_subjects, bit);
    else
        atomic_fetch_and(&log_debug_subjects, ~bit);
}

void log_set_format(enum log_format format)
{
    atomic_store(&format_now, (int)format);
}

enum log_format log_get_format(void)
{
    return (enum log_format)atomic_load_explicit(&format_now, memory_order_relaxed);
}

/* ---- sending -------------------------------------------------------------------------------- */

static void write_now(struct text line)
{
    while (line.length > 0) {
        ssize_t n = write(STDERR_FILENO, line.at, line.length);
        if (n <= 0)
            return;
        line = text_from(line.at + n, line.length - (size_t)n);
    }
}

static void send_line(enum log_ring_kind kind, struct text line)
{
    struct log_ring *ring = log_ring_get(kind);
    if (!log_ring_try_write(ring, line))
        log_count_lost(kind, 1);
    log_writer_wake(ring);
}

void log_access(struct text line)
{
    if (log_access_is_on())
        send_line(LOG_RING_ACCESS, line);
}

bool log_access_is_on(void)
{
    return atomic_load_explicit(&access_on, memory_order_relaxed);
}

void log_set_access_on(bool on)
{
    atomic_store(&access_on, on);
}

void log_count_lost(enum log_ring_kind kind, uint64_t lines)
{
    atomic_fetch_add_explicit(&lost[kind], lines, memory_order_relaxed);
}

uint64_t log_lost(void)
{
    return atomic_load_explicit(&lost[LOG_RING_LINES], memory_order_relaxed);
}

uint64_t log_access_lost(void)
{
    return atomic_load_explicit(&lost[LOG_RING_ACCESS], memory_order_relaxed);
}

/* ---- log lines ------------------------------------------------------------------------------ */

static void add_scope(struct log_line *line, const struct log_scope *scope)
{
    if (scope->print != NULL)
        scope->print(scope, line);
    else if (scope->name != NULL)
        log_line_add(line, scope->name, scope->value);
}

static void add_scopes(struct log_line *line, const struct log_scope *scope)
{
    const struct log_scope *chain[SCOPES_MAX];
    unsigned count = 0;
    for (; scope != NULL && count < SCOPES_MAX; scope = scope->parent)
        chain[count++] = scope;
    while (count > 0)
        add_scope(line, chain[--count]);
}

void log_write(enum log_level level, const struct log_scope *scope, const char *format, ...)
{
    char message[MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    MUST(length >= 0);
    if ((size_t)length >= sizeof(message))
        length = sizeof(message) - 1;

    char memory[LOG_LINE_SIZE];
    struct log_line line;
    log_line_init(&line, memory, sizeof(memory), log_get_format());
    log_line_add_time(&line, "time", clock_read_wall_ms());
    log_line_add(&line, "level", text_of(log_level_name(level)));
    if (scope != NULL)
        log_line_add(&line, "subject", text_of(log_subject_name(scope->subject)));
    log_line_add(&line, "message", text_from(message, (size_t)length));
    add_scopes(&line, scope);

    struct text whole = log_line_end(&line);
    if (log_writer_is_running())
        send_line(LOG_RING_LINES, whole);
    else
        write_now(whole);
}
