/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service.h - what the other rooms plug into the process: the store, the admin API.
 *
 * Each room exports one `const struct service NAME_service`; services.def lists them in the order
 * in which they start (they stop in the reverse order). main calls them by this table only and
 * includes no header of theirs. All calls are on the control thread, which is the process's first.
 */
#ifndef GATEWAYD_SERVICE_H
#define GATEWAYD_SERVICE_H

#include "conf/base/builder.h"
#include "conf/base/problem.h"

struct control;
struct node_config;

struct service {
    const char *name;

    /* Is everything right that the node configuration names for this service (files, folders)?
     * Changes nothing and takes nothing: it runs for -t beside a running node, and before each
     * start. False if and only if it added a problem. May be NULL. */
    bool (*check)(const struct node_config *node, struct problems *ps);

    /* Before the loop runs: open, lock, bind; nothing that takes longer with more resources or
     * keys. Threads may be started. False ends the process with the problems printed; then neither
     * start nor stop is called. */
    bool (*prepare)(struct control *control, struct problems *ps);

    /* The workers wait for a first configuration, the loop is about to run: begin. What has to be
     * loaded is loaded from here on, in slices (the store: then control_publish what it has); the
     * node is "starting" until a first configuration is in force: alive, not ready, hearing
     * signals. control_set_starting() says what it waits for, control_refuse_start() that it cannot
     * be loaded. May be NULL. */
    void (*start)(struct control *control);

    /* SIGHUP: `node` is in force from now on (control_node() gives it). May be NULL. Problems are
     * logged; the service goes on with what it had. */
    void (*reload)(struct control *control, const struct node_config *node, struct problems *ps);

    /* After the drain, workers ended: flush, close, join. May block for a second or two. What is
     * still being loaded is given up. */
    void (*stop)(struct control *control);

    /* ---- another process takes our place (control_upgrade.c), or we take one's
     * (control_inherit.c). Each may be NULL. Listening sockets: control_pass_on(). ---- */

    /* The process after us begins to read what is in our files, or will not after all: what it
     * reads stays in its place meanwhile. */
    void (*keep_still)(struct control *control, bool is_still);

    /* Called again and again until it answers true: nothing is written any more, all that was is
     * durable, locks are let go of. What is asked for meanwhile waits. */
    bool (*try_release)(struct control *control);

    /* What try_release gave up is ours again (the process after us failed), or for the first time
     * (control_is_inheriting() is false from now on): write, speak, listen. */
    void (*resume)(struct control *control);

    /* The process after us serves: what waits is refused, nobody new is let in; those who are there
     * are. is_quiet: nobody is any more. */
    void (*leave)(struct control *control);
    bool (*is_quiet)(const struct control *control);

    /* The process before us has let go. Before that only what can be read without any lock was to
     * be read; nothing is to be written before `resume`. */
    void (*take_over)(struct control *control);

    /* Nothing is missing that the process before us has: clients may be served. */
    bool (*is_settled)(const struct control *control);

    /* Names and versions of the libraries it runs on, a line each ("hiredis 1.2.0"), for -V. May be
     * NULL. */
    void (*versions)(struct builder *b);
};

#define SERVICE(name) extern const struct service name##_service;
#include "gatewayd/services.def"
#undef SERVICE

#endif
