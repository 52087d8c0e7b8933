/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask_nodes.h - the same question to every other node, for an answer made of all of theirs: the
 * items of each are put behind our own; who cannot be asked in time is named, with the reason.
 *
 * Lifetime: the call. Control thread.
 */
#ifndef ADMIN_ASK_NODES_H
#define ADMIN_ASK_NODES_H

#include "admin/call.h"

/* call->out holds `{…,"items":[` and our own items. Asks for `path` (which nodes take from each
 * other), adds what stands in the items of each answer, closes list and object, and replies. */
void ask_nodes_reply(struct call *call, struct text path);

#endif
