/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handover_child.h - starting the process that is to take the place of this one.
 *
 * Who starts a program is suspended until the child runs it, for they share their memory up to then
 * (vfork(2); a copy of it would cost every thread its page tables). That may take as long as the
 * file system on which the program is, or somebody who stops the child. So it is a thread of its
 * own that waits.
 *
 * Lifetime: from _start until it has said what came of it, or _free. Control thread.
 */
#ifndef GATEWAYD_HANDOVER_CHILD_H
#define GATEWAYD_HANDOVER_CHILD_H

#include "conf/base/must.h"
#include "gatewayd/core/mailbox.h"

struct handover_child;

/* It runs the program as `pid`; or it could not be started, `error` (errno) being why. If it was
 * killed before it ran the program, waitpid(2) tells. The child is freed after it. */
typedef void handover_child_fn(void *arg, int pid, int error);

/* All signals reset, and nothing open but `fd` (which is closed here) and the standard ones; the
 * environment is ours, with the variable that names it. `arguments` are borrowed for good. Told
 * through `mailbox`. NULL: there is no thread to be had. */
struct handover_child *handover_child_start(const char *program, char *const *arguments, int fd,
                                            struct mailbox *mailbox, handover_child_fn *fn,
                                            void *arg);

/* Before it runs the program: it is told soon. */
void handover_child_kill(const struct handover_child *child);

/* Nothing is told any more, and the child is killed whenever it can be. The mailbox's loop turns
 * once more. */
void handover_child_free(struct handover_child **child);

#endif
