/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ha.c - see ha.h: the addresses, their phases and weights.
 */
#include "gatewayd/ha_private.h"

#include <stdio.h>
#include <sys/stat.h>

#include "conf/base/builder.h"
#include "conf/base/mem.h"

#define TICK_MS 100

/* So long ready before the addresses that have their home here are asked for. */
#define READY_MS 5000

/* Nobody gives the address back for so long: it is taken. */
#define WAITING_MOST_MS 35000

const char *ha_vrrp_name(enum ha_vrrp vrrp)
{
    static const char *const names[] = {
        [HA_UNKNOWN] = "unknown", [HA_FAULT] = "fault",   [HA_STOP] = "stop",
        [HA_BACKUP] = "backup",   [HA_MASTER] = "master",
    };
    return names[vrrp];
}

const char *ha_phase_name(enum ha_phase phase)
{
    static const char *const names[] = {
        [HA_WAITING] = "waiting", [HA_SERVING] = "serving", [HA_CLOSING] = "closing",
        [HA_HOLDING] = "holding", [HA_MOVING] = "moving",   [HA_DRAINED] = "drained",
    };
    return names[phase];
}

bool ha_print_path(const struct ha *ha, struct text name, const char *suffix, char *into,
                   size_t size)
{
    int length = snprintf(into, size, "%s/%.*s%s", ha->folder, TEXT_ARGS(name), suffix);

    return length > 0 && (size_t)length < size;
}

/* ---- weights -------------------------------------------------------------------------------- */

int ha_weight(const struct ha_place *p)
{
    if (!p->ha->is_ready || p->ha->is_stuck)
        return HA_WEIGHT_FAULT;
    switch (p->phase) {
    case HA_SERVING:
        return p->is_left && p->vrrp != HA_MASTER ? HA_WEIGHT_YIELDS : HA_WEIGHT_SERVING;
    case HA_CLOSING:
    case HA_HOLDING:
        return HA_WEIGHT_SERVING;
    case HA_MOVING:
        return p->drain.is_sudden ? HA_WEIGHT_FAULT : HA_WEIGHT_YIELDS;
    case HA_WAITING:
    case HA_DRAINED:
        return HA_WEIGHT_YIELDS;
    }
    return HA_WEIGHT_FAULT;
}

static void write_weight(struct ha_place *p)
{
    int weight = ha_weight(p);

    if (weight == p->written || p->ha->is_retired || p->ha->is_arriving)
        return;
    /* What cannot be written is not tried at each turn; gatewayd-watch tries, too. */
    p->written = weight;
    if (ha_track_write(p, weight))
        log_info(&p->ha->log, "address %.*s: weight %d", TEXT_ARGS(p->address->name), weight);
}

void ha_write_weights(struct ha *ha)
{
    for (size_t i = 0; i < ha->count; i++)
        write_weight(&ha->places[i]);
}

void ha_enter(struct ha_place *p, enum ha_phase phase)
{
    if (phase != p->phase) {
        log_info(&p->ha->log, "address %.*s: %s", TEXT_ARGS(p->address->name),
                 ha_phase_name(phase));
        p->phase = phase;
    }
    if (phase == HA_WAITING) {
        p->waiting_ms = loop_now_ms(p->ha->loop);
        p->begun_ms = p->waiting_ms;
    }
    write_weight(p);
}

/* At home, and another node may have it: it is asked for before it is taken. */
void ha_begin_serving(struct ha_place *p)
{
    ha_enter(p, p->address->is_home && p->vrrp != HA_MASTER ? HA_WAITING : HA_SERVING);
}

void ha_on_vrrp(struct ha_place *p, enum ha_vrrp before)
{
    log_info(&p->ha->log, "address %.*s: %s (was %s)", TEXT_ARGS(p->address->name),
             ha_vrrp_name(p->vrrp), ha_vrrp_name(before));
    if (p->phase == HA_WAITING && p->vrrp == HA_MASTER)
        ha_enter(p, HA_SERVING);
    /* Lost with its cable or with keepalived: it is not taken from under who has it now. Lost to
     * another node that keepalived likes better, it is not asked for: it could not be held. */
    else if (p->phase == HA_SERVING && p->address->is_home && before == HA_MASTER &&
             p->vrrp != HA_UNKNOWN && p->vrrp != HA_BACKUP)
        ha_enter(p, HA_WAITING);
    ha_drain_on_vrrp(p);
    write_weight(p);
    control_note_change(p->ha->control);
}

static void look_after(struct ha_place *p)
{
    uint64_t now = loop_now_ms(p->ha->loop);

    if (p->phase == HA_WAITING && now - p->waiting_ms > WAITING_MOST_MS) {
        log_warn(&p->ha->log, "address %.*s: no other node gives it back: it is taken",
                 TEXT_ARGS(p->address->name));
        ha_enter(p, HA_SERVING);
    }
}

