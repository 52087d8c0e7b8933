/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/redis_metrics.h"

#include <stdatomic.h>
#include <stdio.h>

#include "conf/base/builder.h"
#include "gatewayd/core/metrics.h"

static const char *const uses[REDIS_USES] = {
    [REDIS_CALLS] = "calls",
    [REDIS_FOLLOW] = "follow",
    [REDIS_LIMITS] = "limits",
};

static const char *const outcomes[] = {
    [REDIS_ANSWERED] = "answered",
    [REDIS_REFUSED] = "refused",
    [REDIS_LOST] = "lost",
    [REDIS_AWAY] = "away",
};

static struct {
    _Atomic uint64_t up;
    _Atomic uint64_t lost;
    _Atomic uint64_t calls[ARRAY_LENGTH(outcomes)];
} links[REDIS_USES];

static bool is_started;

static void print_calls(struct builder *b, int use)
{
    char labels[64];
    for (size_t i = 0; i < ARRAY_LENGTH(outcomes); i++) {
        snprintf(labels, sizeof(labels), "link=\"%s\",outcome=\"%s\"", uses[use], outcomes[i]);
        metrics_print_u64(b, "gatewayd_redis_calls_total", labels,
                          atomic_load(&links[use].calls[i]));
    }
}

static void print(struct builder *b, void *arg)
{
    char labels[64];
    metrics_print_head(b, "gatewayd_redis_up", "gauge",
                       "Whether the connection to Redis is up, by what it is for.");
    for (int use = 0; use < REDIS_USES; use++) {
        snprintf(labels, sizeof(labels), "link=\"%s\"", uses[use]);
        metrics_print_u64(b, "gatewayd_redis_up", labels, atomic_load(&links[use].up));
    }
    metrics_print_head(b, "gatewayd_redis_lost_total", "counter",
                       "Connections to Redis that were lost or given up.");
    for (int use = 0; use < REDIS_USES; use++) {
        snprintf(labels, sizeof(labels), "link=\"%s\"", uses[use]);
        metrics_print_u64(b, "gatewayd_redis_lost_total", labels, atomic_load(&links[use].lost));
    }
    metrics_print_head(b, "gatewayd_redis_calls_total", "counter",
                       "Calls to Redis by how they ended: answered, refused with an error, lost "
                       "after they were sent, away before.");
    for (int use = 0; use < REDIS_USES; use++)
        print_calls(b, use);
}

void redis_metrics_start(void)
{
    if (is_started)
        return;
    is_started = true;
    metrics_add_source(print, NULL);
}

void redis_metrics_count(enum redis_use use, enum redis_outcome outcome)
{
    atomic_fetch_add_explicit(&links[use].calls[outcome], 1, memory_order_relaxed);
}

void redis_metrics_on_up(enum redis_use use)
{
    atomic_store(&links[use].up, 1);
}

void redis_metrics_on_lost(enum redis_use use)
{
    atomic_store(&links[use].up, 0);
    atomic_fetch_add_explicit(&links[use].lost, 1, memory_order_relaxed);
}
