/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_history_tail.h - what this node alone had done when the histories parted: put back, as new
 * revisions, where nobody else has changed it since and it still fits; the rest are conflicts.
 *
 * Lifetime: from before the full read until all of it has been settled. Control thread.
 */
#ifndef CLUSTER_REDIS_HISTORY_TAIL_H
#define CLUSTER_REDIS_HISTORY_TAIL_H

#include "conf/base/list.h"
#include "conf/base/must.h"

struct redis_history;
struct redis_history_tail;

/* The entries are read, not kept. `has_common`: how things were before them is how they were in
 * what both histories have; otherwise all of them are conflicts. */
struct redis_history_tail *redis_history_tail_new(struct redis_history *h,
                                                  const struct list *entries, bool has_common);
/* What is left of it is a conflict. */
void redis_history_tail_free(struct redis_history_tail **t);

/* A change is on its way: it cannot be freed. NULL is not busy. */
bool redis_history_tail_is_busy(const struct redis_history_tail *t);

/* This node stands where the shared history does: goes on with what is left, one change after the
 * other; one that cannot be made now is tried again when this is called again. */
void redis_history_tail_go_on(struct redis_history_tail *t);

#endif
