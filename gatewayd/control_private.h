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
#include "gatewayd/handover_link.h"
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

/* Listening sockets that the process after us is to have. */
struct control_heritage {
    struct listen_table *table;
    const char *scope;
};
#define CONTROL_HERITAGES_MOST 8

/* idle ─▶ checking ─▶ releasing ─▶ taking ─▶ giving ─▶ replaced
 *            └───────────┴──────────┴─────────┴─▶ failing ─▶ idle */
enum control_upgrade_phase {
    CONTROL_UPGRADE_IDLE,
    CONTROL_UPGRADE_CHECKING,  /* the new process reads what there is */
    CONTROL_UPGRADE_RELEASING, /* it can; services let go */
    CONTROL_UPGRADE_TAKING,    /* they have */
    CONTROL_UPGRADE_GIVING,    /* it was told that all is its own, and may not have read it */
    CONTROL_UPGRADE_FAILING,   /* it has to be gone before we go on */
    CONTROL_UPGRADE_REPLACED,
};

/* What a process that was replaced has left; zeros: nothing, or there is none. */
struct control_rest {
    uint64_t connections;
    uint64_t exchanges;
    uint64_t streams;
};

/* Towards the process after us. */
struct control_upgrade {
    enum control_upgrade_phase phase;
    struct handover_child *child; /* that does not run its program yet */
    int end;                      /* of the socketpair, ours; while there is a child */
    struct handover_link *link;   /* from then on */
    int pid;
    uint64_t began_ms;
    uint64_t word_ms; /* of the loop: its last sign of life */
    struct loop_timer poll;
    char *version; /* the other's */
    char *reason;  /* why it fails */
    uint64_t kill_ms;
    bool is_killed;
    bool is_released;
    bool is_told; /* to end; after the other one took over */
    bool is_bye;  /* the other one was told to end, and says so */
    bool must_quit;
    unsigned holding; /* workers that may still accept */
    uint64_t questions;
    struct control_rest rest; /* that it was told last */
    control_upgraded_fn *done;
    void *arg;
};

/* Beside sockets and files: buckets of limits, what is known of targets. */
struct control_estate {
    bool is_passing;       /* to the process after us: */
    uint32_t position;     /* how far the buckets are */
    struct builder limits; /* what of them was passed */
    int fd;                /* from the process before us, until limits are known; 0: none */
};

/* none | reading ─▶ watching ─▶ able ─▶ taking ─▶ settling ─▶ serving ─▶ ours */
enum control_inherit_phase {
    CONTROL_INHERIT_NONE,
    CONTROL_INHERIT_READING,  /* what there is to inherit */
    CONTROL_INHERIT_WATCHING, /* loading beside the process before us */
    CONTROL_INHERIT_ABLE,     /* it may let go */
    CONTROL_INHERIT_TAKING,   /* it has */
    CONTROL_INHERIT_SETTLING, /* a configuration is in force */
    CONTROL_INHERIT_SERVING,  /* we could */
    CONTROL_INHERIT_OURS,
};

/* From the process before us. */
struct control_inherit {
    enum control_inherit_phase phase;
    struct handover_link *link; /* NULL: there is none, or it has ended */
    struct list pools;          /* of sockets, by scope, until somebody asks for them */
    struct loop_timer poll;
    uint64_t settle_ms;
    struct text *drained; /* owned */
    bool *drained_is_address;
    size_t drained_count;
    struct control_rest rest; /* of the process before us */
    struct list questions;
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

    char *program; /* the binary's path, absolute */
    char **arguments;
    struct control_heritage heritages[CONTROL_HERITAGES_MOST];
    size_t heritage_count;
    struct control_upgrade upgrade;
    struct control_inherit inherit;
    struct control_estate estate;
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

/* control_drain.c: at the latest in `window_ms`, once no client is left. The workers were told. */
void control_end_within(struct control *c, int64_t window_ms);
void control_on_worker_ended(void *c);

/* control.c: the services, in their order; ends with a NULL. */
extern const struct service *const control_services[];

/* control_upgrade.c */
void control_upgrade_init(struct control *c);
void control_upgrade_fini(struct control *c);
/* Told to end. True: control_quit() follows once the new process is gone, or is not needed. */
bool control_upgrade_quits(struct control *c);
void control_upgrade_kill(struct control *c);           /* this process ends at once */
bool control_upgrade_is_quiet(const struct control *c); /* of clients that services have */

/* control_estate.c */
MUST_USE bool control_estate_try_send(struct control *c); /* again until it answers true */
void control_estate_take_back(struct control *c);
void control_estate_end(struct control *c); /* we end, and were replaced */
void control_estate_receive(struct control *c, struct text scope, int fd); /* takes it */
void control_estate_apply(struct control *c); /* limits and targets are there */
void control_estate_fini(struct control *c);

/* control_inherit.c */
void control_inherit_init(struct control *c);
void control_inherit_fini(struct control *c);
/* Hears what there is to inherit. False: the process before us ended, or does not say. */
MUST_USE bool control_inherit_begin(struct control *c, struct problems *ps);
void control_inherit_listeners(struct control *c, struct listen_table *table, const char *scope);
/* Sockets were opened: who was before us keeps what is left over. */
void control_inherit_opened(struct control *c);
void control_inherit_refuse(struct control *c, const struct problems *ps);
/* The first configuration is in force. False: nobody is to be let in yet. */
bool control_inherit_on_first(struct control *c);
/* Told to end; and the process before us has ended, so that nothing of it is cut. */
void control_inherit_quit(struct control *c);
bool control_inherit_is_alone(const struct control *c);
void control_inherit_tell(struct control *c, struct text what); /* a sign of life */
/* The process before us ends what began with the key; `done` when it has. False: there is none. */
bool control_inherit_end_key(struct control *c, struct key_handle handle, control_done_fn *done,
                             void *arg);

/* control.c: what this process has. */
struct control_rest control_get_rest(void);

/* control.c: clients are let in from now on. */
void control_begin_serving(struct control *c);

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
