/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - lines for operators, and the access log.
 *
 * log_info(scope, "…", …): `scope` is a const struct log_scope * or NULL; arguments are not
 * evaluated when the level is off. Lines go through a ring of the calling thread to the writer
 * thread (log_writer.c): logging never blocks and never takes a lock; a line that finds the ring
 * full is dropped and counted. Before log_writer_start lines are written to stderr at once.
 * error: an operator must act. warn: will need acting. info: life events. What concerns one request
 * goes to the access log only. Never log tokens, keys, bodies, or fields that are secret.
 * Any thread.
 */
#ifndef GATEWAYD_CORE_LOG_H
#define GATEWAYD_CORE_LOG_H

#include <stdatomic.h>

#include "conf/base/text.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_JSON, LOG_FORMAT_TEXT };

/* What debug can be switched on for one by one; also printed with each line. */
/* clang-format off */
#define LOG_SUBJECTS \
    LOG_SUBJECT(node) LOG_SUBJECT(worker) LOG_SUBJECT(listener) LOG_SUBJECT(downstream) LOG_SUBJECT(upstream) \
    LOG_SUBJECT(exchange) LOG_SUBJECT(tls) LOG_SUBJECT(names) LOG_SUBJECT(health) LOG_SUBJECT(config) \
    LOG_SUBJECT(auth) LOG_SUBJECT(limit) LOG_SUBJECT(store) LOG_SUBJECT(redis) LOG_SUBJECT(admin) LOG_SUBJECT(ha)
/* clang-format on */

enum log_subject {
#define LOG_SUBJECT(name) LOG_SUBJECT_##name,
    LOG_SUBJECTS
#undef LOG_SUBJECT
        LOG_SUBJECT_COUNT
};

/* ---- scopes --------------------------------------------------------------------------------- */

struct log_line;
struct log_scope;

/* Adds the fields of the object that embeds `scope`: log_line_add(line, "route", name)… */
typedef void log_scope_fn(const struct log_scope *scope, struct log_line *line);

/* Embedded in a worker, connection, exchange, service…: filling it in costs nothing per request,
 * the fields are asked for only when a line is written. */
struct log_scope {
    const struct log_scope *parent; /* its fields come first; NULL: none */
    log_scope_fn *print;            /* NULL: the one field below, if it has a name */
    const char *name;
    struct text value;
    enum log_subject subject;
};

/* ---- lines ---------------------------------------------------------------------------------- */

#define LOG_LINE_SIZE 2048

/* A line being put together in memory of the caller's. A field that does not fit is left out and
 * .is_cut set; the line stays well-formed. */
struct log_line {
    char *at;
    size_t length;
    size_t size;
    enum log_format format;
    bool is_cut;
};

void log_line_init(struct log_line *line, char *memory, size_t size, enum log_format format);
void log_line_add(struct log_line *line, const char *name, struct text value);
void log_line_add_u64(struct log_line *line, const char *name, uint64_t value);
void log_line_add_i64(struct log_line *line, const char *name, int64_t value);
void log_line_add_bool(struct log_line *line, const char *name, bool value);
/* Microseconds, printed as milliseconds with three decimals. */
void log_line_add_us(struct log_line *line, const char *name, uint64_t us);
/* RFC 3339, UTC, milliseconds. */
void log_line_add_time(struct log_line *line, const char *name, int64_t wall_ms);
/* The finished line with its newline; borrowed from the caller's memory. */
struct text log_line_end(struct log_line *line);

/* Sends a finished line (log_line_end) to the access log. Nothing happens if it is off. */
void log_access(struct text line);
bool log_access_is_on(void);
/* The format that access lines shall be made in. */
enum log_format log_get_format(void);

/* ---- logging -------------------------------------------------------------------------------- */

extern _Atomic int log_level_now;
extern _Atomic uint32_t log_debug_subjects; /* a bit for each enum log_subject */

static inline bool log_is_on(enum log_level level, const struct log_scope *scope)
{
    if ((int)level <= atomic_load_explicit(&log_level_now, memory_order_relaxed))
        return true;
    if (level != LOG_LEVEL_DEBUG || scope == NULL)
        return false;
    return (atomic_load_explicit(&log_debug_subjects, memory_order_relaxed) >> scope->subject) & 1;
}

void log_write(enum log_level level, const struct log_scope *scope, const char *format, ...)
    PRINTF_LIKE(3, 4);

#define LOG_AT(level, scope, ...)                                                                  \
    do {                                                                                           \
        const struct log_scope *log_scope_ = (scope);                                              \
        if (log_is_on((level), log_scope_))                                                        \
            log_write((level), log_scope_, __VA_ARGS__);                                           \
    } while (0)

#define log_error(scope, ...) LOG_AT(LOG_LEVEL_ERROR, scope, __VA_ARGS__)
#define log_warn(scope, ...)  LOG_AT(LOG_LEVEL_WARN, scope, __VA_ARGS__)
#define log_info(scope, ...)  LOG_AT(LOG_LEVEL_INFO, scope, __VA_ARGS__)
#define log_debug(scope, ...) LOG_AT(LOG_LEVEL_DEBUG, scope, __VA_ARGS__)

/* Any time, any thread. */
void log_set_level(enum log_level level);
void log_set_debug(enum log_subject subject, bool on);
void log_set_format(enum log_format format);
/* NULL-terminated, static; false if there is none of that name. */
MUST_USE bool log_parse_subject(struct text name, enum log_subject *subject_out);
const char *log_subject_name(enum log_subject subject);
const char *log_level_name(enum log_level level);

/* Lines dropped since the start, and access lines. */
uint64_t log_lost(void);
uint64_t log_access_lost(void);

#endif
