/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange.h - one request and its answer, from the first byte of the one to the last of the other.
 *
 *   begin ─▶ route ─▶ authenticate ─▶ limit ─▶ transform ─▶ balance ─▶ forward ─▶ over
 *                                       ├─▶ redirect ─┐       ▲── retry ──┘
 *                                       └────────────▶ respond ──────────────▶ over
 *
 * Every stage may end in `respond`: with an answer of its own (REPLY) or a failure (FAIL). A stage
 * knows messages, never an HTTP version (http/codec.h).
 *
 * Lifetime: from on_begin of its request until the turn after it is over; struct, arrays for two
 * heads and the first chunk of its arena are one block of the worker's pool, so the way of a
 * request allocates nothing. One worker's thread. Only an exchange points into a snapshot, and only
 * until the head of its answer was sent on.
 */
#ifndef GATEWAYD_EXCHANGE_EXCHANGE_H
#define GATEWAYD_EXCHANGE_EXCHANGE_H

#include "gatewayd/exchange/exchanges.h"
#include "gatewayd/exchange/failure.h"
#include "gatewayd/exchange/flow.h"
#include "gatewayd/exchange/kept_body.h"
#include "gatewayd/exchange/memory_source.h"
#include "gatewayd/exchange/retry.h"
#include "gatewayd/http/request_id.h"
#include "gatewayd/policy/limiter.h"

#define STAGES                                                                                     \
    STAGE(route)                                                                                   \
    STAGE(authenticate)                                                                            \
    STAGE(limit)                                                                                   \
    STAGE(transform)                                                                               \
    STAGE(balance)                                                                                 \
    STAGE(forward)  /* terminal: */                                                                \
    STAGE(redirect) /* ends in respond */                                                          \
    STAGE(respond)

enum stage {
#define STAGE(name) STAGE_##name,
    STAGES
#undef STAGE
        STAGE_COUNT
};

enum verdict {
    VERDICT_NEXT,
    VERDICT_WAIT,  /* for what ex->waiting_on says, or the exchange is over */
    VERDICT_REPLY, /* ex->response and ex->reply_body are the answer */
    VERDICT_FAIL,  /* ex->failure says why */
};

struct tunnel;

/* A value for every answer of a route where limits applied. */
struct exchange_ratelimit {
    struct text policy; /* empty: none */
    struct text limit;
    struct text retry_after;
};

#define EXCHANGE_MAGIC  0x45584348u
#define EXCHANGE_AVOIDS BALANCER_AVOID_MAX

struct exchange {
    unsigned magic;
    enum stage stage;
    const char *waiting_on; /* "upstream", "limits", "client"; NULL: running */
    enum failure failure;   /* the first reason; FAILURE_NONE: none */
    const char
        *sentence;      /* what the client is told instead of the row's; static; NULL: the row's */
    struct text detail; /* of it, for the log; in the arena */
    bool is_running;    /* inside exchange_run */
    bool is_over;       /* nothing happens any more */
    bool is_answering;  /* the head of an answer was given to the client's codec */
    bool is_released;   /* the client's codec knows nothing of us any more */
    struct list node;   /* of exchanges.running */
    struct exchanges *all;
    size_t block_size; /* of the block that it begins */
    struct log_scope log;
    struct down *down;

    /* The request. */
    struct request_head request;
    struct text path;      /* as it was matched; request.path may be rewritten since */
    struct address client; /* by the rightmost-untrusted rule */
    struct text request_id;
    struct text trace_id; /* 32 hex digits, or empty */
    char request_id_memory[REQUEST_ID_SIZE];

    /* The configuration it runs on; NULL once the head of the answer was sent on. */
    struct generation *generation;
    struct router_match match;
    const struct route_piece *route; /* NULL: none matched, or let go of */
    struct text route_name;          /* these outlive the snapshot */
    struct text upstream_name;

    /* Who sent it. */
    bool has_credential;
    struct credential credential;
    struct holder holder;
    bool is_key_ended; /* revoked while the exchange was at work */

    /* Limits. */
    struct plan_sets *announced; /* counted; NULL: the generation knows the plan */
    struct limiter_wait limit_wait;
    struct exchange_ratelimit ratelimit;

