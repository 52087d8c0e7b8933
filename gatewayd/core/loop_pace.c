/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop_pace.c - how long turns take: whoever waits for the loop waits for the longest of them.
 *
 * By the wall clock a turn also lasts while others have the processor, so what this program is to
 * blame for is told apart by the thread's processor time. Reading that is a system call: it is done
 * at most once a millisecond before a turn, and after those turns only that were long.
 */
#include "gatewayd/core/loop_private.h"
#include "gatewayd/core/metrics.h"

#define SAMPLE_NS ((uint64_t)1000 * 1000)
#define STALL_NS  ((uint64_t)20 * 1000 * 1000)

static void sample(struct loop_pace *pace, uint64_t now)
{
    pace->seen_ns = now;
    pace->cpu_ns = clock_read_cpu_ns();
}

void loop_measure(struct loop *loop, enum loop_kind kind)
{
    loop->pace.kind = kind;
}

void loop_pace_begin(struct loop *loop)
{
    struct loop_pace *pace = &loop->pace;

    if (UNLIKELY(loop->clock.ns - pace->seen_ns >= SAMPLE_NS))
        sample(pace, loop->clock.ns);
}

/* Of a turn that was long by the wall clock. */
static bool has_stalled(struct loop_pace *pace, uint64_t now)
{
    uint64_t cpu_then = pace->cpu_ns;

    sample(pace, now);
    return pace->cpu_ns - cpu_then > STALL_NS;
}

void loop_pace_end(struct loop *loop)
{
    struct loop_pace *pace = &loop->pace;
    bool is_worker = pace->kind == LOOP_WORKER;
    uint64_t now = clock_read_ns();
    uint64_t took = now - loop->clock.ns;

    metrics_observe(metrics_node(), is_worker ? METRIC_WORKER_TURNS : METRIC_CONTROL_TURNS,
                    took / 1000);
    if (UNLIKELY(took > STALL_NS) && has_stalled(pace, now))
        metrics_add(metrics_node(), is_worker ? METRIC_WORKER_STALLS : METRIC_CONTROL_STALLS, 1);
}
