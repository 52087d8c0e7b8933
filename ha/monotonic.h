/* SPDX-License-Identifier: Apache-2.0 */
/*
 * monotonic.h - the clock that deadlines are measured by: it never jumps, and stands still while
 * the machine sleeps.
 */
#ifndef HA_MONOTONIC_H
#define HA_MONOTONIC_H

#include <stdint.h>

/* Milliseconds since the machine began. Any thread. */
int64_t monotonic_ms(void);

#endif
