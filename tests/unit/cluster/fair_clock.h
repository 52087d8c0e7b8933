/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fair_clock.h - time in which this thread ran or had nothing to do, for bounds on how long
 * something may take: on a machine that does much else a thread that could run waits for its turn,
 * and that is nobody's fault.
 */
#ifndef TESTS_UNIT_CLUSTER_FAIR_CLOCK_H
#define TESTS_UNIT_CLUSTER_FAIR_CLOCK_H

#include <stdint.h>

/* Nanoseconds, of this thread only. */
uint64_t fair_clock_ns(void);

#endif
