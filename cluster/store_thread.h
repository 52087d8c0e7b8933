/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_thread.h - the thread that talks to Redis and to other nodes: it waits, sends, receives and
 * passes on; nothing on it computes for long.
 *
 * Lifetime: process, with a shared store only. Made and freed by the control thread.
 */
#ifndef CLUSTER_STORE_THREAD_H
#define CLUSTER_STORE_THREAD_H

#include "gatewayd/core/mailbox.h"

struct store_thread;

/* `control` is the mailbox of the control loop. The thread does not run yet: what is made before
 * store_thread_start may be started on its loop by the caller. */
struct store_thread *store_thread_new(struct mailbox *control);
void store_thread_start(struct store_thread *t);

/* Ends the loop and joins the thread. What lives on the loop is then stopped by the caller, on the
 * caller's thread, before store_thread_free. */
void store_thread_stop(struct store_thread *t);
void store_thread_free(struct store_thread **t);

struct loop *store_thread_loop(struct store_thread *t);
struct mailbox *store_thread_mailbox(struct store_thread *t); /* to it; any thread may post */
struct mailbox *store_thread_control(struct store_thread *t); /* back to control */

#endif
