/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/redis_backoff.h"

#include "conf/base/digest.h"

void redis_backoff_init(struct redis_backoff *b, uint64_t first_ms, uint64_t most_ms)
{
    MUST(first_ms >= 1 && first_ms <= most_ms);
    *b = (struct redis_backoff){ .first_ms = first_ms, .most_ms = most_ms };
}

void redis_backoff_reset(struct redis_backoff *b)
{
    b->now_ms = 0;
}

uint64_t redis_backoff_next(struct redis_backoff *b)
{
    uint32_t dice;
    if (b->now_ms == 0)
        b->now_ms = b->first_ms;
    uint64_t half = b->now_ms / 2;
    digest_random(&dice, sizeof(dice));
    uint64_t wait = b->now_ms - dice % (half + 1);
    b->now_ms = b->now_ms > b->most_ms / 2 ? b->most_ms : 2 * b->now_ms;
    return wait;
}
