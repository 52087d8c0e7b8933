/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counters.h - the file "counters" of state.dir: what quotas have counted, by bucket. Each save
 * appends the values that changed; now and then all are written anew.
 *
 * Blocking. Scribe thread, or whoever opens it before there is a scribe. The values are whole each
 * (the newest counts), so a crash loses what was counted since the last save and no more.
 */
#ifndef CLUSTER_COUNTERS_H
#define CLUSTER_COUNTERS_H

#include "cluster/state_dir.h"
#include "conf/base/builder.h"
#include "conf/base/problem.h"

struct counters;

typedef void counters_visit_fn(void *arg, struct text identity, struct text value);

/* Opens the file or makes it. NULL and one problem. */
MUST_USE struct counters *counters_open(struct state_dir *dir, struct problems *ps);

/* Before it is written: reads the next piece (some tens of kilobytes) and calls `visit` for what is
 * in it, older values before newer ones of the same identity. DAMAGED with one problem. When
 * FINISHED a torn tail is cut off. */
enum counters_step { COUNTERS_MORE, COUNTERS_FINISHED, COUNTERS_DAMAGED };
MUST_USE enum counters_step counters_read(struct counters *c, counters_visit_fn *visit, void *arg,
                                          struct problems *ps);
void counters_close(struct counters **c);

/* One value, for a batch that is put together in a builder. */
void counters_add(struct builder *batch, struct text identity, struct text value);

/* Appends a batch and makes it durable. False: *why_out; what was there stays. */
MUST_USE bool counters_save(struct counters *c, struct text batch, const char **why_out);

/* The file holds much more than it needs to: the next save should be all values, by
 * counters_replace. */
bool counters_is_long(const struct counters *c);
MUST_USE bool counters_replace(struct counters *c, struct text batch, const char **why_out);

#endif
