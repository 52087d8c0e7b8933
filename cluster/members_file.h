/* SPDX-License-Identifier: Apache-2.0 */
/*
 * members_file.h - the file "members" of state.dir: the other nodes, as they were known last, so
 * that a node that starts while Redis is away knows whom to wait for and whom to tell.
 *
 * Lifetime: process. Control thread; the scribe writes.
 */
#ifndef CLUSTER_MEMBERS_FILE_H
#define CLUSTER_MEMBERS_FILE_H

#include "cluster/members.h"

struct members_file;
struct scribe;
struct state_dir;

/* Loads what is there into the members; all borrowed. What cannot be read is logged and done
 * without. */
struct members_file *members_file_new(struct members *members, struct state_dir *dir);

/* Writes it at once if there is another node, or one is elsewhere: limits are divided by those that
 * are known, also after a restart. One write at a time. `scribe` NULL: not now. */
void members_file_keep(struct members_file *f, struct scribe *scribe);

/* Waits for what is being written. May be NULL inside. */
void members_file_free(struct members_file **f);

#endif
