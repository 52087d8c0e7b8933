/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.c - reading the kernel's clocks, and the Date field. The precise clocks cost some 25 ns
 * through the vdso; the coarse ones are too coarse for latencies.
 */
#include "gatewayd/core/clock.h"

#include <time.h>

#define WALL_NS 500000

static uint64_t read_ns(clockid_t id)
{
    struct timespec t;
    MUST(clock_gettime(id, &t) == 0);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t clock_read_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_read_ms(void)
{
    return read_ns(CLOCK_MONOTONIC) / 1000000;
}

uint64_t clock_read_cpu_ns(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

int64_t clock_read_wall_us(void)
{
    return (int64_t)(read_ns(CLOCK_REALTIME) / 1000);
}

int64_t clock_read_wall_ms(void)
{
    return (int64_t)(read_ns(CLOCK_REALTIME) / 1000000);
}

void clock_init(struct clock *c)
{
    *c = (struct clock){ .date_at = -1 };
    clock_update(c);
}

void clock_update(struct clock *c)
{
    c->ns = clock_read_ns();
    /* Its milliseconds need no second reading more often than that. */
    if (c->ns - c->wall_read_ns < WALL_NS)
        return;
    c->wall_read_ns = c->ns;
    c->wall_ms = clock_read_wall_ms();
}

struct text clock_date(struct clock *c)
{
    int64_t second = c->wall_ms / 1000;
    if (UNLIKELY(second != c->date_at)) {
        clock_print_date(second, c->date);
        c->date_at = second;
    }
    return text_from(c->date, CLOCK_DATE_LENGTH);
}

static char *put(char *at, const char *from, size_t length)
{
    memcpy(at, from, length);
    return at + length;
}

static char *put_number(char *at, unsigned value, unsigned digits)
{
    for (unsigned i = digits; i > 0; i--) {
        at[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + digits;
}

/* strftime would follow the locale. */
struct text clock_print_date(int64_t second, char into[CLOCK_DATE_LENGTH + 1])
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm t;
    time_t when = (time_t)second;
    MUST(gmtime_r(&when, &t) != NULL);

    char *at = put(into, days + 3 * t.tm_wday, 3);
    at = put(at, ", ", 2);
    at = put_number(at, (unsigned)t.tm_mday, 2);
    at = put(at, " ", 1);
    at = put(at, months + 3 * t.tm_mon, 3);
    at = put(at, " ", 1);
    at = put_number(at, (unsigned)t.tm_year + 1900, 4);
    at = put(at, " ", 1);
    at = put_number(at, (unsigned)t.tm_hour, 2);
    at = put(at, ":", 1);
    at = put_number(at, (unsigned)t.tm_min, 2);
    at = put(at, ":", 1);
    at = put_number(at, (unsigned)t.tm_sec, 2);
    at = put(at, " GMT", 4);
    *at = '\0';
    return text_from(into, CLOCK_DATE_LENGTH);
}