static void on_tick(void *arg)
{
    struct ha *ha = arg;

    loop_timer_start(&ha->tick, TICK_MS);
    ha_state_look(ha);
    for (size_t i = 0; ha->is_ready && i < ha->count; i++)
        look_after(&ha->places[i]);
}

/* ---- coming back ---------------------------------------------------------------------------- */

bool ha_is_wanted(const struct ha *ha, size_t index)
{
    const struct ha_place *p = &ha->places[index];

    return ha->is_ready && !ha->is_quitting && !ha->is_retired && p->phase == HA_WAITING &&
           p->vrrp == HA_BACKUP && loop_now_ms(ha->loop) - p->begun_ms >= READY_MS;
}

void ha_note_promise(struct ha *ha, size_t index)
{
    if (ha->places[index].phase == HA_WAITING)
        ha->places[index].waiting_ms = loop_now_ms(ha->loop);
}

void ha_take(struct ha *ha, size_t index)
{
    if (ha->places[index].phase == HA_WAITING)
        ha_enter(&ha->places[index], HA_SERVING);
}

void ha_leave(struct ha *ha, size_t index, bool is_left)
{
    struct ha_place *p = &ha->places[index];

    p->is_left = is_left && !p->address->is_home;
    if (ha->is_ready)
        write_weight(p);
}

void ha_note_taker(struct ha *ha, size_t index)
{
    ha->places[index].taker_ms = loop_now_ms(ha->loop);
}

void ha_set_conflict(struct ha *ha, size_t index, struct text names)
{
    struct ha_place *p = &ha->places[index];

    /* One that was replaced does not hear what keepalived says any more. */
    if (ha->is_retired || text_equals(text_of(p->conflict), names))
        return;
    if (names.length > 0)
        log_error(&ha->log,
                  "address %.*s: this node has it, and so has %.*s: they do not hear each "
                  "other's VRRP",
                  TEXT_ARGS(p->address->name), TEXT_ARGS(names));
    else
        log_info(&ha->log, "address %.*s: no other node has it any more",
                 TEXT_ARGS(p->address->name));
    MEM_FREE(&p->conflict);
    if (names.length > 0)
        p->conflict = mem_copy_text(names.at, names.length);
}

/* ---- what there is -------------------------------------------------------------------------- */

size_t ha_count(const struct ha *ha)
{
    return ha->count;
}

struct ha_status ha_get(const struct ha *ha, size_t index)
{
    const struct ha_place *p = &ha->places[index];

    return (struct ha_status){
        .address = p->address,
        .vrrp = p->vrrp,
        .vrrp_since = p->vrrp_since,
        .phase = p->phase,
        .weight = ha_weight(p),
        .is_asked_for = p->drain.reason == HA_FOR_OTHER_NODE && p->phase != HA_WAITING &&
                        p->phase != HA_SERVING,
        .connections = metrics_sum(p->metrics, METRIC_ADDRESS_CONNECTIONS),
        .exchanges = metrics_sum(p->metrics, METRIC_ADDRESS_EXCHANGES),
        .streams = metrics_sum(p->metrics, METRIC_ADDRESS_TUNNELS),
        .conflict = text_of(p->conflict),
    };
}

size_t ha_find(const struct ha *ha, struct text wanted)
{
    for (size_t i = 0; i < ha->count; i++) {
        if (text_equals(ha->places[i].address->name, wanted) ||
            text_equals(ha->places[i].address->text, wanted))
            return i;
    }
    return ha->count;
}

const struct ha_addresses *ha_addresses(const struct ha *ha)
{
    return &ha->addresses;
}

void ha_print_vrrp(const struct ha *ha, struct builder *b)
{
    for (size_t i = 0; i < ha->count; i++)
        builder_addf(b, "%s%.*s=%s", i == 0 ? "" : " ", TEXT_ARGS(ha->places[i].address->name),
                     ha_vrrp_name(ha->places[i].vrrp));
}

/* ---- life ----------------------------------------------------------------------------------- */

static bool read_addresses(const struct node_ha *configured, struct problems *ps,
                           struct ha_addresses *out)
{
    char *file = mem_copy_text(configured->addresses.at, configured->addresses.length);
    bool is_read = ha_addresses_read(file, ps, out);

    MEM_FREE(&file);
    return is_read;
}

static bool check_folder(const struct node_ha *configured, struct problems *ps)
{
    char *folder = mem_copy_text(configured->folder.at, configured->folder.length);
    struct stat st;
    bool is_there = stat(folder, &st) == 0 && S_ISDIR(st.st_mode);

    if (!is_there)
        problems_add(ps, (struct place){ .path = "ha.folder", .pointer = "" },
                     "There must be a folder %s, which this user may write to.", folder);
    MEM_FREE(&folder);
    return is_there;
}

bool ha_check(const struct node_config *node, struct problems *ps)
{
    struct ha_addresses addresses;

    if (node->ha == NULL)
        return true;
    bool is_right = check_folder(node->ha, ps);
    if (!read_addresses(node->ha, ps, &addresses))
        return false;
    ha_addresses_fini(&addresses);
    return is_right;
}

