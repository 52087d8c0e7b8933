/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listen.h - listening sockets and accepting from them.
 *
 * The descriptors live in one table of the process, so that they can be handed to the next process:
 * a TCP address has one per worker (SO_REUSEPORT), a unix address or a socket given by systemd has
 * one that all workers accept from. They are never shut down, and leave epoll before they are
 * closed. The table belongs to control; an acceptor to its worker.
 */
#ifndef GATEWAYD_NET_LISTEN_H
#define GATEWAYD_NET_LISTEN_H

#include <stdatomic.h>

#include "conf/base/address.h"
#include "conf/base/problem.h"
#include "gatewayd/core/loop.h"

/* ---- the table ------------------------------------------------------------------------------ */

/* The descriptors of one listener. */
struct listen_entry {
    struct list node;
    char *name;
    struct address address; /* with the port that was really bound */
    struct address asked;   /* as it is configured; of what was given: once it is opened */
    int *fds;
    unsigned count;     /* of fds; 1 if shared */
    unsigned listening; /* the first so many listen */
    bool is_shared;     /* every worker accepts from fds[0] */
    bool is_given;      /* by systemd: it outlives us */
    bool is_inherited;  /* from the process before us */
    bool is_opened;     /* somebody has a use for it */
    bool is_passed_on;  /* to the process after us: it accepts from now on */
};

struct listen_table {
    struct list entries;
    bool is_waiting; /* what is bound does not listen before listen_table_listen */
};

void listen_table_init(struct listen_table *t);
void listen_table_fini(struct listen_table *t); /* closes all; acceptors must be stopped */

/* Binds and listens, `workers` times. Descriptors already given for this name or address, or
 * inherited for this address, are taken instead; the rest is added. NULL and a problem if it cannot
 * ("address already in use"). */
MUST_USE struct listen_entry *listen_table_open(struct listen_table *t, struct text name,
                                                const struct address *address, unsigned workers,
                                                struct place place, struct problems *ps);

/* Descriptors that come from elsewhere (taken over, even if they are of no use: then closed). A
 * name may be empty. Several calls for one address add up. */
void listen_table_give(struct listen_table *t, struct text name, int fd);

/* The same from the process before us: as it was configured there, and whether systemd gave it to
 * that one. Taken over by listen_table_open() for the same address as configured. */
struct listen_heirloom {
    struct text name;
    struct address asked;
    bool is_given;
    int fd;
};
void listen_table_inherit(struct listen_table *t, const struct listen_heirloom *heirloom);

/* All that is in `from` is in `t` from now on. */
void listen_table_move(struct listen_table *t, struct listen_table *from);

/* Those that were opened begin to listen, unless they do. A socket that listens beside others of
 * its address gets its share of who comes: not before somebody accepts. */
void listen_table_listen(struct listen_table *t);

/* Closes those that were inherited and that nobody has opened. */
void listen_table_drop_unopened(struct listen_table *t);
/* Closes those that were passed on; no acceptor may be on them. */
void listen_table_drop_passed_on(struct listen_table *t);

/* Those systemd passed ($LISTEN_FDS, $LISTEN_FDNAMES), once, at start. Returns how many. */
unsigned listen_table_take_systemd(struct listen_table *t);

/* No handshake begins any more on the descriptors that are ours alone, but those that have begun
 * may end: so what is queued can be accepted to the last before the table is closed, where a queue
 * that is closed resets everyone in it. A client that comes later tries again by itself, and finds
 * the address closed or served by the next process. A unix socket's file goes. For good: not for
 * descriptors that another process goes on with, so those that were given or passed on are left
 * alone. */
void listen_table_hold_handshakes(struct listen_table *t);

struct listen_entry *listen_table_find(struct listen_table *t, struct text name);
void listen_table_close(struct listen_table *t, struct listen_entry *entry);

/* The descriptor of worker number `worker`. With more descriptors than workers the first workers
 * have several: ask for `nth` 0, 1 … until -1. */
int listen_entry_fd(const struct listen_entry *e, unsigned worker, unsigned workers, unsigned nth);

/* ---- how many connections ------------------------------------------------------------------- */

/* Node-wide; shared by all acceptors. */
struct listen_budget {
    atomic_uint used;
    atomic_uint max; /* 0: no limit */
};

void listen_budget_init(struct listen_budget *b, unsigned max);
void listen_budget_give(struct listen_budget *b); /* a connection that was accepted has ended */
unsigned listen_budget_used(const struct listen_budget *b);
/* What contract §2 says for max.connections = 0: (RLIMIT_NOFILE - 200) / 2. */
unsigned listen_budget_default(void);

/* ---- accepting ------------------------------------------------------------------------------ */

/* `fd` is the callee's: non-blocking, close-on-exec, TCP_NODELAY. It counts in the budget until
 * listen_budget_give. */
typedef void listen_fn(void *arg, int fd, const struct address *peer);

struct listen_acceptor {
    struct loop_watch watch;
    struct loop_timer retry; /* while paused */
    struct listen_budget *budget;
    listen_fn *fn;
    void *arg;
    bool is_started;
    bool is_held; /* paused by its owner */
};

#define LISTEN_BATCH 16

/* Accepts up to LISTEN_BATCH connections per turn. `budget` may be NULL. Out of descriptors or at
 * the budget's end accepting pauses (counted) and is tried again every 20 ms. */
void listen_acceptor_start(struct listen_acceptor *a, struct loop *loop, int fd,
                           struct listen_budget *budget, listen_fn *fn, void *arg);
void listen_acceptor_finish(struct listen_acceptor *a); /* accepts all that is queued, and stops */
void listen_acceptor_stop(struct listen_acceptor *a);   /* idempotent; the descriptor stays open */
void listen_acceptor_hold(struct listen_acceptor *a);   /* and go on: */
void listen_acceptor_resume(struct listen_acceptor *a);

#endif
