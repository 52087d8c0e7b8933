/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limiter.h - takes tokens for a request from all the limits it is under, or from none.
 *
 * Limits are compiled into sets (a route's, a plan's) that a snapshot holds; the buckets behind
 * them belong to the limiter, survive every snapshot and are found by what they are called: plan
 * or route, its name, the limit's name and the subject. Changed numbers keep the bucket.
 *
 * Control makes sets, keeps house (limiter_tidy) and saves quotas; workers take. A request whose
 * buckets are known costs a hash and a few atomics for each: no lock, no allocation, no call.
 */
#ifndef GATEWAYD_POLICY_LIMITER_H
#define GATEWAYD_POLICY_LIMITER_H

#include "conf/base/address.h"
#include "conf/base/arena.h"
#include "conf/base/list.h"
#include "conf/limit.h"
#include "gatewayd/policy/limits_port.h"
#include "gatewayd/policy/turns.h"

struct limiter;
struct limiter_set;

#define LIMITER_LOCAL_MOST 100000 /* buckets of subjects that peers choose: addresses, headers */

/* The time of now: monotonic in ns, and ms since the epoch. Monotonic really read now
 * (clock_read_ns): the time of a long turn's beginning would let in what came during the turn on
 * top of what the next turn lets in. */
struct limiter_now {
    int64_t monotonic;
    int64_t wall;
};
typedef struct limiter_now limiter_clock_fn(void);

struct limiter_settings {
    struct turns *turns;     /* workers: thread i is worker i */
    size_t strangers_most;   /* 0: LIMITER_LOCAL_MOST */
    size_t workers;          /* 0: as many as turns; others never wait */
    limiter_clock_fn *clock; /* for tests; NULL: clock_read_ns, clock_read_wall_ms */
};

/* Lifetime: process. */
struct limiter *limiter_new(const struct limiter_settings *settings);
/* No worker is left, and no set that has not been let go of. */
void limiter_free(struct limiter **l);

/* Buckets that are kept behind a port, for several processes. */
struct limiter_sharing {
    struct limits_port *port;
    struct bucket_holder holder; /* who this process is */
    /* Runs limiter_on_wanted() on the port's thread, later; any thread. Once for several posts. */
    void (*post_wanted)(void *arg);
    void *wanted_arg;
    /* Runs limiter_on_answered(limiter, worker) on that worker's thread; from the port's. */
    void (*post_answered)(void *arg, size_t worker);
    void *answered_arg;
};

/* From now on: before the first set. Otherwise the buckets are this process's own. */
void limiter_share(struct limiter *l, const struct limiter_sharing *sharing);

/* ---- sets (control) ---- */

enum limiter_scope { LIMITER_ROUTE, LIMITER_PLAN };

/* The limits of a route or plan. Counted; NULL when there are none. The numbers are in force at
 * once, also for older sets of the same name. Nothing is borrowed. */
struct limiter_set *limiter_set_new(struct limiter *l, enum limiter_scope scope, struct text owner,
                                    const struct limits *limits);
struct limiter_set *limiter_set_ref(struct limiter_set *set); /* any thread, NULL too */
void limiter_set_unref(struct limiter_set **set);             /* any thread, NULL too */
size_t limiter_set_count(const struct limiter_set *set);      /* 0 for NULL */

/* ---- workers ---- */

/* Who a request is from. `header` answers with the value of a header of the request ("" or absent:
 * an empty text); borrowed for the call. */
typedef struct text limiter_header_fn(void *arg, struct text name);
struct limiter_who {
    struct text consumer; /* empty: nobody known */
    struct text key;      /* its id; empty: none */
    struct text route;    /* its name, for limits of a plan by route; empty: by consumer */
    const struct address *client;
    limiter_header_fn *header;
    void *arg;
};

enum limiter_verdict {
    LIMITER_ALLOWED,
    LIMITER_DENIED,
    LIMITER_WAIT, /* holds nothing; `on_answered` is called when to try again */
};

/* One limit as it applied; q and w of RateLimit-Policy, r and t of RateLimit. */
struct limiter_item {
    struct text name; /* the set's */
    int64_t quota;
    int64_t window;    /* s */
    int64_t remaining; /* whole tokens, of this node's knowledge; 0 exactly when denied */
    int64_t reset;     /* s until it is full, or until one can be taken when denied */
    bool denied;
};

/* Texts are those of the sets: as long as the request holds them. */
struct limiter_result {
    struct limiter_item *items; /* in the arena; the tightest first */
    size_t count;
    int64_t retry_after;               /* s, rounded up, at least 1; 0 unless denied */
    const struct limiter_item *denied; /* the one that denies longest; never NULL when denied */
};

struct limiter_wait;
typedef void limiter_answered_fn(struct limiter_wait *wait);

