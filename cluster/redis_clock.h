/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_clock.h - what the clock of a server says, as far as is known: a reading is off by half of
 * its round trip at most, and goes on with our monotonic clock. Of two readings that agree the
 * better one counts; one that cannot agree with the one before means that a clock was stepped.
 * Microseconds.
 */
#ifndef CLUSTER_REDIS_CLOCK_H
#define CLUSTER_REDIS_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* All zero: nothing is known. */
struct redis_clock {
    int64_t server_us; /* what it said … */
    uint64_t local_us; /* … at this time of ours … */
    uint64_t doubt_us; /* … give or take */
};

/* The answer `server_us` came at `now_us` to what was asked at `asked_us`. */
void redis_clock_note(struct redis_clock *c, int64_t server_us, uint64_t asked_us, uint64_t now_us);

/* 0: not known. */
int64_t redis_clock_read(const struct redis_clock *c, uint64_t now_us);

#endif
