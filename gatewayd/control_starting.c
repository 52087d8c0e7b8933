/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_starting.c - from the first turn of the loop until the first configuration is in force.
 *
 * What takes long (the journal of a million keys, a shared store that is waited for) is loaded by
 * services while the loop runs: the node is alive, answers that it is not ready, and hears signals.
 * The supervisor is told that it takes longer, and how far it is.
 */
#include <stdio.h>

#include "gatewayd/control_private.h"
#include "gatewayd/notify.h"

#define EACH_MS 1000

/* More than enough for the next word of ours to come: systemd gives up a start after the time of
 * its unit unless told of more in time (sd_notify(3)). */
#define EXTEND_US "30000000"

static bool is_starting(const struct control *c)
{
    return c->snapshot == NULL && !c->is_quitting;
}

static void on_period(void *arg)
{
    struct control *c = arg;
    char said[300];

    if (!is_starting(c))
        return;
    snprintf(said, sizeof(said), "EXTEND_TIMEOUT_USEC=" EXTEND_US "\nSTATUS=starting: %.200s",
             c->starting == NULL ? "compiling" : c->starting);
    notify_send(said);
    control_inherit_tell(c, text_of(c->starting == NULL ? "compiling" : c->starting));
    loop_timer_start(&c->starting_timer, EACH_MS);
}

void control_starting_start(struct control *c)
{
    loop_timer_init(&c->starting_timer, c->loop, on_period, c);
    loop_timer_start(&c->starting_timer, 0);
}

void control_starting_stop(struct control *c)
{
    if (c->starting_timer.loop != NULL)
        loop_timer_stop(&c->starting_timer);
    control_set_reason(&c->starting, TEXT_EMPTY);
}

void control_set_starting(struct control *c, struct text what)
{
    if (is_starting(c))
        control_set_reason(&c->starting, what);
}

void control_refuse_start(struct control *c, const struct problems *ps)
{
    MUST(!problems_is_empty(ps));
    control_log_problems(&c->log, ps);
    control_inherit_refuse(c, ps);
    control_quit(c, 1);
    c->exit_status = 1; /* also if it was told to end meanwhile */
}