/* Lifetime: exchange, embedded. */
struct limiter_wait {
    struct list node;
    limiter_answered_fn *on_answered;
    struct limiter_lease *lease; /* waited for; NULL: not waiting */
    uint32_t answers;            /* it had when it was asked in vain */
};
void limiter_wait_init(struct limiter_wait *wait, limiter_answered_fn *on_answered);

/* What a request is under. `wait` as initialised above; without a port it may be NULL. */
struct limiter_request {
    const struct limiter_set *route; /* may be NULL */
    const struct limiter_set *plan;  /* may be NULL */
    struct limiter_who who;
    struct limiter_wait *wait;
};

/* On worker `worker`'s thread; enters its turn. *result_out is filled unless it answers
 * LIMITER_WAIT; a request under no limit is allowed with no items. After LIMITER_WAIT call it
 * again from on_answered (which is called from the loop, once); a stage that stops waiting calls
 * limiter_stop_waiting() and denies or retries as it likes. */
enum limiter_verdict limiter_take(struct limiter *l, size_t worker,
                                  const struct limiter_request *request, struct limiter_now now,
                                  struct arena *arena, struct limiter_result *result_out);
void limiter_stop_waiting(struct limiter *l, size_t worker, struct limiter_wait *wait);

void limiter_on_answered(struct limiter *l, size_t worker); /* posted, on the worker's thread */

/* ---- the port's thread ---- */

void limiter_on_wanted(struct limiter *l);

/* Each 10 ms or so while something is to be looked at later: holds that end, returns. */
void limiter_tick(struct limiter *l);
bool limiter_has_later(const struct limiter *l);

/* ---- control ---- */

struct limiter_counts {
    size_t buckets;
    size_t strangers;               /* of subjects that peers choose */
    size_t leased;                  /* gatewayd_limit_mode{mode="shared"} */
    size_t divided;                 /* mode="divided"; without a port both are 0 */
    uint64_t asks[LIMITS_OUTCOMES]; /* of the port, by how they were answered */
    uint64_t crowded; /* requests counted in a bucket of their limit's strangers for want of room */
};
void limiter_count(const struct limiter *l, struct limiter_counts *out);

/* Ends full buckets, gives memory back, grows the table: bounded work, each 100 ms or so. */
void limiter_tidy(struct limiter *l, struct limiter_now now);

/* This process ends, no worker is left: what is held of buckets behind the port goes back, as far
 * as the port still answers. limiter_leaving() (any thread): of how many it has not yet. */
void limiter_leave(struct limiter *l);
size_t limiter_leaving(const struct limiter *l);

/* The port is there: what was loaded of quotas is told to it. */
void limiter_recall(struct limiter *l);

/* Quota counters, for the store to keep; with a port, of quotas that are divided, what only this
 * process knows: calls `save` with those that changed since they were last
 * saved (or all, without forgetting which those are). Both texts (at most 512 bytes; printable
 * ASCII) are borrowed for the call; of an identity only the newest value counts. Looks at about
 * `most` at a time: true if there is more, call again with the same `saving`, which begins zeroed
 * but for .all. */
struct limiter_saving {
    bool all;
    uint32_t position;
};
typedef void limiter_save_fn(void *arg, struct text identity, struct text value);
bool limiter_save(struct limiter *l, struct limiter_saving *saving, size_t most,
                  limiter_save_fn *save, void *arg);

/* One saved counter, before there are requests. False: it says nothing to us, or is of a window
 * that is over (then it need not be kept). */
bool limiter_load(struct limiter *l, struct text identity, struct text value, int64_t wall);

/* ---- from process to process (control); where buckets are behind a port, of divided ones ---- */

/* From now on nothing refills here; or it does again. Not with a port: what is held ends in time.
 */
void limiter_freeze(struct limiter *l);
void limiter_thaw(struct limiter *l);

/* Frozen: calls `pass` with each bucket in use, whose tokens are the other process's then, but for
 * some that are kept. As limiter_save; *position begins at 0. */
bool limiter_pass(struct limiter *l, uint32_t *position, size_t most, limiter_save_fn *pass,
                  void *arg);

/* The other process: the limits are known, there are no requests yet. False: it says nothing to us.
 */
bool limiter_receive(struct limiter *l, struct text identity, struct text value);

/* What was passed is ours again; or, in the end, what was kept of a bucket and not spent, for the
 * other process to have back, and what was spent of it and the port not told. Both as it was
 * passed. False: neither. */
bool limiter_take_back(struct limiter *l, struct text identity, struct text value);
struct limiter_rest {
    int64_t unspent;
    int64_t untold;
};
bool limiter_rest_of(struct limiter *l, struct text identity, struct text value,
                     struct limiter_rest *out);
/* The other process. */
void limiter_give(struct limiter *l, struct text identity, struct limiter_rest rest);

#endif
