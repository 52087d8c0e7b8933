/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ha_private.h - what the files ha*.c share.
 */
#ifndef GATEWAYD_HA_PRIVATE_H
#define GATEWAYD_HA_PRIVATE_H

#include "gatewayd/control.h"
#include "gatewayd/core/log.h"
#include "gatewayd/core/metrics.h"
#include "gatewayd/core/thread_pace.h"
#include "gatewayd/ha.h"
#include "gatewayd/worker.h"

#define HA_WEIGHT_SERVING 0
#define HA_WEIGHT_YIELDS  (-100)
#define HA_WEIGHT_FAULT   (-254)

enum ha_hold { HA_HOLD_NONE, HA_HOLD_ASKED, HA_HOLD_DONE, HA_HOLD_FAILED };
enum ha_reason { HA_FOR_OPERATOR, HA_FOR_OTHER_NODE, HA_FOR_END };

/* ha_drain.c: one address on its way to another node. Times are of the loop, ms. */
struct ha_drain {
    enum ha_reason reason;
    uint64_t half_ms;       /* when kept connections are closed, whatever is in flight */
    uint64_t deadline_ms;   /* when it moves, whatever is in flight */
    uint64_t last_ms;       /* the last try begins */
    uint64_t renewed_ms;    /* HA_HOLDING: gatewayd-hold was asked last */
    uint64_t held_ms;       /* HA_HOLDING: since when */
    uint64_t again_ms;      /* no try begins before, but the last one */
    uint64_t quiet_ms;      /* HA_HOLDING: since when nobody is connected; 0: somebody is */
    int turns;              /* of every worker, since then */
    unsigned turning;       /* workers that have not had the next one */
    enum ha_hold hold;      /* what became of it */
    uint64_t moving_ms;     /* HA_MOVING: since when */
    uint64_t moved_ms;      /* when keepalived said so; 0: it did not */
    unsigned marks_left;    /* workers that have not marked what is connected */
    bool is_last;           /* HA_HOLDING: it moves after this whatever is left */
    bool is_told;           /* who asked for it knows that it comes now */
    bool is_sudden;         /* HA_MOVING: as if this node was at fault */
    ha_yielded_fn *yielded; /* NULL: nobody waits */
    void *yielded_arg;
    uint64_t asked_ms; /* when somebody waited last */
};

struct ha_place {
    struct ha *ha;
    size_t index;
    const struct ha_address *address;
    struct metrics_block *metrics; /* counted */
    enum ha_vrrp vrrp;
    uint64_t vrrp_ms;   /* of the loop, when it was heard */
    int64_t vrrp_since; /* as keepalived said */
    enum ha_phase phase;
    int written;         /* the weight that was written last; HA_UNWRITTEN: none */
    uint64_t waiting_ms; /* HA_WAITING: since when, of the loop */
    uint64_t begun_ms;   /* the same, without what other nodes promised */
    uint64_t taker_ms;   /* when somebody who would take it was heard of last; 0: never */
    bool is_left;        /* ha_leave */
    char *conflict;      /* names of nodes that have it too; NULL: none */
    struct ha_drain drain;
    bool is_inherited; /* drained, by the process before us */
};

#define HA_UNWRITTEN 1

struct ha_probe;

struct ha {
    struct control *control;
    struct loop *loop;
    struct log_scope log;
    struct ha_addresses addresses;
    char *folder;
    struct ha_place *places;
    size_t count;
    struct listen_table *listeners;
    struct ha_probe *probe;
    struct worker *const *workers; /* control's; NULL before ha_start */
    unsigned worker_count;
    struct loop_timer tick;
    struct loop_timer step; /* while an address moves */
    bool is_quitting;
    struct {
        struct list calls;
        bool is_missed; /* said that the helper is not there */
    } hold;
    bool is_ready;   /* a configuration is in force */
    bool is_stuck;   /* a worker does not turn */
    bool is_retired; /* another process has taken over */
    /* It takes over, and does not know yet what it has: weights are as the process before us left
     * them. keepalived would see one that is wrong for a moment. */
    bool is_arriving;

    struct {
        int fd; /* inotify; -1: states are looked at each tick */
        struct loop_watch watch;
    } states;

    struct {
        struct loop_timer timer;
        uint64_t *asked_ms;        /* by worker; 0: it has answered */
        struct thread_pace *paces; /* when it was asked; unknown before its first answer */
        bool *have_answered;
        struct ha_pulse **pulses;
    } pulse;
};

/* FOLDER/NAME and the suffix, into the buffer; false: it is too long. */
MUST_USE bool ha_print_path(const struct ha *ha, struct text name, const char *suffix, char *into,
                            size_t size);

/* Enters it, and writes what weight comes of it. */
void ha_enter(struct ha_place *p, enum ha_phase phase);
int ha_weight(const struct ha_place *p);
void ha_write_weights(struct ha *ha);

/* ha_state.c: what keepalived's notify script wrote. */
void ha_state_start(struct ha *ha);
void ha_state_stop(struct ha *ha);
void ha_state_look(struct ha *ha); /* at all of them */
MUST_USE bool ha_state_parse(struct text text, enum ha_vrrp *vrrp_out, int64_t *since_out);
void ha_on_vrrp(struct ha_place *p, enum ha_vrrp before); /* ha.c: it is another */

/* ha_track.c: false: it cannot be written (said once). */
MUST_USE bool ha_track_write(const struct ha_place *p, int weight);

/* ha_probe.c */
MUST_USE struct ha_probe *ha_probe_new(struct ha *ha, struct problems *ps);
void ha_probe_start(struct ha_probe *probe);
void ha_probe_leave(struct ha_probe *probe); /* who is connected is told to connect anew */
void ha_probe_free(struct ha_probe **probe);

/* ha_drain.c */
void ha_drain_init(struct ha *ha);
void ha_drain_inherit(struct ha_place *p); /* as the process before us had it */
void ha_drain_begin(struct ha_place *p, enum ha_reason reason, uint64_t window_ms);
void ha_drain_stop(struct ha_place *p); /* the waiter is told that it stays */
void ha_drain_on_vrrp(struct ha_place *p);

/* ha_hold.c: gatewayd-hold is asked to hold back handshakes, or (0) no longer to. Its answer is
 * noted in the drain: without it addresses move all the same. */
void ha_hold_ask(struct ha_place *p, unsigned ms);
void ha_hold_stop(struct ha *ha);

void ha_begin_serving(struct ha_place *p); /* ha.c */

/* ha_pulse.c: do the workers turn? */
void ha_pulse_start(struct ha *ha);
void ha_pulse_stop(struct ha *ha);
void ha_pulse_look(struct ha *ha);

#endif