static bool is_same(const struct ha_address *a, const struct ha_address *b)
{
    return text_equals(a->name, b->name) && text_equals(a->text, b->text) &&
           text_equals(a->interface, b->interface) && a->length == b->length &&
           a->is_home == b->is_home;
}

void ha_note_file(const struct ha *ha, const struct node_config *node, struct problems *ps)
{
    struct ha_addresses addresses;
    bool is_changed = false;

    if (node->ha == NULL || !read_addresses(node->ha, ps, &addresses))
        return;
    is_changed = addresses.count != ha->count;
    for (size_t i = 0; !is_changed && i < ha->count; i++)
        is_changed = !is_same(&addresses.items[i], ha->places[i].address);
    if (is_changed)
        log_warn(&ha->log, "%.*s has changed: it counts after `gatewayctl upgrade`, or a restart",
                 TEXT_ARGS(node->ha->addresses));
    ha_addresses_fini(&addresses);
}

static void make_places(struct ha *ha)
{
    ha->count = ha->addresses.count;
    ha->places = mem_new_array(ha->count, sizeof(ha->places[0]));
    for (size_t i = 0; i < ha->count; i++) {
        struct ha_place *p = &ha->places[i];
        *p = (struct ha_place){
            .ha = ha, .index = i, .address = &ha->addresses.items[i], .written = HA_UNWRITTEN
        };
        p->metrics = metrics_block_new(METRICS_ADDRESS, &p->address->name);
    }
}

struct ha *ha_new(struct control *control, struct listen_table *listeners, struct problems *ps)
{
    const struct node_ha *configured = control_node(control)->ha;
    struct ha_addresses addresses;

    if (!check_folder(configured, ps) || !read_addresses(configured, ps, &addresses))
        return NULL;
    struct ha *ha = mem_new(sizeof(*ha));
    ha->control = control;
    ha->loop = control_loop(control);
    ha->log = (struct log_scope){ .subject = LOG_SUBJECT_ha };
    ha->addresses = addresses;
    ha->folder = mem_copy_text(configured->folder.at, configured->folder.length);
    ha->listeners = listeners;
    ha->states.fd = -1;
    list_init(&ha->hold.calls);
    make_places(ha);
    ha_drain_init(ha);
    loop_timer_init(&ha->tick, ha->loop, on_tick, ha);
    ha->probe = ha_probe_new(ha, ps);
    if (ha->probe == NULL)
        ha_free(&ha);
    return ha;
}

void ha_start(struct ha *ha, struct worker *const *workers, unsigned worker_count)
{
    ha->workers = workers;
    ha->worker_count = worker_count;
    ha_state_start(ha);
    ha_write_weights(ha);
    ha_probe_start(ha->probe);
    loop_timer_start(&ha->tick, TICK_MS);
}

void ha_on_ready(struct ha *ha)
{
    ha->is_ready = true;
    ha_pulse_start(ha);
    for (size_t i = 0; i < ha->count; i++) {
        struct ha_place *p = &ha->places[i];
        if (p->is_inherited)
            ha_drain_inherit(p);
        else if (p->phase == HA_WAITING || p->phase == HA_SERVING)
            ha_begin_serving(p);
        else
            write_weight(p); /* drained while this node was starting */
    }
}

bool ha_inherit_drained(struct ha *ha, struct text name)
{
    size_t i = ha_find(ha, name);

    if (i == ha->count)
        return false;
    ha->places[i].is_inherited = true;
    return true;
}

void ha_on_end(struct ha *ha)
{
    ha_pulse_stop(ha);
}

void ha_take_over(struct ha *ha, struct worker *const *workers, unsigned worker_count)
{
    ha->workers = workers;
    ha->worker_count = worker_count;
    ha->is_arriving = true;
    ha_state_start(ha);
    ha->is_arriving = false;
    ha_on_ready(ha);
    ha_probe_start(ha->probe);
    loop_timer_start(&ha->tick, TICK_MS);
}

void ha_retire(struct ha *ha)
{
    ha->is_retired = true;
    loop_timer_stop(&ha->tick);
    loop_timer_stop(&ha->step);
    ha_pulse_stop(ha);
    ha_state_stop(ha);
    ha_probe_leave(ha->probe);
}

void ha_free(struct ha **at)
{
    struct ha *ha = *at;

    if (ha == NULL)
        return;
    loop_timer_stop(&ha->tick);
    loop_timer_stop(&ha->step);
    ha_pulse_stop(ha);
    ha_hold_stop(ha);
    ha_state_stop(ha);
    ha_probe_free(&ha->probe);
    for (size_t i = 0; i < ha->count; i++) {
        metrics_block_unref(&ha->places[i].metrics);
        MEM_FREE(&ha->places[i].conflict);
    }
    ha_addresses_fini(&ha->addresses);
    MEM_FREE(&ha->places);
    MEM_FREE(&ha->folder);
    MEM_FREE(at);
}
