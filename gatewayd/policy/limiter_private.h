/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limiter_private.h - families and sets: what limiter*.c share.
 */
#ifndef GATEWAYD_POLICY_LIMITER_PRIVATE_H
#define GATEWAYD_POLICY_LIMITER_PRIVATE_H

#include "conf/base/builder.h"
#include "conf/base/map.h"
#include "gatewayd/policy/lease.h"
#include "gatewayd/policy/limiter.h"
#include "gatewayd/policy/tallies.h"

#define LIMITER_IDENTITY_MOST 320 /* a family's and a subject */

/* One limit by what it is called, for as long as a set or a tally refers to it. */
struct limiter_family {
    uint32_t number;
    atomic_uint uses;     /* rules of sets */
    struct text identity; /* owned: scope and kind, owner, limit */
    struct limits_local_spec spec;
    struct limits_local_spec divided; /* with a port: this node's part; written by its thread */
    _Atomic int64_t cost;
    struct tally crowd; /* those without a tally of their own, counted together */
    /* The keeper's, of its present round. */
    bool was_unused;
    bool has_tallies;
};

struct limiter_rule {
    struct limiter_family *family;
    struct text name;
    enum limit_by by;
    struct text header;
    int64_t cost;
    int64_t quota;
    int64_t window; /* s; of a quota it depends on the time */
};

struct limiter_set {
    atomic_uint count;
    struct limiter *limiter;
    enum limiter_scope scope;
    struct limiter_set *next_dead;
    struct arena arena;
    size_t rule_count;
    struct limiter_rule rules[];
};

struct limiter {
    struct limiter_settings settings;
    struct limiter_sharing sharing; /* with a port */
    struct tallies *tallies;
    struct turns_queue queue;  /* control's */
    int64_t started;           /* ns; times count from here */
    _Atomic int64_t frozen_ns; /* 0: time goes on */
    _Atomic uint64_t crowded;
    /* Control's. */
    struct map by_identity;
    struct limiter_family **families; /* by number; NULL where free */
    uint32_t families_size;
    uint32_t families_hint; /* none is free below */
    uint32_t sweep_position;
    _Atomic(struct limiter_set *) dead_sets; /* any thread adds */
    struct limiter_leases *leases;           /* NULL without a port */
    bool is_ending;
};

/* limiter_families.c; control. */
struct limiter_family *limiter_family_get(struct limiter *l, struct text identity,
                                          const struct bucket_spec *spec, bool is_loading);
void limiter_families_sweep(struct limiter *l, struct limiter_now now);
void limiter_families_fini(struct limiter *l);

static inline struct limits_local_now limiter_local_now(const struct limiter *l,
                                                        struct limiter_now now)
{
    int64_t frozen = atomic_load_explicit(&l->frozen_ns, memory_order_relaxed);
    int64_t ns = frozen != 0 ? frozen : now.monotonic - l->started;
    return (struct limits_local_now){ ns > 0 ? ns : 0, now.wall > 0 ? now.wall : 0 };
}

/* ---- with a port: limiter_leases.c ---- */

struct limiter_lease; /* Lifetime: its tally, and whoever refers to it (counted). */

struct limiter_leases *limiter_leases_new(struct limiter *l);
void limiter_leases_free(struct limiter *l);

/* Workers, within a turn. The tally's lease; made with it when it is the first look. */
struct limiter_lease *limiter_lease_get(struct limiter *l, struct limiter_family *f,
                                        struct tally *tally);
struct lease *limiter_lease_of(struct limiter_lease *ll);

/* Has its owner look at it, on the port's thread. */
void limiter_lease_want(struct limiter_lease *ll);

/* Puts the wait on the worker's list; the owner is told. */
void limiter_lease_wait(struct limiter_lease *ll, size_t worker, struct limiter_wait *wait,
                        uint32_t answers);

/* The keeper: true if the tally's lease is ended and has been taken care of, so that the tally can
 * be removed. */
bool limiter_lease_try_remove(struct limiter *l, struct tally *tally);
/* Control. What its lease, if it has one, knows of a quota that Redis does not. */
bool limiter_lease_memorise(struct tally *tally, struct lease_memory *out);
void limiter_leases_count(const struct limiter *l, struct limiter_counts *out);

/* Any thread. */
struct limits_local_now limiter_read_now(const struct limiter *l);

/* limiter_subject.c: who is counted. The text is in `into` (TALLIES_SUBJECT_MOST bytes). */
struct text limiter_subject(const struct limiter_rule *rule, enum limiter_scope scope,
                            const struct limiter_who *who, char *into);
bool limiter_subject_is_stranger(struct text subject);

/* limiter_save.c: "pq/gold/monthly/cacme": the family is what stands before the third slash. */
bool limiter_split_identity(struct text identity, struct text *family_out,
                            struct text *subject_out);
struct tally *limiter_make_tally(struct limiter *l, const struct tally_name *name);

#endif
