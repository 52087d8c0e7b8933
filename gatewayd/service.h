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

    /* Names and versions of the libraries it runs on, a line each ("hiredis 1.2.0"), for -V. May be
     * NULL. */
    void (*versions)(struct builder *b);
};

#define SERVICE(name) extern const struct service name##_service;
#include "gatewayd/services.def"
#undef SERVICE

#endif
