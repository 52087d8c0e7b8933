/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_history_tail.h - what this node alone had done when the histories parted: put back, as new
 * revisions, where nobody else has changed it since and it still fits; the rest are conflicts.
 *
 *     kept on the disk ─▶ changes are noted ─▶ full read ─▶ one is put back after the other ─▶ gone
 *
 * Lifetime: from before the full read until all of it has been settled, over restarts. Control
 * thread.
 */
#ifndef CLUSTER_REDIS_HISTORY_TAIL_H
#define CLUSTER_REDIS_HISTORY_TAIL_H

#include <stdint.h>

#include "conf/base/list.h"
#include "conf/base/must.h"

struct redis_history;
struct redis_history_tail;

struct redis_history_tail *redis_history_tail_new(struct redis_history *h);
/* Without a word: what is on the disk stays. */
void redis_history_tail_free(struct redis_history_tail **t);
/* What is left of it is a conflict, unless it is still in this node's journal; on the disk it ends.
 * Not while it is busy. */
void redis_history_tail_give_up(struct redis_history_tail **t);
void redis_history_tail_stop(struct redis_history_tail *t); /* NULL: nothing */

/* Takes the entries out of the list. `common`: the last one that both histories have, 0 if there is
 * none. `is_trimmed`: what others did since is not known, so that nothing can be put back: all that
 * is not there are conflicts. `done`, from the loop, when it is on the disk. */
typedef void redis_history_tail_kept_fn(void *h);
void redis_history_tail_keep(struct redis_history_tail *t, struct list *entries, uint64_t common,
                             bool is_trimmed, redis_history_tail_kept_fn *done);

/* What the process before has left, if it has; then it goes on by itself. */
void redis_history_tail_load(struct redis_history_tail *t);

/* It cannot be freed now. NULL is not busy. */
bool redis_history_tail_is_busy(const struct redis_history_tail *t);

/* This node stands where the shared history does: goes on with what is left, one change after the
 * other; one that cannot be made now is tried again when this is called again. */
void redis_history_tail_go_on(struct redis_history_tail *t);

/* Conflicts are on the disk: how far it is may be, too. */
void redis_history_tail_on_saved(struct redis_history_tail *t);

#endif
