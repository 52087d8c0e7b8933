/* SPDX-License-Identifier: Apache-2.0 */
/* monotonic.c - see monotonic.h. */
#include "ha/monotonic.h"

#include <time.h>

int64_t monotonic_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
