/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_watchdog.c - tells the supervisor that the node is alive, as long as every worker answers
 * ($WATCHDOG_USEC, sd_watchdog_enabled(3)). A thread that hangs lets the supervisor start us anew.
 */
#include <stdlib.h>
#include <unistd.h>

#include "gatewayd/control_private.h"
#include "gatewayd/notify.h"

/* Of the time in which the supervisor wants to hear from us. */
#define SHARE 3

static bool is_for_us(void)
{
    uint64_t pid = 0;
    const char *wanted = getenv("WATCHDOG_PID");

    return wanted == NULL || (text_parse_u64(text_of(wanted), &pid) && pid == (uint64_t)getpid());
}

static uint64_t period_ms(void)
{
    uint64_t us = 0;

    if (!is_for_us() || !text_parse_u64(text_of(getenv("WATCHDOG_USEC")), &us))
        return 0;
    return us / 1000 / SHARE;
}

static void on_pong(void *arg)
{
    struct control *c = arg;

    if (c->watchdog.pongs_missing > 0 && --c->watchdog.pongs_missing == 0)
        notify_send("WATCHDOG=1");
}

static void on_period(void *arg)
{
    struct control *c = arg;

    loop_timer_start(&c->watchdog.timer, c->watchdog.period_ms);
    if (c->is_quitting) {
        /* Workers end one by one; the drain has a deadline of its own. */
        notify_send("WATCHDOG=1");
        return;
    }
    if (c->watchdog.pongs_missing > 0)
        return;
    c->watchdog.pongs_missing = c->worker_count;
    for (unsigned i = 0; i < c->worker_count; i++)
        worker_ping(c->workers[i], on_pong, c);
}

void control_watchdog_start(struct control *c)
{
    loop_timer_init(&c->watchdog.timer, c->loop, on_period, c);
    c->watchdog.period_ms = period_ms();
    if (c->watchdog.period_ms > 0)
        loop_timer_start(&c->watchdog.timer, 0);
}

void control_watchdog_stop(struct control *c)
{
    if (c->watchdog.period_ms > 0)
        loop_timer_stop(&c->watchdog.timer);
}
