/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits_local.h - a bucket that only this process takes from: one 64-bit word, shared by all
 * workers, changed by compare-and-swap. Nobody owns it and nobody waits.
 *
 * A rate is kept as the time at which the bucket will be full again. That is the arithmetic of
 * bucket.h without holders (tokens = burst - time to full / time per token), in one number that
 * need not be touched to accrue: burst tokens at once, the next exactly at its time. Times round so
 * that never more than burst + rate * t is admitted. A quota is kept as its window's start and a
 * count. A word of 0 is a bucket never used: full.
 *
 * Words of older numbers are converted when they are next looked at, by whoever it is: the tokens
 * missing stay missing.
 */
#ifndef GATEWAYD_POLICY_LIMITS_LOCAL_H
#define GATEWAYD_POLICY_LIMITS_LOCAL_H

#include <stdatomic.h>

#include "gatewayd/policy/bucket.h"

#define LIMITS_LOCAL_DEAD     UINT64_MAX /* the bucket has been ended: find it again */
#define LIMITS_LOCAL_VERSIONS 16

/* One set of numbers, ready to count with. Immutable. */
struct limits_local_numbers {
    struct bucket_spec spec;
    int64_t interval; /* units for one token, rounded up */
    int64_t depth;    /* units for `burst` of them */
    unsigned shift;   /* a unit is 2^shift ns */
};

/* The numbers of one limit, one after the other; a word says by which of the last 16 it counts. */
struct limits_local_spec {
    _Atomic uint64_t version; /* of the newest; the number of changes */
    _Atomic(const struct limits_local_numbers *) numbers[LIMITS_LOCAL_VERSIONS]; /* owned */
};

void limits_local_spec_init(struct limits_local_spec *s, const struct bucket_spec *spec);
void limits_local_spec_fini(struct limits_local_spec *s);

/* One thread. False: they are the same. *displaced_out (may become NULL) is the caller's to free
 * with MEM_FREE when no reader can have it any more. A word left alone for 16 changes is read by
 * other numbers than it was counted by: as anything from empty to full. */
bool limits_local_spec_set(struct limits_local_spec *s, const struct bucket_spec *spec,
                           const struct limits_local_numbers **displaced_out);

const struct limits_local_numbers *limits_local_spec_get(const struct limits_local_spec *s);

/* Now: ns since some start of the process (not negative), ms since the epoch. */
struct limits_local_now {
    int64_t ns;
    int64_t wall;
};

enum limits_local_answer {
    LIMITS_LOCAL_TAKEN,
    LIMITS_LOCAL_EMPTY,
    LIMITS_LOCAL_ENDED, /* the word is LIMITS_LOCAL_DEAD */
};

struct limits_local_state {
    int64_t left;    /* whole tokens */
    int64_t wait_ns; /* until `cost` of them are there; 0: they are (after taking: were) */
    int64_t full_ns; /* until it is full; a quota: until its window ends */
};

typedef _Atomic uint64_t limits_local_word;

/* Takes `cost` tokens or none. The state is that after taking, or as it is. */
enum limits_local_answer limits_local_take(limits_local_word *word,
                                           const struct limits_local_spec *s,
                                           struct limits_local_now now, int64_t cost,
                                           struct limits_local_state *state_out);

/* What taking would answer; takes nothing. */
enum limits_local_answer limits_local_peek(limits_local_word *word,
                                           const struct limits_local_spec *s,
                                           struct limits_local_now now, int64_t cost,
                                           struct limits_local_state *state_out);

/* Gives back what was taken a moment ago, for a request that was not admitted. */
void limits_local_give(limits_local_word *word, const struct limits_local_spec *s, int64_t cost);

/* Ends it if it is full, so that nothing is lost: then the word is LIMITS_LOCAL_DEAD. */
bool limits_local_try_end(limits_local_word *word, const struct limits_local_spec *s,
                          struct limits_local_now now);

/* The word of a bucket that has so many tokens left now. */
uint64_t limits_local_word_of(const struct limits_local_spec *s, struct limits_local_now now,
                              int64_t left);

/* A quota's count and the start of its window (ms), to save and load. */
void limits_local_quota(uint64_t word, int64_t *start_out, int64_t *count_out);
uint64_t limits_local_quota_word(int64_t start, int64_t count);

#endif
