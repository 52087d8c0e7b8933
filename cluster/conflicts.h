/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conflicts.h - revisions of this node that could not be merged into the shared history, for people
 * to look at: listed, and kept in the file `conflicts` of state.dir, until the history has gone on
 * for as long as it is kept (state.history).
 *
 * Lifetime: its history. Control thread; the file is written by the scribe.
 */
#ifndef CLUSTER_CONFLICTS_H
#define CLUSTER_CONFLICTS_H

#include "cluster/scribe.h"
#include "cluster/state_dir.h"
#include "gatewayd/core/loop.h"

#define CONFLICTS_MOST 1000 /* further ones are in the log only */

struct conflicts;

/* `dir` is borrowed. `saved` is called from the loop after each write, which may have failed. */
struct conflicts *conflicts_new(struct state_dir *dir, struct loop *loop, void (*saved)(void *arg),
                                void *arg);
void conflicts_free(struct conflicts **at); /* after conflicts_stop */

/* What a process before has left in the folder, which is ours by now. From then on it is written.
 */
void conflicts_start(struct conflicts *c, struct scribe *scribe);
void conflicts_stop(struct conflicts *c); /* waits for the scribe */

/* `at`: the revision that is in force here now. */
void conflicts_add(struct conflicts *c, uint64_t revision, uint64_t at);

/* Those that were noted before `oldest`, the oldest revision that is kept. */
void conflicts_forget(struct conflicts *c, uint64_t oldest);

/* All of them are on the disk, or will be before what the scribe is given next. False: `saved` is
 * called when that is so. */
MUST_USE bool conflicts_try_save(struct conflicts *c);

const uint64_t *conflicts_get(const struct conflicts *c, size_t *count_out);

#endif
