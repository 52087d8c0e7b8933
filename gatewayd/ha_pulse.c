/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ha_pulse.c - every worker is asked each 100 ms whether it turns. One that has not answered for
 * 300 ms hangs: clients whose connections it has wait for nobody, so the addresses had better move.
 * One that waits for the processor will answer, and moving would break all that it has: it is given
 * 600 ms.
 */
#include "conf/base/mem.h"
#include "gatewayd/ha_private.h"

#define EACH_MS  100
#define LIMIT_MS 300

#define STARVED_MS 600

/* What a worker is asked with; lives until it has answered. */
struct ha_pulse {
    struct ha *ha; /* NULL: nobody waits for it */
    unsigned worker;
};

static void on_pong(void *arg)
{
    struct ha_pulse *pulse = arg;
    struct ha *ha = pulse->ha;

    if (ha != NULL) {
        ha->pulse.asked_ms[pulse->worker] = 0;
        ha->pulse.have_answered[pulse->worker] = true;
        ha->pulse.pulses[pulse->worker] = NULL;
        ha_pulse_look(ha);
    }
    MEM_FREE(&pulse);
}

static void ask(struct ha *ha, unsigned worker)
{
    struct ha_pulse *pulse = mem_new(sizeof(*pulse));

    *pulse = (struct ha_pulse){ .ha = ha, .worker = worker };
    ha->pulse.pulses[worker] = pulse;
    ha->pulse.asked_ms[worker] = loop_now_ms(ha->loop);
    if (ha->pulse.have_answered[worker])
        ha->pulse.paces[worker] = thread_pace_get(worker_tid(ha->workers[worker]));
    worker_ping(ha->workers[worker], on_pong, pulse);
}

static bool is_worker_stuck(const struct ha *ha, unsigned worker, uint64_t now)
{
    uint64_t asked = ha->pulse.asked_ms[worker];

    if (asked == 0 || now - asked <= LIMIT_MS)
        return false;
    if (now - asked > STARVED_MS || !ha->pulse.have_answered[worker])
        return true;
    struct thread_pace pace = thread_pace_get(worker_tid(ha->workers[worker]));
    return !thread_pace_is_starved(&ha->pulse.paces[worker], &pace, now - asked);
}

void ha_pulse_look(struct ha *ha)
{
    uint64_t now = loop_now_ms(ha->loop);
    bool is_stuck = false;

    for (unsigned i = 0; i < ha->worker_count; i++)
        is_stuck = is_stuck || is_worker_stuck(ha, i, now);
    if (is_stuck == ha->is_stuck)
        return;
    ha->is_stuck = is_stuck;
    if (is_stuck)
        log_error(&ha->log, "a worker hangs: every address is at fault");
    else
        log_info(&ha->log, "every worker answers again");
    ha_write_weights(ha);
}

static void on_timer(void *arg)
{
    struct ha *ha = arg;

    loop_timer_start(&ha->pulse.timer, EACH_MS);
    for (unsigned i = 0; i < ha->worker_count; i++) {
        if (ha->pulse.asked_ms[i] == 0)
            ask(ha, i);
    }
    ha_pulse_look(ha);
}

void ha_pulse_start(struct ha *ha)
{
    ha->pulse.asked_ms = mem_new_array(ha->worker_count, sizeof(ha->pulse.asked_ms[0]));
    ha->pulse.paces = mem_new_array(ha->worker_count, sizeof(ha->pulse.paces[0]));
    ha->pulse.have_answered = mem_new_array(ha->worker_count, sizeof(ha->pulse.have_answered[0]));
    ha->pulse.pulses = mem_new_array(ha->worker_count, sizeof(ha->pulse.pulses[0]));
    loop_timer_init(&ha->pulse.timer, ha->loop, on_timer, ha);
    loop_timer_start(&ha->pulse.timer, 0);
}

void ha_pulse_stop(struct ha *ha)
{
    if (ha->pulse.pulses == NULL)
        return;
    loop_timer_stop(&ha->pulse.timer);
    for (unsigned i = 0; i < ha->worker_count; i++) {
        if (ha->pulse.pulses[i] != NULL)
            ha->pulse.pulses[i]->ha = NULL;
    }
    MEM_FREE(&ha->pulse.pulses);
    MEM_FREE(&ha->pulse.asked_ms);
    MEM_FREE(&ha->pulse.paces);
    MEM_FREE(&ha->pulse.have_answered);
}
