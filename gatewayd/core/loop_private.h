/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop_private.h - between loop.c, loop_timer.c and loop_pace.c.
 */
#ifndef GATEWAYD_CORE_LOOP_PRIVATE_H
#define GATEWAYD_CORE_LOOP_PRIVATE_H

#include "gatewayd/core/loop.h"

void loop_wheel_init(struct loop *loop);

/* Fires what is due by the loop's clock and notes when to look again. */
void loop_wheel_advance(struct loop *loop);

/* Only for loops that are measured: at the beginning of a turn, and at its end. */
void loop_pace_begin(struct loop *loop);
void loop_pace_end(struct loop *loop);

#endif
