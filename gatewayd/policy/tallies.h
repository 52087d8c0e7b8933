/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tallies.h - the buckets that this process knows, found by limit and subject: a table that any
 * worker reads and adds to without locks, and that one thread (the keeper, control) grows and
 * thins out.
 *
 * Adding is a compare-and-swap of the empty cell where the search for the subject ended, so two
 * workers never make two buckets of one subject. To grow, the keeper seals the empty cells of the
 * old array one by one: whoever ends a search at a sealed cell goes on in the new array. What is
 * removed leaves a mark in its cell and its memory is used again after every worker has passed a
 * turn.
 *
 * Tallies of subjects that peers choose (addresses, values of headers) are bounded; past that, or
 * when the table is crowded, there is no new one for them and their limit counts them together.
 */
#ifndef GATEWAYD_POLICY_TALLIES_H
#define GATEWAYD_POLICY_TALLIES_H

#include "conf/base/text.h"
#include "gatewayd/policy/limits_local.h"
#include "gatewayd/policy/turns.h"

#define TALLIES_SUBJECT_MOST 64 /* of a subject's text, its kind included */
#define TALLIES_INLINE       37

struct lease;

enum tally_state { TALLY_FREE, TALLY_LIVE };

/* Lifetime: its subject's use. What is not atomic is written before it can be found. */
struct tally {
    limits_local_word word;
    _Atomic(struct lease *) lease; /* with a port */
    uint32_t number;               /* the same while it lives */
    uint32_t family;
    _Atomic uint8_t state; /* for the keeper */
    bool is_stranger;      /* a subject that peers choose */
    uint8_t length;
    char subject[TALLIES_INLINE]; /* or, when longer, the pointer to a heap copy */
};

struct tally_name {
    uint64_t hash; /* of all the rest */
    uint32_t family;
    bool is_stranger;
    struct text subject; /* at most TALLIES_SUBJECT_MOST bytes */
};

struct tallies;

struct tallies *tallies_new(struct turns *turns, size_t strangers_most);
void tallies_free(struct tallies **t);

uint64_t tallies_hash(uint32_t family, struct text subject);
struct text tally_subject(const struct tally *tally);

/* Any thread, within a turn; valid until its end. NULL: there is none. */
struct tally *tallies_find(const struct tallies *t, const struct tally_name *name);

/* Finds it or makes it. NULL: no room. */
struct tally *tallies_try_get(struct tallies *t, const struct tally_name *name);

/* Marks it as changed since it was saved. Any thread, within a turn. */
void tallies_mark(struct tallies *t, const struct tally *tally);

/* ---- the keeper ---- */

/* The next live tally (of those marked, whose mark is taken away) from *position on; NULL: none
 * left. Begin with 0. */
struct tally *tallies_next(struct tallies *t, uint32_t *position);
struct tally *tallies_next_marked(struct tallies *t, uint32_t *position);

/* Takes out a tally whose word is LIMITS_LOCAL_DEAD. */
void tallies_remove(struct tallies *t, struct tally *tally);

/* Grows when half full, gives memory back; bounded work. */
void tallies_tidy(struct tallies *t);

size_t tallies_count(const struct tallies *t);
size_t tallies_strangers(const struct tallies *t);
bool tallies_is_crowded(const struct tallies *t); /* of strangers: more than three quarters */

#endif
