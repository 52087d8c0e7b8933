/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_private.h - what the files control*.c share.
 */
#ifndef GATEWAYD_CONTROL_PRIVATE_H
#define GATEWAYD_CONTROL_PRIVATE_H

#include "gatewayd/control.h"
#include "gatewayd/core/log.h"
#include "gatewayd/exchange/plan_board.h"
#include "gatewayd/ha.h"
#include "gatewayd/health.h"
#include "gatewayd/memory.h"
#include "gatewayd/net/listen.h"
#include "gatewayd/net/resolve.h"
#include "gatewayd/net/tls.h"
#include "gatewayd/route/departures.h"
#include "gatewayd/route/snapshot.h"
#include "gatewayd/worker.h"

/* Somebody who asked for a configuration to be put in force. */
struct control_wait {
    struct control_wait *next;
    control_published_fn *done;
    void *arg;
};

/* idle ─▶ compiling ─▶ settling (first checks of new targets) ─▶ swapping (workers) ─▶ idle */
enum control_phase {
    CONTROL_PHASE_IDLE,
    CONTROL_PHASE_COMPILING,
    CONTROL_PHASE_SETTLING,
    CONTROL_PHASE_SWAPPING,
};

struct control_publishing {
    enum control_phase phase;
    struct snapshot_compiler *compiler;
    struct loop_slice slice;
    struct loop_timer settling;
    struct loop_task refusal; /* of what is asked while the process ends */
    bool has_news;            /* names changed while we were busy */

    /* What was asked for and has not been begun; NULL: nothing. */
    struct resources *asked;
    uint64_t asked_revision;
    struct plan_sets *asked_plans;
    struct control_wait *asked_waits;

    /* What is being put in force. */
    struct resources *resources;
    uint64_t revision;
    struct control_wait *waits;
    struct snapshot *next;
    struct plan_sets *next_plans;
    struct departures departures; /* from the one in force to `next`, for the workers */
    unsigned swaps_left;
};

struct control {
    struct node_config *node;
    char *file;
    struct log_scope log;
    struct loop *loop;
    struct mailbox *mailbox;
    struct turns *turns;
    struct credentials *credentials;
    struct limiter *limiter;
    struct resolve *resolve;
    struct health *health;
    struct ha *ha; /* NULL: no group `ha` in the node file */
    struct listen_table listeners;
    struct listen_budget budget;
    struct tls_server **tls; /* by listener of the first node file */
    struct text *listener_names;
    size_t listener_count;
    struct worker **workers;
    unsigned worker_count;
    unsigned workers_running;

    /* In force; NULL before the first. */
    struct snapshot *snapshot;
    struct plan_sets *plans;
    struct plan_board board;
    uint64_t revision;
    struct control_publishing publishing;
    char *behind; /* the newest could not be compiled; NULL: it could */
    char *store_behind;
    char *secret; /* NULL: none */
    struct loop_task changed;
    control_changed_fn *on_changed; /* NULL: nobody watches */
    char *starting; /* what is being waited for before the first configuration; NULL: unsaid */
    struct loop_timer starting_timer;

    bool *drained;                   /* by listener */
    struct text *listener_addresses; /* as configured at the start */
    struct {
        struct loop_timer timer;
        uint64_t period_ms; /* 0: nobody watches */
        unsigned pongs_missing;
    } watchdog;
    struct loop_signal signals[5];
    struct loop_timer care;
    struct loop_timer last_call; /* shortly before the end of a drain's window */
    struct loop_slice tidy;
    struct memory memory;
    int64_t started_at;
    bool is_draining;
    bool is_quitting;
    bool is_ending; /* the workers were told that nothing is left */
    int exit_status;
};

/* control_publish.c */
void control_publish_init(struct control *c);
void control_publish_stop(struct control *c); /* answers everybody who waits: not in force */
void control_publish_fini(struct control *c);

/* The same resources again: files that they name were changed. */
void control_publish_again(struct control *c);

/* The first configuration is in force on every worker. */
void control_on_first(struct control *c);

/* control_drain.c: the node is, or every listener. */
bool control_is_draining(const struct control *c);

/* In how long tunnels are told to go away. */
uint64_t control_spread_ms(const struct control *c);

/* While the process is to end: no client is connected any more, so it can. */
void control_end_if_quiet(struct control *c);

/* control_metrics.c */
void control_print_metrics(struct builder *b, void *arg);

/* control_starting.c: words to the supervisor until the first configuration is in force */
void control_starting_start(struct control *c);
void control_starting_stop(struct control *c);

/* control_watchdog.c */
void control_watchdog_start(struct control *c);
void control_watchdog_stop(struct control *c);

/* control_reload.c */
MUST_USE bool control_load_tls(struct control *c, struct problems *ps);
MUST_USE bool control_check_tls(const struct node_config *node, struct problems *ps);
void control_reload(struct control *c);
void control_free_tls(struct control *c);
void control_log_problems(const struct log_scope *scope, const struct problems *ps);

/* What max.connections comes to. */
unsigned control_connections_most(const struct node_config *node);

/* Replaces *reason_at; empty: NULL. */
void control_set_reason(char **reason_at, struct text reason);

#endif
