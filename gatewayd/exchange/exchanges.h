/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchanges.h - all exchanges of one worker, and what they share.
 *
 * Lifetime: worker. One thread.
 */
#ifndef GATEWAYD_EXCHANGE_EXCHANGES_H
#define GATEWAYD_EXCHANGE_EXCHANGES_H

#include "conf/base/builder.h"
#include "gatewayd/core/loop.h"
#include "gatewayd/core/pool.h"
#include "gatewayd/exchange/generation.h"
#include "gatewayd/exchange/plan_board.h"
#include "gatewayd/exchange/retry.h"
#include "gatewayd/http/forwarded.h"
#include "gatewayd/http/up_pool.h"
#include "gatewayd/policy/holders.h"

struct exchange;

/* What the node file says; borrowed texts live as long as the node configuration in force. */
struct exchange_settings {
    struct text node; /* in Via and the access log */
    size_t header_bytes;
    unsigned headers;
    uint64_t body_bytes;
    struct forwarded_networks trusted;
};

/* A virtual address, as a worker serves it. Lifetime: worker. */
struct down_place {
    struct metrics_block *metrics; /* METRICS_ADDRESS; counted */
    bool is_draining;
};

/* What the user of a down is told of where its connection came in. Lifetime: worker. */
struct down_listener {
    struct exchanges *exchanges;
    struct text name;
    struct metrics_block *metrics; /* METRICS_LISTENER; counted */
    bool is_draining;              /* as exchanges.is_draining, for what came in here */
    struct down_place *place;      /* that it was connected to; NULL: no virtual address */
};

struct exchanges {
    struct loop *loop;
    unsigned worker;
    struct exchange_settings settings;
    struct buffer_pool *buffers;
    struct up_pool *ups;
    struct socket_pipes *pipes;
    struct credentials *credentials;
    struct turn *turn;
    struct limiter *limiter;
    struct plan_board *plans;
    struct log_scope *log;

    /* The rest is exchanges.c's and the exchanges'. */
    struct generation *generation; /* the current one; NULL before the first */
    struct holders holders;
    struct balancer_random random;
    struct retry_budget *budgets; /* by the fleet's slot */
    size_t budget_count;
    struct pool blocks;
    struct builder scratch; /* for what is printed and copied at once */
    struct loop_task leave_turn;
    struct {
        uint64_t quiet_until_ms;
        uint64_t count; /* since the last line of the log */
    } shortages;        /* connections that could not be made for want of resources */
    struct list running;
    struct loop_timer leaving; /* tunnels that are told to go away one after the other */
    size_t count;
    size_t tunnels;
    bool is_draining;
    bool is_stopping; /* the window is over: what is still there is cut */
};

/* The first part is set; fills in the rest. */
void exchanges_init(struct exchanges *all);
void exchanges_fini(struct exchanges *all); /* none may be running */

/* Other settings, for requests that begin from now on. */
void exchanges_set(struct exchanges *all, const struct exchange_settings *settings);

/* From now on requests run on this configuration. Takes its use over. */
void exchanges_set_generation(struct exchanges *all, struct generation *g);

/* WebSocket tunnels are told to go away (1001), and everyone that comes later; other answers say
 * Connection: close. Of one listener, or of all (NULL). Those that are there are told one by one,
 * at random times in the next `spread_ms` at most: they all come back somewhere. */
void exchanges_drain(struct exchanges *all, struct down_listener *listener, uint64_t spread_ms);
void exchanges_undrain(struct exchanges *all, struct down_listener *listener);

/* The same, of one virtual address. */
void exchanges_drain_place(struct exchanges *all, struct down_place *place, uint64_t spread_ms);
void exchanges_undrain_place(struct exchanges *all, struct down_place *place);

/* Who began with this key and is still at it is ended. */
void exchanges_end_key(struct exchanges *all, struct key_handle handle);

/* Before shared tables are read; left again at the end of the loop's turn. */
static inline void exchanges_enter_turn(struct exchanges *all)
{
    turn_enter(all->turn);
    loop_defer(all->loop, &all->leave_turn);
}

/* Of an upstream, by its slot. */
struct retry_budget *exchanges_budget(struct exchanges *all, unsigned slot);

/* Takes a block for a request that begins / gives it back at the end of the turn. */
struct exchange *exchanges_take(struct exchanges *all);
void exchanges_give(struct exchanges *all, struct exchange *ex);

/* What a connection's codec calls: its peer's listener is a struct down_listener. */
extern const struct down_user exchanges_down_user;

#endif
