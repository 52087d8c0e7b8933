/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ha_drain.c - an address moves to another node, and no request is lost by it.
 *
 * Connections do not survive the move, so all of them have ended before. Closing: answers say
 * Connection: close, and what is connected since before thins out; new connections are taken, for
 * the address is here. When the last of before is gone, or kept ones had half of the time to send
 * their next request, holding begins: kept connections are closed, handshakes are held back, and
 * what came meanwhile ends. A client whose handshake is held back sends its SYN again after a
 * second, to whoever has the address by then: so it does not matter to it whether that takes 100 ms
 * or 700. gatewayd-hold holds for 300 ms at most and is asked again as long as need be. If
 * something is still in flight after 600 ms, handshakes are let in again, and the next try comes
 * when those that were connected are gone. The last one begins a quarter of the time before the
 * deadline (two seconds at most), and at the deadline the address moves whatever is left.
 *
 * Moving: with a weight of -100 the other node waits for three adverts that it does not like, 275
 * ms (measured); with that of a fault keepalived gives the address up at once and says so, and the
 * other one has it after 40 to 70 ms. But a node at fault takes no address either. So the fault is
 * told for a moment, and only if some other node is known that would take it; then, and otherwise
 * at once, it is -100.
 */
#include "conf/base/mem.h"
#include "gatewayd/ha_private.h"

#define STEP_MS 5

/* gatewayd-hold holds for no longer, and is asked again long before: it may be late. */
#define HOLD_MS  300
#define RENEW_MS 100

/* For what is in flight; with the move it is less than a second. */
#define PATIENCE_MS 600

/* From the beginning of one try to that of the next: a handshake that was dropped in the first is
 * sent again a second later. Dropped twice it comes three seconds later, and many have given up. */
#define AGAIN_MS (1000 + PATIENCE_MS + 50)

/* So long handshakes are held back for an address that is told to move. */
#define MOVING_HELD_MS 600

/* The last try, before the deadline, at most. */
#define LAST_MOST_MS 2000

/* Clients that were answered have so long to close, before it is taken for done. */
#define LINGER_MS 60

/* Since the last connection ended: handshakes that had begun are over by then. */
#define QUIET_MS 30

/* Turns of each worker after that: one that did not get the processor has not accepted them yet. In
 * the turn of the third every socket that was readable at the first has been looked at. */
#define TURNS 3

/* From telling another node that it comes, until it does. */
#define TOLD_MS 20

/* How long a fault is told after it was understood: the other node's adverts are heard by then. */
#define SUDDEN_MS 100

/* Nobody takes it. */
#define MOVING_MOST_MS 1500

/* A node that was given back its address has said so by then. */
#define SETTLED_MS 2000

/* Somebody who asked for it and does not ask again. */
#define FORGOTTEN_MS 5000

/* A taker that was not heard of for so long is none. */
#define TAKER_MS 3000

static bool is_moving(const struct ha_place *p)
{
    return p->phase == HA_CLOSING || p->phase == HA_HOLDING || p->phase == HA_MOVING;
}

static uint64_t count(const struct ha_place *p, enum metric m)
{
    return metrics_sum(p->metrics, m);
}

static void tell_workers(struct ha_place *p, enum worker_place_order order)
{
    struct ha *ha = p->ha;

    for (unsigned i = 0; i < ha->worker_count; i++)
        worker_tell_place(ha->workers[i], p->index, order, 0, NULL, NULL);
}

/* ---- marks ---------------------------------------------------------------------------------- */

static void on_marked(void *arg)
{
    struct ha_place *p = arg;

    p->drain.marks_left--;
}

/* What is connected now is what has to be gone before the next try. */
static void mark(struct ha_place *p, enum worker_place_order order)
{
    struct ha *ha = p->ha;
    uint64_t now = loop_now_ms(ha->loop);
    uint64_t spread = p->drain.half_ms > now ? (p->drain.half_ms - now) * 4 / 5 : 0;

    p->drain.marks_left += ha->worker_count;
    for (unsigned i = 0; i < ha->worker_count; i++)
        worker_tell_place(ha->workers[i], p->index, order, spread, on_marked, p);
}

static bool are_marked_gone(const struct ha_place *p)
{
    return p->drain.marks_left == 0 && count(p, METRIC_ADDRESS_BEFORE) == 0;
}

/* ---- turns ---------------------------------------------------------------------------------- */

static void ask_for_turn(struct ha_place *p);

