/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread_pace.h - does a thread that is late hang, or does it wait for the processor? What the
 * kernel tells of it twice, and the time between, say so.
 */
#ifndef GATEWAYD_CORE_THREAD_PACE_H
#define GATEWAYD_CORE_THREAD_PACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What a thread of this process has done; all zero: nothing is known. */
struct thread_pace {
    uint64_t run_ns; /* on a processor, ever */
    bool is_known;
    bool is_runnable; /* on a processor or waiting for one: not asleep, not stopped */
};

/* Reads /proc; some microseconds. */
struct thread_pace thread_pace_get(pid_t tid);

/* It would run if it were let, and was let for less than half of the `ms` between the two. */
bool thread_pace_is_starved(const struct thread_pace *before, const struct thread_pace *after,
                            uint64_t ms);

#endif