    /* The upstream. */
    const struct route_backend *backend; /* chosen once, kept for retries */
    const struct fleet *fleet;
    struct target *target;   /* counted, with a seat; NULL: none */
    struct text target_name; /* of the last one tried; in the arena */
    const struct target *tried[EXCHANGE_AVOIDS];
    unsigned tried_count;
    struct up *up;      /* NULL: none lent */
    bool wants_fresh;   /* the next connection must not be a kept one */
    bool has_met_stale; /* a kept connection was closed before */
    unsigned tries;     /* requests sent, fresh connections after stale ones included */
    unsigned retries;
    struct flow request_flow;
    struct kept_body kept;
    struct memory_source no_body;
    bool is_sending; /* request_flow may be run */
    bool has_body;

    /* The answer. */
    struct response_head response;
    bool is_response_begun; /* by a stage: fields of its own are in it */
    struct flow answer_flow;
    struct memory_source reply_body;
    struct tunnel *tunnel;       /* in the arena; NULL: none */
    struct metrics_block *place; /* of the virtual address; NULL: none */
    uint64_t leave_ms;           /* when the tunnel is told to go away; 0: it is not */
    unsigned status;             /* what the client was sent; 0: nothing */

    /* Times, microseconds of the loop's clock; 0: did not happen. */
    uint64_t begun_us;
    int64_t begun_wall_ms;
    uint64_t request_us; /* the head was complete */
    uint64_t stage_us[STAGE_COUNT];
    uint64_t connected_us;
    uint64_t sent_us; /* the last try was handed to its connection */
    uint64_t head_us; /* the head of its answer */

    struct loop_timer timer; /* the whole exchange, a wait for limits, a tunnel's silence */
    struct loop_task task;   /* ends it from the end of the turn (revoked, drained) */
    struct arena arena;
};

/* ---- the runner (exchange_run.c) ------------------------------------------------------------ */

/* Runs stages until one waits or the exchange is over. From codecs' callbacks. */
void exchange_run(struct exchange *ex);

/* The stage that waited goes on. From the loop only, never from inside a stage. */
void exchange_resume(struct exchange *ex);

/* The only writer of ex->stage. */
void exchange_enter(struct exchange *ex, enum stage stage);

/* Records why, once: the first reason wins. Returns VERDICT_FAIL for stages. */
enum verdict exchange_fail(struct exchange *ex, enum failure failure, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Ends with ex->failure, from outside a stage: an answer if none was begun, else a visible cut. */
void exchange_end_badly(struct exchange *ex);

const char *exchange_stage_name(enum stage stage);

/* ---- the parts (exchange.c) ----------------------------------------------------------------- */

/* The answer was given to the codec whole, or cannot be: accounts, releases both sides, lets go. */
void exchange_finish(struct exchange *ex);

/* A fresh head for an answer in ex->response. */
void exchange_begin_response(struct exchange *ex, unsigned status);

/* Adds a field to ex->response; what does not fit is left out. `value` must outlive the answer. */
void exchange_add_response_header(struct exchange *ex, enum header_id id, struct text value);

/* Fields of every answer: Date if it has none, X-Request-Id, RateLimit and its policy. */
void exchange_dress_response(struct exchange *ex);

/* Hands ex->response to the client's codec and counts it. */
void exchange_answer(struct exchange *ex, bool close);

/* Runs the answer's flow; the exchange may be over after. */
void exchange_pump_answer(struct exchange *ex);

/* The head is out: nothing of the snapshot is needed any more; a revoked key ends it from now on.
 */
void exchange_let_go(struct exchange *ex);

/* Gives the connection, the seat and the target back. */
void exchange_release_upstream(struct exchange *ex);

/* Room for `extra` more fields, if need be by moving them to the arena. False: no memory. */
MUST_USE bool exchange_make_room(struct exchange *ex, struct headers *headers, unsigned extra);

static inline uint64_t exchange_now_us(const struct exchange *ex)
{
    return loop_now_us(ex->all->loop);
}

/* The node goes away, the listener it came in by, or the address it was connected to. */
static inline bool exchange_is_draining(const struct exchange *ex)
{
    const struct down_listener *l = ex->down->peer->listener;

    return ex->all->is_draining || l->is_draining || (l->place != NULL && l->place->is_draining);
}

/* For must_set_dump(): the exchange that this thread is at work on. */
void exchange_dump(void);

/* The exchange behind a pointer that went through a codec. */
static inline struct exchange *exchange_of(void *owner)
{
    struct exchange *ex = owner;
    MUST(ex != NULL && ex->magic == EXCHANGE_MAGIC);
    return ex;
}

/* ---- stages, one file each ------------------------------------------------------------------ */

#define STAGE(name) enum verdict stage_##name(struct exchange *ex);
STAGES
#undef STAGE

#endif
