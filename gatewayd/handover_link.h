/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handover_link.h - one end of the socketpair between two processes of one node (handover.h):
 * frames and the descriptors beside them, on the control loop, without ever blocking.
 *
 * Lifetime: from _new until _free. Control thread.
 */
#ifndef GATEWAYD_HANDOVER_LINK_H
#define GATEWAYD_HANDOVER_LINK_H

#include "gatewayd/core/loop.h"
#include "gatewayd/handover.h"

struct handover_link;

/* What came with a frame. Who wants a descriptor takes it (_take); the rest are closed. */
struct handover_fds {
    int items[HANDOVER_FDS_MOST]; /* -1 where taken */
    size_t count;
};
int handover_link_take(struct handover_fds *fds, size_t i);

/* A frame that could be read, of any kind. The callee may free the link. */
typedef void handover_frame_fn(void *arg, const struct handover_frame *frame,
                               struct handover_fds *fds);
/* The other side is gone, or says what is no frame; once, nothing follows it. */
typedef void handover_gone_fn(void *arg);

/* Takes `fd` over. From the loop, never from inside a call. */
struct handover_link *handover_link_new(struct loop *loop, int fd, handover_frame_fn *on_frame,
                                        handover_gone_fn *on_gone, void *arg);
void handover_link_free(struct handover_link **link); /* what is still to be sent is not */

/* Sends it as soon as there is room, with copies of the descriptors. Nothing happens once the other
 * side is gone: on_gone says so. */
void handover_link_send(struct handover_link *link, const struct handover_frame *frame,
                        const int *fds, size_t count);

/* In on_gone: something that was sent was not read, so the last of it was not. */
bool handover_link_is_unread(const struct handover_link *link);

#endif
