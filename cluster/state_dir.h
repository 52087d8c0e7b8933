/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_dir.h - the folder that holds a node's state, and the lock by which one process at a time
 * writes to it.
 *
 * Lifetime: process. The lock belongs to the open file "lock" in the folder, so it ends with the
 * process however that ends.
 */
#ifndef CLUSTER_STATE_DIR_H
#define CLUSTER_STATE_DIR_H

#include <stdint.h>

#include "conf/base/problem.h"
#include "conf/base/text.h"

struct state_dir {
    int fd;
    int lock_fd; /* -1: not locked */
    char *path;
    int64_t fresh_ms; /* since the epoch: state_dir_set_fresh, of a process before too */
};

/* NULL and one problem when it is missing, not a folder, not writable, or others may write to it.
 */
MUST_USE struct state_dir *state_dir_open(struct text path, struct problems *ps);
void state_dir_close(struct state_dir **d);

/* False and one problem, naming the process, when another one holds it. */
MUST_USE bool state_dir_lock(struct state_dir *d, struct problems *ps);
void state_dir_unlock(struct state_dir *d);

/* What is here now is all there is, wherever the authority is: kept as the time of the lock's last
 * change, so that it outlives the process. Any number of times; nothing while it is not locked. */
void state_dir_set_fresh(struct state_dir *d);

/* Opens a file of it for reading and writing: *fd_out is -1 when there is none. False and one
 * problem when it cannot be opened, is no plain file, is not ours or is open to others. */
MUST_USE bool state_dir_open_file(const struct state_dir *d, const char *name, int *fd_out,
                                  struct problems *ps);

#endif
