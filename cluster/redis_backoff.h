/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_backoff.h - how long to wait before the next try: twice as long each time up to a ceiling,
 * and a random part of it, so that nodes that lost the same server do not come back as one.
 */
#ifndef CLUSTER_REDIS_BACKOFF_H
#define CLUSTER_REDIS_BACKOFF_H

#include <stdint.h>

struct redis_backoff {
    uint64_t first_ms;
    uint64_t most_ms;
    uint64_t now_ms; /* 0: nothing failed since it worked */
};

void redis_backoff_init(struct redis_backoff *b, uint64_t first_ms, uint64_t most_ms);
void redis_backoff_reset(struct redis_backoff *b); /* it worked */

/* Between half of the present step and all of it; then steps up. At least 1. */
uint64_t redis_backoff_next(struct redis_backoff *b);

#endif
