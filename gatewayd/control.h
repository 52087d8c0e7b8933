/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.h - the control thread: it owns the configuration in force, the workers, the tables that
 * outlive configurations, readiness, draining and signals.
 *
 * Lifetime: process. One of it. Control thread only, every function, unless it says otherwise:
 * other threads post to control_mailbox().
 */
#ifndef GATEWAYD_CONTROL_H
#define GATEWAYD_CONTROL_H

#include "conf/node.h"
#include "conf/resources.h"
#include "gatewayd/core/mailbox.h"
#include "gatewayd/policy/credentials.h"

struct control;
struct ha;
struct health;
struct limiter;
struct limiter_sharing;
struct listen_table;
struct names;
struct resolve;
struct snapshot;

/* ---- what it owns, for services. Borrowed, as long as the process. -------------------------- */

struct loop *control_loop(struct control *c);
struct mailbox *control_mailbox(struct control *c);              /* any thread may post */
const struct node_config *control_node(const struct control *c); /* until the next reload */
struct credentials *control_credentials(struct control *c);      /* control is its one writer */
struct limiter *control_limiter(struct control *c);
struct listen_table *control_listeners(struct control *c);
struct resolve *control_resolve(struct control *c);
struct health *control_health(struct control *c);
struct ha *control_ha(struct control *c); /* NULL: no group `ha` in the node file */
unsigned control_workers(const struct control *c);

/* What cluster.secret_file holds, read at the start; empty: there is none. Borrowed. */
struct text control_secret(const struct control *c);

/* The configuration in force; NULL while there is none yet. Until the loop's turn ends. */
const struct snapshot *control_snapshot(const struct control *c);
/* Names of the targets that are known. */
const struct names *control_names(const struct control *c);

/* ---- publishing ----------------------------------------------------------------------------- */

/* How publishing ended; `reason` is a sentence when it failed (the configuration before stays in
 * force, the node is behind), else empty. From the loop, never from inside control_publish. */
typedef void control_published_fn(void *arg, bool is_in_force, struct text reason);

/* Compiles `resources` (its own count is taken) in slices, hands it to every worker, and calls
 * `done` (may be NULL) when every worker runs on it, or on a later one: of revisions that arrive
 * while one is being compiled only the newest is, and all of them are answered by it. `revision` is
 * what is shown as in force. Consumers may be given plans of these resources from the return of
 * this call on, not before, and plans that are not among them must have no consumer by the next
 * one. */
void control_publish(struct control *c, struct resources *resources, uint64_t revision,
                     control_published_fn *done, void *arg);

/* What happened up to `revision` since the last control_publish() needs no compiling (consumers,
 * keys) and is in force. */
void control_advance(struct control *c, uint64_t revision);

/* Tells that another revision is in force, or could not be put in force: at the end of a turn, from
 * the loop. For one watcher; NULL: nobody. */
typedef void control_changed_fn(void *arg);
void control_watch(struct control *c, control_changed_fn *fn, void *arg);

/* Something else that nodes tell each other is another: tells who watches, at the end of the turn.
 */
void control_note_change(struct control *c);

/* The keys with this handle were revoked (credentials_revoke): ends every tunnel and long response
 * that began with it, on every worker. `done` (may be NULL) when every worker has. */
typedef void control_done_fn(void *arg);
void control_end_key(struct control *c, struct key_handle handle, control_done_fn *done, void *arg);

/* Buckets of limits are kept behind a port, for all nodes: in prepare, before the first
 * configuration. Fills in how workers are told. The port is there until workers have ended. */
void control_share_limits(struct control *c, const struct limiter_sharing *sharing);

/* ---- state ---------------------------------------------------------------------------------- */

enum control_state { CONTROL_STARTING, CONTROL_READY, CONTROL_DRAINING, CONTROL_BEHIND };
const char *control_state_name(enum control_state state); /* "starting", … */

struct control_status {
    enum control_state state;
    bool is_ready;      /* what /readyz says: ready or behind */
    uint64_t revision;  /* in force */
    struct text reason; /* CONTROL_BEHIND: why the newest could not be applied; CONTROL_STARTING:
                           what is being done or waited for; borrowed */
    int64_t started_at; /* ms since the epoch */
    uint64_t
        connections;    /* of clients, open now; with what a process that was replaced has left: */
    uint64_t exchanges; /* being worked on now */
    uint64_t streams;   /* of them, tunnels */
    uint64_t memory_bytes;
};
struct control_status control_status(const struct control *c);

/* The store is behind for a reason of its own (a revision it cannot read); empty: no longer. */
void control_set_behind(struct control *c, struct text reason);

/* Until the first configuration is in force (later: nothing): what is being done or waited for, a
 * few words ("loading the journal, 43 %"), shown in the status and told to the supervisor. */
void control_set_starting(struct control *c, struct text what);

/* What a service loads after its `start` turned out to be wrong: the problems are logged and the
 * process ends, with status 1. */
void control_refuse_start(struct control *c, const struct problems *ps);

/* Stops being ready; every answer from now on says Connection: close; listeners stay open. And
 * back. `address` (host:port as a listener is configured, or its name): what comes in there only; a
 * virtual address, or its name, is moved to another node; empty: the node, with all its addresses.
 * False: there is none of that address or name. */
MUST_USE bool control_drain(struct control *c, struct text address);
MUST_USE bool control_undrain(struct control *c, struct text address);

/* As SIGTERM: drains, then ends the process with `status`. */
void control_quit(struct control *c, int status);

/* ---- replacing the running binary (gatewayd/README.md) --------------------------------------- */

/* A table of listening sockets that the process after us is to have: before any of it is opened.
 * `scope` (a literal) tells it from others. Those of it that the process before us had are in it
 * now. Until the process ends. */
void control_pass_on(struct control *c, struct listen_table *table, const char *scope);

/* How it ended, in a sentence; from the loop, once. */
typedef void control_upgraded_fn(void *arg, bool is_done, struct text words);

/* Starts the binary on disk in place of this process. `fn` may be NULL. Nothing is begun, and `fn`
 * not called, unless it answers BEGUN. */
enum control_upgrade_begun {
    CONTROL_UPGRADE_BEGUN,
    CONTROL_UPGRADE_BUSY,   /* another one is under way */
    CONTROL_UPGRADE_ENDING, /* this process is about to end */
    CONTROL_UPGRADE_STARTING,
};
enum control_upgrade_begun control_upgrade(struct control *c, control_upgraded_fn *fn, void *arg);

/* The process after us serves: this one only ends what is left. */
bool control_is_replaced(const struct control *c);

/* The process before us still serves: nothing that is on disk is ours yet. */
bool control_is_inheriting(const struct control *c);

/* What can be loaded beside the process before us is loaded: it may let go. */
void control_can_take_over(struct control *c);

/* ---- main ----------------------------------------------------------------------------------- */

/* Takes its own count of `node`. `file` is where it was read from, for SIGHUP. */
struct control *control_new(struct node_config *node, const char *file);

/* argv of main, for an upgrade; borrowed. Before the working folder changes. */
void control_set_program(struct control *c, char **argv);
void control_free(struct control **c);

/* Checks what the node configuration names for gatewayd itself (certificates) and every service
 * (-t). */
MUST_USE bool control_check(const struct node_config *node, struct problems *ps);

/* Binds, starts services and workers, runs until it is told to end, stops everything. Returns the
 * exit status. */
MUST_USE int control_run(struct control *c);

#endif