static void on_turn(void *arg)
{
    struct ha_place *p = arg;

    if (--p->drain.turning > 0)
        return;
    p->drain.turns++;
    if (p->phase == HA_HOLDING && p->drain.turns < TURNS)
        ask_for_turn(p);
}

static void ask_for_turn(struct ha_place *p)
{
    struct ha *ha = p->ha;

    p->drain.turning = ha->worker_count;
    for (unsigned i = 0; i < ha->worker_count; i++)
        worker_ping(ha->workers[i], on_turn, p);
}

/* Every worker has had its turns since it was asked for them first. */
static bool have_turned(struct ha_place *p)
{
    if (p->drain.turns >= TURNS)
        return true;
    if (p->drain.turning == 0)
        ask_for_turn(p);
    return false;
}

/* ---- who waits ------------------------------------------------------------------------------ */

static void tell_waiter(struct ha_place *p, bool is_yielded)
{
    ha_yielded_fn *yielded = p->drain.yielded;

    p->drain.yielded = NULL;
    if (yielded != NULL)
        yielded(p->drain.yielded_arg, is_yielded);
}

/* Nobody is there to take it: who asked for it is gone. */
static bool is_forgotten(const struct ha_place *p, uint64_t now)
{
    return p->drain.reason == HA_FOR_OTHER_NODE && p->drain.yielded == NULL && !p->drain.is_told &&
           now - p->drain.asked_ms > FORGOTTEN_MS;
}

