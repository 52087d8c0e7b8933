/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_private.h - the rings between the threads that log and the writer.
 *
 * One ring per thread and kind: one producer, one consumer, whole lines as bytes. A ring outlives
 * its thread and is used again by a later one.
 */
#ifndef GATEWAYD_CORE_LOG_PRIVATE_H
#define GATEWAYD_CORE_LOG_PRIVATE_H

#include "gatewayd/core/log.h"

enum log_ring_kind { LOG_RING_LINES, LOG_RING_ACCESS, LOG_RING_KINDS };

struct log_ring {
    struct log_ring *next; /* in the list of all, never changed once there */
    enum log_ring_kind kind;
    size_t size; /* a power of two */
    atomic_bool is_owned;
    atomic_bool is_urged; /* the writer was told that it is filling up */
    _Atomic uint64_t lost;
    /* Positions only grow; apart, because two threads write them. */
    _Atomic uint64_t written __attribute__((aligned(64)));
    _Atomic uint64_t taken __attribute__((aligned(64)));
    char bytes[] __attribute__((aligned(64)));
};

/* The ring of this thread, made at its first use. */
struct log_ring *log_ring_get(enum log_ring_kind kind);

/* All rings, newest first. */
struct log_ring *log_ring_first(void);

/* False: full, nothing was written. Only by the owner. */
MUST_USE bool log_ring_try_write(struct log_ring *ring, struct text line);

/* What can be taken, in at most two pieces; returns the bytes. Only by the writer. */
size_t log_ring_peek(struct log_ring *ring, struct text pieces[2]);
void log_ring_remove(struct log_ring *ring, size_t bytes);

/* Tells the writer that a ring has lines, unless it is awake anyway. */
void log_writer_wake(struct log_ring *ring);
bool log_writer_is_running(void);

void log_set_access_on(bool on);
void log_count_lost(enum log_ring_kind kind, uint64_t lines);

#endif
