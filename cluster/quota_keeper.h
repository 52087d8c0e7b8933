/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quota_keeper.h - what quotas have counted, from the limiter to the file "counters": what changed
 * each second, and at the end.
 *
 * Lifetime: its service. Control thread.
 */
#ifndef CLUSTER_QUOTA_KEEPER_H
#define CLUSTER_QUOTA_KEEPER_H

#include "cluster/scribe.h"
#include "cluster/state_dir.h"
#include "cluster/store_port.h"
#include "conf/base/problem.h"

struct limiter;
struct quota_keeper;

/* Opens the file. NULL and one problem. */
MUST_USE struct quota_keeper *quota_keeper_new(struct state_dir *dir, struct limiter *limiter,
                                               struct loop *loop, struct problems *ps);

/* Loads what was kept into the limiter, in slices; before there are requests. */
void quota_keeper_load(struct quota_keeper *k, store_loaded_fn *done, void *arg);

/* After it was loaded. */
void quota_keeper_start(struct quota_keeper *k, struct scribe *scribe);

/* Saves what there is and no more, and says whether it has: call it again until it has. Then the
 * file may be another process's. _resume: it is ours again, or for the first time. */
MUST_USE bool quota_keeper_try_release(struct quota_keeper *k);
void quota_keeper_resume(struct quota_keeper *k);

/* Posts the last save to the scribe, whose jobs must be waited for before quota_keeper_free. */
void quota_keeper_stop(struct quota_keeper *k);
void quota_keeper_free(struct quota_keeper **k);

#endif
