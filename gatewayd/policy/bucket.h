/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bucket.h - the one specification of a bucket that several holders share: what an ask changes.
 *
 * A holder is a process (a node's name and a random incarnation). It holds some tokens of the
 * bucket for a while, spends them by itself and says with each ask how many it still has. An ask
 *  1. changes nothing if it is past its not_after, or not newer than the holder's last;
 *  2. accrues to now, stopping at each end of a hold: tokens = min(tokens + rate * time, burst -
 *     what all hold) with the holds as they were; a hold that ended counts as spent at its end;
 *  3. corrects the hold down to what the holder still has, and takes back what it returns: no more
 *     than the hold had, so nothing for a hold that ended before the ask came;
 *  4. grants some of the tokens left, and says until when they are good and when to ask again.
 * tokens + all holds <= burst always, a hold is never less than what is unspent, and tokens grow
 * at most at the rate: so what is admitted in any time t is at most burst + rate * t. Accruing
 * before subtracting is the whole point.
 *
 * A quota is a bucket that does not accrue: it is filled at the start of each calendar window,
 * when all holds of the one before are forgotten.
 *
 * Tokens are integers in millionths (of a quota whole), times microseconds. Pure: time is passed
 * in. One thread. Where several processes share a bucket it is kept in Redis, by the same rules in
 * Lua (cluster/limits.lua).
 */
#ifndef GATEWAYD_POLICY_BUCKET_H
#define GATEWAYD_POLICY_BUCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gatewayd/policy/quota.h"

#define BUCKET_TOKEN        1000000 /* one token in millionths */
#define BUCKET_HOLDERS_MOST 256
#define BUCKET_SPENT_MOST   1000000000000000 /* of a quota while divided */

/* The numbers of a limit, in whole tokens; `per` in ms. What clients are told is in whole tokens
 * too, so nothing is rounded on the way. */
struct bucket_spec {
    enum limit_kind kind;
    int64_t rate;
    int64_t per;
    int64_t burst; /* LIMIT_QUOTA: the quota */
    enum limit_period period;
};
struct bucket_spec bucket_spec_of(const struct limit *limit);

struct bucket_holder {
    uint64_t high; /* the node */
    uint64_t low;  /* its incarnation */
};

struct bucket_ask {
    struct bucket_holder holder;
    struct bucket_spec spec;
    uint64_t seq;      /* grows with each ask of the holder */
    int64_t have;      /* whole tokens: unspent now */
    int64_t back;      /* given back, no part of have */
    int64_t need;      /* that somebody waits for at this moment */
    int64_t cost;      /* of one request: fewer are of no use; 0 counts as 1 */
    int64_t want;      /* what 10 s of this holder's demand are; 0: only reports or returns */
    int64_t not_after; /* us of the bucket's clock */
    bool returning;    /* first ask after the holder went by itself: no credit for that time */
    int64_t spent;     /* of a quota, while it did */
};

struct bucket_answer {
    int64_t granted; /* whole tokens */
    int64_t held;    /* a holder keeps no more than this */
    int64_t time;    /* us of the bucket's clock */
    int64_t life;    /* us from `time` on: how long the hold is good */
    int64_t
        ask_again;   /* us from `time` on: before that nothing more will be granted; 0: any time */
    int64_t left;    /* whole tokens nobody holds */
    int64_t next;    /* us from `time` on: when those of the next request have come in */
    unsigned asking; /* holders that asked lately (250 ms, or as long as they had to wait) */
    bool is_scarce;  /* keep no more than for a second */
};

struct bucket_hold {
    struct bucket_holder holder;
    uint64_t seq;
    int64_t held; /* whole tokens */
    int64_t ends;
    int64_t asked;
};

struct bucket {
    int64_t tokens; /* millionths; a quota: what has been granted and not come back, whole */
    int64_t last;   /* us: up to when tokens have accrued; a quota: the start of its window */
    uint64_t run;   /* of the memory it is kept in */
    size_t count;
    struct bucket_hold *holds; /* owned, in no order */
    bool is_known;
};

void bucket_init(struct bucket *b); /* never seen */
void bucket_fini(struct bucket *b);

/* `run` is the memory's: another one than the bucket's means that it was lost, and the bucket
 * starts over without credit for the time since. False: refused by rule 1, or there
 * are too many holders: nothing but the time has changed. */
MUST_USE bool bucket_ask(struct bucket *b, const struct bucket_ask *ask, int64_t now, uint64_t run,
                         struct bucket_answer *answer_out);

/* After this time without an ask (us) nothing is held and it is full, or its window is over: it can
 * be forgotten and be as never seen. */
int64_t bucket_keep_time(const struct bucket *b, const struct bucket_spec *spec, int64_t now);

/* For the proof in the tests only: subtracts before it accrues, which admits too much. */
void bucket_test_swap(bool swapped);

#endif
