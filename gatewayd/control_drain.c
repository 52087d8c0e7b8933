/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_drain.c - the node, or one of its listeners, stops being ready: answers say Connection:
 * close, tunnels are told to go away, the listening sockets stay open. And the end of the process,
 * and of what began with a revoked key.
 */
#include "conf/base/mem.h"
#include "gatewayd/control_private.h"
#include "gatewayd/notify.h"

/* Before the end of the window nobody new is let in, so that those in the queues can be answered.
 */
#define LAST_CALL_MS 300

/* And before that virtual addresses have left. */
#define HA_CALL_MS 1000

/* ---- draining ------------------------------------------------------------------------------- */

bool control_is_draining(const struct control *c)
{
    size_t drained = 0;

    for (size_t i = 0; i < c->listener_count; i++)
        drained += c->drained[i] ? 1 : 0;
    return c->is_draining || (drained > 0 && drained == c->listener_count);
}

/* By name, or by address as configured; listener_count: there is none. */
static size_t find_listener(const struct control *c, struct text wanted)
{
    for (size_t i = 0; i < c->listener_count; i++) {
        if (text_equals(c->listener_names[i], wanted) ||
            text_equals(c->listener_addresses[i], wanted))
            return i;
    }
    return c->listener_count;
}

/* Of the time for a drain, in which tunnels are told to go away. */
uint64_t control_spread_ms(const struct control *c)
{
    return (uint64_t)c->node->timeouts.drain * 2 / 5;
}

static void tell_workers(struct control *c, size_t listener, bool is_draining)
{
    for (unsigned i = 0; i < c->worker_count; i++) {
        if (is_draining)
            worker_drain(c->workers[i], listener, control_spread_ms(c));
        else
            worker_undrain(c->workers[i], listener);
    }
}

static bool change_place(struct control *c, struct text address, bool is_draining)
{
    size_t i = c->ha == NULL ? 0 : ha_find(c->ha, address);

    if (c->ha == NULL || i == ha_count(c->ha))
        return false;
    if (is_draining)
        ha_drain(c->ha, i);
    else if (!c->is_quitting)
        ha_undrain(c->ha, i);
    return true;
}

static bool change_listener(struct control *c, struct text address, bool is_draining)
{
    size_t i = find_listener(c, address);

    if (i == c->listener_count)
        return change_place(c, address, is_draining);
    if (c->drained[i] != is_draining && !c->is_quitting) {
        c->drained[i] = is_draining;
        log_info(&c->log, "listener %.*s: %s", TEXT_ARGS(c->listener_names[i]),
                 is_draining ? "draining" : "no longer draining");
        tell_workers(c, i, is_draining);
    }
    return true;
}

bool control_drain(struct control *c, struct text address)
{
    if (address.length > 0)
        return change_listener(c, address, true);
    if (!c->is_draining) {
        c->is_draining = true;
        log_info(&c->log, "draining: not ready any more");
        notify_send("STATUS=draining");
        tell_workers(c, WORKER_ALL_LISTENERS, true);
    }
    /* One of them may have been undrained meanwhile. */
    if (c->ha != NULL)
        ha_drain_all(c->ha);
    return true;
}

bool control_undrain(struct control *c, struct text address)
{
    if (address.length > 0)
        return change_listener(c, address, false);
    if (c->is_quitting)
        return true;
    if (control_is_draining(c)) {
        log_info(&c->log, "no longer draining");
        notify_send("STATUS=ready");
    }
    /* What was drained by its name, too. */
    c->is_draining = false;
    memset(c->drained, 0, c->listener_count * sizeof(c->drained[0]));
    tell_workers(c, WORKER_ALL_LISTENERS, false);
    if (c->ha != NULL)
        ha_undrain_all(c->ha);
    return true;
}

/* ---- the end -------------------------------------------------------------------------------- */

void control_on_worker_ended(void *arg)
{
    struct control *c = arg;

    MUST(c->workers_running > 0);
    if (--c->workers_running > 0)
        return;
    loop_timer_stop(&c->last_call);
    loop_stop(c->loop);
}

/* Nobody new comes in; the workers take what has come, and end. */
static void call_last(void *arg)
{
    struct control *c = arg;

    if (c->is_ending)
        return;
    c->is_ending = true;
    if (c->ha != NULL)
        ha_on_end(c->ha);
    listen_table_hold_handshakes(&c->listeners);
    for (unsigned i = 0; i < c->worker_count; i++)
        worker_end(c->workers[i]);
}

void control_quit(struct control *c, int status)
{
    int64_t window = c->node->timeouts.drain;

    if (c->is_quitting)
        return;
    c->is_quitting = true;
    c->is_draining = true;
    c->exit_status = status;
    log_info(&c->log, "draining: at most %lld ms for what is in flight, then the end",
             (long long)window);
    notify_send("STOPPING=1");
    control_inherit_quit(c);
    control_publish_stop(c);
    for (unsigned i = 0; i < c->worker_count; i++)
        worker_quit(c->workers[i], window, control_spread_ms(c), control_on_worker_ended, c);
    if (c->ha != NULL)
        ha_quit(c->ha, window > HA_CALL_MS ? window - HA_CALL_MS : 0);
    control_end_within(c, window);
}

void control_end_within(struct control *c, int64_t window_ms)
{
    loop_timer_init(&c->last_call, c->loop, call_last, c);
    loop_timer_start(&c->last_call,
                     window_ms > LAST_CALL_MS ? (uint64_t)window_ms - LAST_CALL_MS : 0);
    control_end_if_quiet(c);
}

void control_end_if_quiet(struct control *c)
{
    if (!c->is_quitting || c->is_ending || metrics_sum(metrics_node(), METRIC_CONNECTIONS) > 0 ||
        !control_upgrade_is_quiet(c) || !control_inherit_is_alone(c) ||
        (c->ha != NULL && !control_is_replaced(c) && !ha_has_left(c->ha)))
        return;
    call_last(c);
}

/* ---- keys ----------------------------------------------------------------------------------- */

struct end_key {
    unsigned left;
    control_done_fn *done;
    void *arg;
};

static void on_key_ended(void *arg)
{
    struct end_key *e = arg;

    if (--e->left > 0)
        return;
    if (e->done != NULL)
        e->done(e->arg);
    MEM_FREE(&e);
}

void control_end_key(struct control *c, struct key_handle handle, control_done_fn *done, void *arg)
{
    struct end_key *e = mem_new(sizeof(*e));

    *e = (struct end_key){ .left = c->worker_count, .done = done, .arg = arg };
    if (control_inherit_end_key(c, handle, on_key_ended, e))
        e->left++;
    if (c->is_quitting) {
        /* Workers that have ended answer nothing: do not wait for any. */
        for (unsigned i = 0; i < c->worker_count; i++)
            worker_end_key(c->workers[i], handle, NULL, NULL);
        e->left -= c->worker_count - 1;
        mailbox_post_call(c->mailbox, on_key_ended, e);
        return;
    }
    for (unsigned i = 0; i < c->worker_count; i++)
        worker_end_key(c->workers[i], handle, on_key_ended, e);
}
