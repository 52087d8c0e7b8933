/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk.h - the few system calls by which state becomes durable, in one place, so that tests can
 * let each of them fail or end the process there.
 *
 * Blocking: for the scribe thread, and for start-up. No object, any thread.
 */
#ifndef CLUSTER_DISK_H
#define CLUSTER_DISK_H

#include <stddef.h>
#include <stdint.h>

#include "conf/base/must.h"
#include "conf/base/text.h"

enum disk_result {
    DISK_DONE,
    DISK_FULL,  /* no space, quota or file size limit: it may work later */
    DISK_BROKEN /* anything else */
};

/* Each sets *why_out (a static clause such as "No space left on device") unless DISK_DONE. */
MUST_USE enum disk_result disk_write(int fd, struct text bytes, uint64_t at, const char **why_out);
MUST_USE enum disk_result disk_sync(int fd, const char **why_out); /* fdatasync */
MUST_USE enum disk_result disk_truncate(int fd, uint64_t size, const char **why_out);
MUST_USE enum disk_result disk_rename(int dir_fd, const char *from, const char *to,
                                      const char **why_out);
MUST_USE enum disk_result disk_sync_dir(int dir_fd, const char **why_out);

/* Creates a file of mode 0600 that did not exist; *fd_out is the caller's to close. */
MUST_USE enum disk_result disk_create(int dir_fd, const char *name, int *fd_out,
                                      const char **why_out);

/* Reads at most `size` bytes; fewer only at the end of the file. */
MUST_USE enum disk_result disk_read(int fd, void *into, size_t size, uint64_t at,
                                    size_t *length_out, const char **why_out);

/* ---- for tests ---- */

enum disk_call {
    DISK_CALL_WRITE,
    DISK_CALL_SYNC,
    DISK_CALL_TRUNCATE,
    DISK_CALL_RENAME,
    DISK_CALL_SYNC_DIR,
    DISK_CALL_CREATE
};

/* Asked before each call that changes something: 0 lets it pass, an errno makes it fail. It may
 * shorten *length (of a write; what is left is written before the error is given), or not return
 * at all. NULL takes the hook away. Process-wide. */
typedef int disk_fault_fn(enum disk_call call, size_t *length);
void disk_set_fault(disk_fault_fn *fault);

#endif
