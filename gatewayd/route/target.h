/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target.h - what is known about one address of one upstream: is it up, how busy is it, was it put
 * out. Survives changes of configuration: found by identity (upstream, address as configured,
 * address it stands for, TLS settings).
 *
 * Counted (atomic). Made, found and freed by the control thread only: the table keeps one count,
 * target_table_sweep frees what nobody else counts. Members before the first marked line are set
 * once; the atomics may be read and changed by any thread; the last part is control's alone.
 */
#ifndef GATEWAYD_ROUTE_TARGET_H
#define GATEWAYD_ROUTE_TARGET_H

#include <stdatomic.h>

#include "conf/base/address.h"
#include "conf/base/map.h"
#include "conf/upstream.h"
#include "gatewayd/core/metrics.h"

enum target_state {
    TARGET_UNKNOWN, /* its first check is not back: takes no traffic */
    TARGET_UP,      /* checks say so, or there are none */
    TARGET_DOWN,
};

#define TARGET_FAILURES_KEPT 64
#define TARGET_BECAUSE_SIZE  160

struct target {
    atomic_uint count;
    struct address address;
    struct text upstream; /* name, owned */
    struct text written;  /* the address as configured, owned */
    struct text host;     /* of it, without port: TLS server name and Host of checks; owned */
    struct text shown;    /* `address` as text, owned */
    uint64_t seed;        /* of the identity: the same on every node, for consistent hashing */
    char *identity;
    struct metrics_block *metrics; /* METRICS_TARGET */

    /* Any thread. Times are monotonic milliseconds. */
    char apart[64];             /* what many threads write is on other cache lines */
    atomic_uint in_flight;      /* exchanges (tunnels too) that hold a seat */
    atomic_uint connections;    /* open ones, idle ones too */
    atomic_uchar state;         /* enum target_state */
    atomic_llong serving_since; /* back in service: slow start counts from here */
    atomic_llong ejected_until; /* 0: not ejected */
    atomic_ullong requests;     /* seats taken, ever */
    atomic_ullong failures;     /* reported, ever */
    atomic_ullong ejections;
    atomic_uint failures_at;
    atomic_llong failure_times[TARGET_FAILURES_KEPT];

    /* Control thread. */
    int64_t since;                     /* wall clock milliseconds of the last change of state */
    char because[TARGET_BECAUSE_SIZE]; /* "connect: refused"; empty: never checked */
};

/* ---- seats: any thread ---- */

/* Takes a seat unless `maximum` (0: none) are taken already. */
MUST_USE bool target_try_take(struct target *t, unsigned maximum);
void target_give(struct target *t); /* the seat back */

struct target *target_ref(struct target *t);
void target_unref(struct target **t); /* never frees */

/* ---- questions: any thread ---- */

bool target_is_ejected(const struct target *t, int64_t now);
bool target_is_serving(const struct target *t, int64_t now); /* up and not ejected */

/* Its share in thousandths while it starts slowly (100 to 1000). `slow_start` in ms; 0: 1000. */
unsigned target_share(const struct target *t, int64_t now, int64_t slow_start);

/* ---- the table: control thread ---- */

/* What is known of a target, from process to process. Times are the machine's. */
struct target_memory {
    enum target_state state;
    int64_t since;
    int64_t serving_since;
    int64_t ejected_until;
    char because[TARGET_BECAUSE_SIZE];
};

struct target_table {
    struct map by_identity;
    struct map memories; /* by identity, of targets that are not here yet; owned */
};

/* A target of this identity, once it is made with checks of the same kind, is what it was
 * elsewhere. _forget: no more of them are made. */
void target_table_remember(struct target_table *table, struct text identity,
                           const struct target_memory *memory);
void target_table_forget(struct target_table *table);
struct target_memory target_memorise(const struct target *t);

void target_table_init(struct target_table *table);
void target_table_fini(struct target_table *table); /* nobody may hold a target any more */

/* Finds or makes. A new one is UNKNOWN when the upstream has checks, else UP. The caller gets a
 * count. `clock` and `now` are wall clock and monotonic milliseconds. */
struct target_facts {
    const struct upstream *upstream;
    const struct upstream_target *configured;
    const struct address *address;
    int64_t now;
    int64_t wall;
};
struct target *target_table_take(struct target_table *table, const struct target_facts *facts);

/* Frees targets that only the table counts. Cheap; call it now and then, and after a snapshot was
 * freed. */
void target_table_sweep(struct target_table *table);

/* Changes the state and says why; true if it was another one before. Control thread. */
bool target_set_state(struct target *t, enum target_state state, const char *because, int64_t now,
                      int64_t wall);

const char *target_state_name(enum target_state state); /* "unknown", "up", "down" */

#endif
