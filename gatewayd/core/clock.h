/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.h - time as a loop sees it: read once per turn, then only looked up.
 *
 * Lifetime: loop. Everything but clock_read_* belongs to the loop's thread. Monotonic time counts
 * from an arbitrary start, wall time from the epoch.
 */
#ifndef GATEWAYD_CORE_CLOCK_H
#define GATEWAYD_CORE_CLOCK_H

#include "conf/base/text.h"

#define CLOCK_DATE_LENGTH 29 /* "Sun, 06 Nov 1994 08:49:37 GMT" */

struct clock {
    uint64_t ns;           /* monotonic, when the turn began */
    int64_t wall_ms;       /* half a millisecond old at most */
    uint64_t wall_read_ns; /* when that was */
    int64_t date_at;       /* the second .date was printed for */
    char date[CLOCK_DATE_LENGTH + 1];
};

void clock_init(struct clock *c);

/* Reads the monotonic clock, and the other one now and then; the loop does it once per turn. */
void clock_update(struct clock *c);

static inline uint64_t clock_ns(const struct clock *c)
{
    return c->ns;
}

static inline uint64_t clock_us(const struct clock *c)
{
    return c->ns / 1000;
}

static inline uint64_t clock_ms(const struct clock *c)
{
    return c->ns / 1000000;
}

static inline int64_t clock_wall_ms(const struct clock *c)
{
    return c->wall_ms;
}

/* The value of a Date field (RFC 9110 §5.6.7), printed at most once per second. Borrowed until the
 * next turn. */
struct text clock_date(struct clock *c);

/* Prints any second as an IMF-fixdate into `into`. */
struct text clock_print_date(int64_t second, char into[CLOCK_DATE_LENGTH + 1]);

/* Really read now, by any thread. */
uint64_t clock_read_ns(void);
uint64_t clock_read_ms(void);
int64_t clock_read_wall_ms(void);
int64_t clock_read_wall_us(void);

/* Processor time of the calling thread; a system call. */
uint64_t clock_read_cpu_ns(void);

#endif
