/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ha.h - the virtual addresses of this node, that keepalived moves: whether this node is to have
 * each of them (its weight), whether it has (the state keepalived tells), and moving one away
 * without a failed request.
 *
 * A weight is what the address' track file holds: 0 in service, -100 gives way to any healthy node,
 * -254 is a fault. The file is written when the weight changes; gatewayd-watch asks for the weights
 * by the probe socket too, and writes the fault when it gets no answer.
 *
 * Lifetime: process, with the group `ha` in the node file. Control thread, every function.
 */
#ifndef GATEWAYD_HA_H
#define GATEWAYD_HA_H

#include "conf/ha_addresses.h"
#include "conf/node.h"
#include "gatewayd/core/loop.h"

struct builder;
struct control;
struct ha;
struct listen_table;
struct worker;

/* As keepalived says. */
enum ha_vrrp { HA_UNKNOWN, HA_FAULT, HA_STOP, HA_BACKUP, HA_MASTER };
const char *ha_vrrp_name(enum ha_vrrp vrrp); /* "unknown", "fault", "stop", "backup", "master" */

/*
 *   waiting ─▶ serving ─▶ closing ─▶ holding ─▶ moving ─▶ drained
 *      ▲          ▲──────────┴──────────┴──────────┴─────────┘
 *      └── home, and another node has it
 */
enum ha_phase {
    HA_WAITING, /* this is its home, and another node may have it: it is asked for */
    HA_SERVING,
    HA_CLOSING, /* answers say Connection: close; new connections are taken */
    HA_HOLDING, /* new handshakes are held back, what is in flight ends */
    HA_MOVING,  /* the weight is lowered: keepalived is to move it */
    HA_DRAINED, /* gives way, until it is undrained */
};
const char *ha_phase_name(enum ha_phase phase);

struct ha_status {
    const struct ha_address *address;
    enum ha_vrrp vrrp;
    int64_t vrrp_since; /* ms since the epoch, as keepalived said; 0: it did not */
    enum ha_phase phase;
    int weight;
    bool is_asked_for;    /* on its way to the node where it is at home, which asked for it */
    uint64_t connections; /* of clients, to this address */
    uint64_t exchanges;
    uint64_t streams;     /* of them, tunnels */
    struct text conflict; /* names of other nodes that have it, too; empty: none */
};

/* ---- life ----------------------------------------------------------------------------------- */

/* Is what the node file says of it right? */
MUST_USE bool ha_check(const struct node_config *node, struct problems *ps);

/* SIGHUP: what the file of addresses says now counts for the next process only; it is said so. */
void ha_note_file(const struct ha *ha, const struct node_config *node, struct problems *ps);

/* Reads the addresses and opens the probe socket, an entry of `listeners`. NULL and problems. */
MUST_USE struct ha *ha_new(struct control *control, struct listen_table *listeners,
                           struct problems *ps);
/* Begins to answer probes: every weight is that of a fault until ha_on_ready. */
void ha_start(struct ha *ha, struct worker *const *workers, unsigned worker_count);
void ha_on_ready(struct ha *ha); /* the first configuration is in force */

/* Both at once, in the place of another process: no weight changes on the way. What that one had
 * drained, or was draining, is said before (false: there is no such address). */
MUST_USE bool ha_inherit_drained(struct ha *ha, struct text name);
void ha_take_over(struct ha *ha, struct worker *const *workers, unsigned worker_count);
/* Another process answers probes and writes weights from now on. */
void ha_retire(struct ha *ha);
void ha_free(struct ha **ha);

/* ---- moving --------------------------------------------------------------------------------- */

/* Moves an address to another node, in the order of design: answers say Connection: close, then new
 * handshakes are held back until what is in flight has ended, then the weight is lowered; at the
 * end of timeouts.drain whatever is left. And back: it is asked for again where it has its home. */
void ha_drain(struct ha *ha, size_t index);
void ha_undrain(struct ha *ha, size_t index);
void ha_drain_all(struct ha *ha);
void ha_undrain_all(struct ha *ha); /* but those that another node has asked for */

/* The process is to end: all of them go, in `window_ms`. Have they? */
void ha_quit(struct ha *ha, int64_t window_ms);
bool ha_has_left(const struct ha *ha);
void ha_on_end(struct ha *ha); /* workers are about to end: they are not asked any more */

/* Some other node would take the address over at once, as of now (true is forgotten after 3 s): it
 * is then handed over in some tens of milliseconds. */
void ha_note_taker(struct ha *ha, size_t index);

/* ---- coming back ---------------------------------------------------------------------------- */

/* Ready for 5 s, at home, and another node has it. */
bool ha_is_wanted(const struct ha *ha, size_t index);

/* The node that has it is draining it for us: it is waited for some more seconds. */
void ha_note_promise(struct ha *ha, size_t index);

/* It is let go of this very moment, or by nobody: it is taken. */
void ha_take(struct ha *ha, size_t index);

/* Another node asks for an address that this one has: it is drained, and when nothing is in flight
 * any more `done` is called with true; the caller has to be told then at once, the address moves
 * some 20 ms later. False: it stays, for a reason. At most one waits for an address. */
enum ha_yield {
    HA_YIELD_WAIT,     /* `done` follows */
    HA_YIELD_NOT_HELD, /* keepalived does not say that this node has it: take it */
    HA_YIELD_HOME,     /* this is its home, too: the files of the two nodes disagree */
    HA_YIELD_BUSY,     /* another asks for it at this moment */
};
typedef void ha_yielded_fn(void *arg, bool is_yielded);
enum ha_yield ha_yield(struct ha *ha, size_t index, ha_yielded_fn *done, void *arg);
void ha_stop_yield(struct ha *ha, size_t index); /* the waiter is gone; it may come back soon */

/* At home neither here nor there, and another node has it, or may have it: it is left to that one.
 * Where keepalived ranks this one above that, it would take the address from under it. */
void ha_leave(struct ha *ha, size_t index, bool is_left);

/* ---- split brain ---------------------------------------------------------------------------- */

/* Other nodes that say they have an address that this one has, too; empty: none. */
void ha_set_conflict(struct ha *ha, size_t index, struct text names);

/* ---- what there is -------------------------------------------------------------------------- */

size_t ha_count(const struct ha *ha);
struct ha_status ha_get(const struct ha *ha, size_t index);

/* By name, or by bare address; ha_count(): there is none. */
size_t ha_find(const struct ha *ha, struct text wanted);

const struct ha_addresses *ha_addresses(const struct ha *ha);

/* "NAME=master NAME=backup": what other nodes are told. */
void ha_print_vrrp(const struct ha *ha, struct builder *b);

#endif