/* Another node has to be there at the moment in which it is let go. */
static bool can_hold(const struct ha_place *p)
{
    return p->drain.reason != HA_FOR_OTHER_NODE || p->drain.yielded != NULL;
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void begin_holding(struct ha_place *p, uint64_t now)
{
    p->drain.held_ms = now;
    p->drain.is_last = now >= p->drain.last_ms;
    p->drain.renewed_ms = now;
    p->drain.is_told = false;
    p->drain.hold = HA_HOLD_ASKED;
    p->drain.again_ms = now + AGAIN_MS;
    p->drain.quiet_ms = 0;
    ha_enter(p, HA_HOLDING);
    ha_hold_ask(p, HOLD_MS);
    tell_workers(p, WORKER_PLACE_CLOSE_KEPT);
}

static void step_closing(struct ha_place *p, uint64_t now)
{
    bool is_last = now >= p->drain.last_ms;
    bool is_late = is_last || now >= p->drain.half_ms;

    if (p->drain.marks_left > 0 || !can_hold(p) || (now < p->drain.again_ms && !is_last))
        return;
    if (are_marked_gone(p) || is_late)
        begin_holding(p, now);
}

/* What is in flight does not end: clients are let in again. */
static void give_up_holding(struct ha_place *p)
{
    p->drain.half_ms = UINT64_MAX; /* kept connections had their time */
    ha_hold_ask(p, 0);
    mark(p, WORKER_PLACE_MARK);
    ha_enter(p, HA_CLOSING);
}

static void begin_moving(struct ha_place *p, uint64_t now)
{
    p->drain.is_sudden = p->drain.is_told || (p->taker_ms != 0 && now - p->taker_ms < TAKER_MS);
    p->drain.moving_ms = now;
    p->drain.moved_ms = 0;
    if (count(p, METRIC_ADDRESS_CONNECTIONS) > 0)
        log_warn(&p->ha->log,
                 "address %.*s: %llu connections were not over at the end of the drain: they are "
                 "cut",
                 TEXT_ARGS(p->address->name),
                 (unsigned long long)count(p, METRIC_ADDRESS_CONNECTIONS));
    p->drain.renewed_ms = now;
    ha_hold_ask(p, HOLD_MS);
    ha_enter(p, HA_MOVING);
    ha_drain_on_vrrp(p);
}

/* Without the helper clients come at any time: a moment without any has to do. */
static bool is_quiet(struct ha_place *p, uint64_t now)
{
    bool is_empty =
        p->drain.hold != HA_HOLD_ASKED && count(p, METRIC_ADDRESS_CONNECTIONS) == 0 &&
        (count(p, METRIC_ADDRESS_LINGERING) == 0 || now - p->drain.held_ms >= LINGER_MS);

    if (!is_empty) {
        p->drain.quiet_ms = 0;
        return false;
    }
    if (p->drain.hold == HA_HOLD_FAILED)
        return true;
    if (p->drain.quiet_ms == 0) {
        p->drain.quiet_ms = now;
        p->drain.turns = p->drain.turning > 0 ? -1 : 0; /* one that is asked for since before */
    }
    return now - p->drain.quiet_ms >= QUIET_MS && have_turned(p);
}

static void hold_on(struct ha_place *p, uint64_t now)
{
    if (now - p->drain.renewed_ms < RENEW_MS)
        return;
    p->drain.renewed_ms = now;
    ha_hold_ask(p, HOLD_MS);
}

static void step_holding(struct ha_place *p, uint64_t now)
{
    bool is_late =
        p->drain.is_last ? now >= p->drain.deadline_ms : now - p->drain.held_ms >= PATIENCE_MS;

    hold_on(p, now);
    if (p->drain.is_told) {
        if (now - p->drain.moving_ms >= TOLD_MS)
            begin_moving(p, now);
        return;
    }
    if (!is_quiet(p, now) && !(is_late && p->drain.is_last)) {
        if (is_late)
            give_up_holding(p);
        return;
    }
    if (!can_hold(p)) {
        give_up_holding(p);
        return;
    }
    if (p->drain.yielded != NULL) {
        p->drain.is_told = true;
        p->drain.moving_ms = now;
        tell_waiter(p, true);
        return;
    }
    begin_moving(p, now);
}

static void finish(struct ha_place *p)
{
    tell_workers(p, WORKER_PLACE_CUT);
    ha_enter(p, HA_DRAINED);
}

static void step_moving(struct ha_place *p, uint64_t now)
{
    if (p->drain.moved_ms != 0) {
        if (!p->drain.is_sudden || now - p->drain.moved_ms >= SUDDEN_MS)
            finish(p);
        return;
    }
    if (now - p->drain.moving_ms < MOVING_HELD_MS)
        hold_on(p, now);
    if (now - p->drain.moving_ms < MOVING_MOST_MS)
        return;
    log_warn(&p->ha->log, "address %.*s: no other node takes it", TEXT_ARGS(p->address->name));
    if (p->drain.reason == HA_FOR_OTHER_NODE)
        ha_drain_stop(p);
    else
        ha_enter(p, HA_DRAINED);
}

/* It was given to another node, for which this one is there again. */
static void step_drained(struct ha_place *p, uint64_t now)
{
    if (p->drain.reason != HA_FOR_OTHER_NODE)
        return;
    if (p->vrrp == HA_MASTER || now - p->drain.moved_ms >= SETTLED_MS)
        ha_drain_stop(p);
}

static void step(struct ha_place *p, uint64_t now)
{
    if ((p->phase == HA_CLOSING || p->phase == HA_HOLDING) && is_forgotten(p, now)) {
        log_info(&p->ha->log, "address %.*s: the node that asked for it does not any more",
                 TEXT_ARGS(p->address->name));
        ha_drain_stop(p);
        return;
    }
    switch (p->phase) {
    case HA_CLOSING:
        step_closing(p, now);
        return;
    case HA_HOLDING:
        step_holding(p, now);
        return;
    case HA_MOVING:
        step_moving(p, now);
        return;
    case HA_DRAINED:
        step_drained(p, now);
        return;
    case HA_WAITING:
    case HA_SERVING:
        return;
    }
}

static void on_step(void *arg)
{
    struct ha *ha = arg;
    uint64_t now = loop_now_ms(ha->loop);
    bool has_more = false;

    for (size_t i = 0; i < ha->count; i++) {
        struct ha_place *p = &ha->places[i];
        step(p, now);
        has_more = has_more || is_moving(p) ||
                   (p->phase == HA_DRAINED && p->drain.reason == HA_FOR_OTHER_NODE);
    }
    if (has_more)
        loop_timer_start(&ha->step, STEP_MS);
}

void ha_drain_on_vrrp(struct ha_place *p)
{
    if (p->phase == HA_MOVING && p->drain.moved_ms == 0 && p->vrrp != HA_MASTER)
        p->drain.moved_ms = loop_now_ms(p->ha->loop);
}

/* ---- beginning and end ---------------------------------------------------------------------- */

void ha_drain_init(struct ha *ha)
{
    loop_timer_init(&ha->step, ha->loop, on_step, ha);
}

static uint64_t last_try_ms(uint64_t window_ms)
{
    return window_ms / 4 < LAST_MOST_MS ? window_ms / 4 : LAST_MOST_MS;
}

void ha_drain_inherit(struct ha_place *p)
{
    p->drain = (struct ha_drain){ .reason = HA_FOR_OPERATOR };
    mark(p, WORKER_PLACE_DRAIN);
    ha_enter(p, HA_DRAINED);
}

void ha_drain_begin(struct ha_place *p, enum ha_reason reason, uint64_t window_ms)
{
    uint64_t now = loop_now_ms(p->ha->loop);
    unsigned marks_left = p->drain.marks_left;
    unsigned turning = p->drain.turning;

    if (p->phase == HA_DRAINED && p->vrrp == HA_MASTER && reason == HA_FOR_OTHER_NODE)
        reason = p->drain.reason; /* nobody had taken it, and it stays drained here */
    else if (is_moving(p) || p->phase == HA_DRAINED) {
        /* On its way; it may have to be there earlier, and stay there. */
        if (now + window_ms < p->drain.deadline_ms) {
            p->drain.deadline_ms = now + window_ms;
            p->drain.last_ms = now + window_ms - last_try_ms(window_ms);
        }
        if (reason == HA_FOR_END || p->drain.reason == HA_FOR_OTHER_NODE)
            p->drain.reason = reason;
        return;
    }
    p->drain = (struct ha_drain){ .reason = reason,
                                  .half_ms = now + window_ms / 2,
                                  .deadline_ms = now + window_ms,
                                  .last_ms = now + window_ms - last_try_ms(window_ms),
                                  .marks_left = marks_left,
                                  .turning = turning,
                                  .asked_ms = now };
    mark(p, WORKER_PLACE_DRAIN);
    if (p->vrrp == HA_MASTER || count(p, METRIC_ADDRESS_CONNECTIONS) > 0)
        ha_enter(p, HA_CLOSING);
    else
        ha_enter(p, HA_DRAINED);
    loop_timer_start(&p->ha->step, STEP_MS);
}

void ha_drain_stop(struct ha_place *p)
{
    if (!is_moving(p) && p->phase != HA_DRAINED)
        return;
    if (p->phase == HA_HOLDING)
        ha_hold_ask(p, 0);
    tell_waiter(p, false);
    tell_workers(p, WORKER_PLACE_UNDRAIN);
    ha_begin_serving(p);
}

void ha_drain(struct ha *ha, size_t index)
{
    ha_drain_begin(&ha->places[index], HA_FOR_OPERATOR,
                   (uint64_t)control_node(ha->control)->timeouts.drain);
}

void ha_undrain(struct ha *ha, size_t index)
{
    ha_drain_stop(&ha->places[index]);
}

void ha_drain_all(struct ha *ha)
{
    for (size_t i = 0; i < ha->count; i++)
        ha_drain(ha, i);
}

void ha_undrain_all(struct ha *ha)
{
    for (size_t i = 0; i < ha->count; i++) {
        if (ha->places[i].drain.reason != HA_FOR_OTHER_NODE)
            ha_undrain(ha, i);
    }
}

void ha_quit(struct ha *ha, int64_t window_ms)
{
    ha->is_quitting = true;
    for (size_t i = 0; i < ha->count; i++)
        ha_drain_begin(&ha->places[i], HA_FOR_END, (uint64_t)window_ms);
}

bool ha_has_left(const struct ha *ha)
{
    for (size_t i = 0; i < ha->count; i++) {
        if (is_moving(&ha->places[i]))
            return false;
    }
    return true;
}

/* ---- for another node ----------------------------------------------------------------------- */

enum ha_yield ha_yield(struct ha *ha, size_t index, ha_yielded_fn *done, void *arg)
{
    struct ha_place *p = &ha->places[index];

    if (p->address->is_home)
        return HA_YIELD_HOME;
    if (p->vrrp != HA_MASTER || ha->is_retired)
        return HA_YIELD_NOT_HELD;
    if (p->drain.yielded != NULL)
        return HA_YIELD_BUSY;
    if (!is_moving(p))
        ha_drain_begin(p, HA_FOR_OTHER_NODE, (uint64_t)control_node(ha->control)->timeouts.drain);
    p->drain.asked_ms = loop_now_ms(ha->loop);
    p->drain.yielded = done;
    p->drain.yielded_arg = arg;
    return HA_YIELD_WAIT;
}

void ha_stop_yield(struct ha *ha, size_t index)
{
    struct ha_place *p = &ha->places[index];

    p->drain.yielded = NULL;
    p->drain.asked_ms = loop_now_ms(ha->loop);
}
