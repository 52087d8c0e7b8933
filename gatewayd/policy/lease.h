/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease.h - what this process holds of a bucket that others share (bucket.h): some tokens for some
 * time, spent by all workers.
 *
 * The tokens, the end of the hold and the number of the ask they were last told to (a generation)
 * are one 64-bit word. A worker takes tokens first and reads the clock after, so nothing is spent
 * past the end, which counts from before the ask was sent and 5 % early; and it gives back only to
 * the generation it took from: what an ask has told as spent stays spent. Everything else is
 * decided by the owner, the port's thread: when to ask and what, when to give back, when to go by
 * itself.
 *
 * While the bucket is out of reach the lease is *divided*: it goes on from what it holds as a local
 * bucket (limits_local.h) that fills at rate / n up to burst / n, n being the nodes that share it.
 *
 *   NEW ──answer──► SHARED ◄──answer──► DIVIDED         all of them ──idle──► ENDED
 *    └───────────────away───────────────►┘
 *
 * What a divided lease has spent of a quota the bucket does not know until an ask tells it. What
 * was memorised of it outlives the process: a lease that remembers it goes on from there and tells
 * it with its first ask.
 *
 * Pure: time is passed in (ns since the process's start, ms since the epoch); the clock of workers
 * is a function. Nothing here sends.
 */
#ifndef GATEWAYD_POLICY_LEASE_H
#define GATEWAYD_POLICY_LEASE_H

#include "conf/base/list.h"
#include "gatewayd/policy/limits_local.h"
#include "gatewayd/policy/limits_port.h"

enum lease_mode { LEASE_NEW, LEASE_SHARED, LEASE_DIVIDED, LEASE_ENDED };

typedef int64_t lease_clock_fn(void *arg); /* ns, as the owner's */
struct lease_clock {
    lease_clock_fn *read;
    void *arg;
};

struct lease {
    /* Workers and owner. */
    _Atomic uint64_t word;      /* 12 bits generation, 30 bits whole tokens, 22 bits end (ms) */
    _Atomic int64_t deny_until; /* ns: nothing comes in before */
    _Atomic int64_t next;       /* ns: when the next token is there, as far as is known */
    _Atomic int64_t low;        /* renewed when so few are left */
    _Atomic int64_t left;       /* of the bucket, that nobody held, when last heard of */
    _Atomic int64_t need;       /* waited for since the last ask */
    _Atomic uint64_t refused;   /* not had, ever */
    _Atomic int64_t wanted_at;  /* ns: when a worker last took something, or could not */
    _Atomic uint32_t answers;   /* counts changes of the owner's that may let a waiting one on */
    _Atomic uint8_t mode;
    limits_local_word own;      /* LEASE_DIVIDED */
    limits_local_word told;     /* of a quota: how much of what own counts the bucket knows */
    _Atomic bool is_remembered; /* own is from before: divided it goes on from that */
    _Atomic int64_t retry_at;
    const struct limits_local_spec *spec;    /* of the whole bucket */
    const struct limits_local_spec *divided; /* this node's part: the caller keeps it right */
    int64_t first_want; /* asked for while nothing is known of the demand: the caller's, or 0 */

    /* The owner's. */
    uint64_t seq;
    bool is_asking;
    bool was_seen; /* an answer ever came: it does not start with a burst when divided */
    bool is_returning;
    bool is_scarce;
    bool is_leaving;    /* gives back what it holds */
    bool asked_leaving; /* the ask under way does */
    unsigned refusals;  /* in a row */
    int64_t sent_at;
    int64_t asked_at; /* when the last answered ask was sent */
    int64_t seen_tokens;
    uint64_t seen_refused;
    int64_t taken;      /* since asked_at */
    int64_t used_at;    /* of wanted_at, or when somebody waited */
    int64_t life;       /* ns, of the hold */
    int64_t ends_at;    /* ns */
    int64_t asked_need; /* what the ask under way asked for */
    int64_t asked_told; /* and tells of a quota */
    int64_t told_start; /* in this window */
    double demand;      /* tokens per second */
    double counted;     /* since counted_at */
    int64_t counted_at;
};

void lease_init(struct lease *l, const struct limits_local_spec *spec,
                const struct limits_local_spec *divided);

/* The numbers of a node's part. At least one token of burst, and what one request costs. */
struct bucket_spec lease_divided_spec(const struct bucket_spec *spec, unsigned nodes, int64_t cost);

/* ---- workers ---- */

enum lease_answer {
    LEASE_TAKEN,
    LEASE_EMPTY,
    LEASE_WAIT, /* ask (lease_look by the owner), then try again */
    LEASE_GONE, /* it is ended: find the bucket again */
};

struct lease_taking {
    struct limits_local_now now;
    struct lease_clock clock;
    int64_t cost;
    /* Answered. */
    struct limits_local_state state; /* what is known */
    bool wants;                      /* the owner should look, whatever the answer */
    uint64_t generation;
};

enum lease_answer lease_take(struct lease *l, struct lease_taking *t);
enum lease_answer lease_peek(struct lease *l,
                             struct lease_taking *t);           /* what taking would answer */
void lease_give(struct lease *l, const struct lease_taking *t); /* after LEASE_TAKEN */

/* Somebody waits for `cost` tokens; before the owner is told. */
void lease_wait(struct lease *l, int64_t cost);

/* ---- any thread ---- */

/* What this process alone knows of a quota. */
struct lease_memory {
    int64_t start; /* of the window, ms since the epoch */
    int64_t count; /* used up in it of the node's part */
    int64_t told;  /* how much of that the bucket knows; at most count */
};

/* False: nothing that the bucket does not know. */
bool lease_memorise(const struct lease *l, struct lease_memory *out);

/* A lease that nobody has used yet begins with that, and is to be looked at; one that is divided
 * goes on with it. An empty memory: as if there had never been one. */
void lease_remember(struct lease *l, const struct lease_memory *memory);

/* Of a rate: what its part has now (limits_local_word_of). */
void lease_remember_rate(struct lease *l, uint64_t word);

/* Somebody else tells the bucket so much of what was counted here; negative: no longer. */
void lease_note_told(struct lease *l, int64_t tokens);

/* ---- the owner ---- */

/* Should be asked now? Then *ask_out is what (without holder and not_after), sent at once.
 * *next_out is when to look again at the latest (ns). */
bool lease_look(struct lease *l, struct limits_local_now now, uint64_t seq,
                struct bucket_ask *ask_out, int64_t *next_out);

/* The answer to the ask `seq`; others are ignored. True: waiting ones should try again; look again
 * at once in any case. Before an answer LIMITS_AWAY the caller brings *divided up to date. */
bool lease_on_answer(struct lease *l, uint64_t seq, const struct limits_answer *answer,
                     struct limits_local_now now);

/* Nothing is known of the bucket and too many wait to hear: begin divided. */
void lease_divide(struct lease *l, struct limits_local_now now);

/* This process ends: the next look gives back all, and tells what was spent. No worker is left. */
void lease_leave(struct lease *l);

/* Ends it if nobody has used it for a while and nothing is held or owed. */
bool lease_try_end(struct lease *l, struct limits_local_now now);

#endif
