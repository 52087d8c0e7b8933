/* SPDX-License-Identifier: Apache-2.0 */
/*
 * balancer_round_robin.c - smooth weighted round robin: each turn everybody gains its weight, the
 * one with most goes and pays what all gained. Weights 5, 1, 1 give a a b a c a a, not a a a a a.
 *
 * Each worker goes round by itself, in a row of memory of its own, beginning at a random place.
 */
#include "gatewayd/route/balancer_private.h"

#include <stdlib.h>

#include "conf/base/digest.h"
#include "conf/base/mem.h"

#define ROW_ALIGNMENT 64

struct balancer_turns {
    size_t row; /* bytes */
    char *rows; /* one for each worker */
};

static int64_t *row_of(const struct balancer_turns *turns, unsigned worker)
{
    return (int64_t *)(void *)(turns->rows + worker * turns->row);
}

struct balancer_turns *balancer_turns_new(const struct fleet *fleet)
{
    unsigned count = fleet->primaries.count + fleet->backups.count;
    struct balancer_turns *turns = mem_new(sizeof(*turns));
    void *rows = NULL;

    turns->row = (count * sizeof(int64_t) + ROW_ALIGNMENT) / ROW_ALIGNMENT * ROW_ALIGNMENT;
    MUST(posix_memalign(&rows, ROW_ALIGNMENT, turns->row * fleet->worker_count) == 0);
    turns->rows = rows;
    for (unsigned w = 0; w < fleet->worker_count; w++) {
        for (unsigned i = 0; i < count; i++) {
            uint32_t random;

            digest_random(&random, sizeof(random));
            row_of(turns, w)[i] = random % (fleet->members[i].weight * 1000);
        }
    }
    return turns;
}

void balancer_turns_free(struct balancer_turns **turns)
{
    if (*turns == NULL)
        return;
    free((*turns)->rows);
    MEM_FREE(turns);
}

const struct member *balancer_round_robin_choose(const struct balancer_look *look)
{
    const struct fleet_tier *tier = look->tier;
    int64_t *row = row_of(look->fleet->turns, look->ask->worker) + tier->first;
    const struct member *members = look->fleet->members + tier->first;
    int64_t total = 0;
    unsigned best = tier->count;

    for (unsigned i = 0; i < tier->count; i++) {
        unsigned weight;

        if (!balancer_can_take(look, &members[i]))
            continue;
        weight = balancer_weight(look, &members[i]);
        row[i] += weight;
        total += weight;
        if (best == tier->count || row[i] > row[best])
            best = i;
    }
    if (best == tier->count)
        return NULL;
    row[best] -= total;
    return &members[best];
}
