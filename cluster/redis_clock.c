/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/redis_clock.h"

/* How far two clocks part at most: 500 ppm. */
#define DRIFT_PARTS 2000

static uint64_t doubt_at(const struct redis_clock *c, uint64_t now_us)
{
    return c->doubt_us + (now_us - c->local_us) / DRIFT_PARTS;
}

void redis_clock_note(struct redis_clock *c, int64_t server_us, uint64_t asked_us, uint64_t now_us)
{
    uint64_t half = (now_us - asked_us) / 2;
    struct redis_clock new = { server_us + (int64_t)half, now_us, half };
    if (c->server_us != 0) {
        int64_t apart = new.server_us - redis_clock_read(c, now_us);
        uint64_t distance = apart < 0 ? 0 - (uint64_t)apart : (uint64_t)apart;
        bool has_stepped = distance > doubt_at(c, now_us) + half;
        if (!has_stepped && doubt_at(c, now_us) < half)
            return;
    }
    *c = new;
}

int64_t redis_clock_read(const struct redis_clock *c, uint64_t now_us)
{
    return c->server_us == 0 ? 0 : c->server_us + (int64_t)(now_us - c->local_us);
}
