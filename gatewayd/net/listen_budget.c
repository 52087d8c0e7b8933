/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listen_budget.c - how many client connections the whole node may have.
 */
#include <sys/resource.h>

#include "gatewayd/net/listen_private.h"

#define RESERVED_DESCRIPTORS 200

void listen_budget_init(struct listen_budget *b, unsigned max)
{
    atomic_init(&b->used, 0);
    atomic_init(&b->max, max);
}

bool listen_budget_try_take(struct listen_budget *b)
{
    unsigned max = atomic_load_explicit(&b->max, memory_order_relaxed);
    unsigned used = atomic_fetch_add_explicit(&b->used, 1, memory_order_relaxed);
    if (max == 0 || used < max)
        return true;
    atomic_fetch_sub_explicit(&b->used, 1, memory_order_relaxed);
    return false;
}

void listen_budget_give(struct listen_budget *b)
{
    MUST(atomic_fetch_sub_explicit(&b->used, 1, memory_order_relaxed) > 0);
}

unsigned listen_budget_used(const struct listen_budget *b)
{
    return atomic_load_explicit(&b->used, memory_order_relaxed);
}

/* Each client connection may need one more towards an upstream. */
unsigned listen_budget_default(void)
{
    struct rlimit limit;
    const rlim_t most = 1000000;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
        limit.rlim_cur > 2 * most)
        return (unsigned)most;
    if (limit.rlim_cur <= RESERVED_DESCRIPTORS + 2)
        return 1;
    return (unsigned)((limit.rlim_cur - RESERVED_DESCRIPTORS) / 2);
}
