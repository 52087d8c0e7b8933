/* SPDX-License-Identifier: Apache-2.0 */
/*
 * must.h - assertions that stay on, and the few attributes every file uses.
 *
 * MUST() states what our own code guarantees. A false one is a bug: the process says where and
 * aborts, so that the supervisor restarts it and the other nodes carry on. It is never used on
 * anything that a peer, a file or an operator can influence.
 */
#ifndef CONF_BASE_MUST_H
#define CONF_BASE_MUST_H

#include <stddef.h>

#define MUST_USE                            __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, args_at)     __attribute__((format(printf, format_at, args_at)))
#define NORETURN                            __attribute__((noreturn))
#define LIKELY(x)                           __builtin_expect(!!(x), 1)
#define UNLIKELY(x)                         __builtin_expect(!!(x), 0)
#define ARRAY_LENGTH(a)                     (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#define MUST(cond) (LIKELY(cond) ? (void)0 : must_fail(__FILE__, __LINE__, __func__, #cond))

/* Prints the place and the expression to stderr, runs the dumper, aborts. Any thread. */
NORETURN void must_fail(const char *file, int line, const char *function, const char *expression);

/* What a panic prints beside the place: the exchange or snapshot at hand. Called at most once, on
 * the thread that panicked; it may only write to file descriptor 2. */
typedef void must_dump_fn(void);
void must_set_dump(must_dump_fn *dump);

#endif
