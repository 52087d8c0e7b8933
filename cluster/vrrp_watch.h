/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vrrp_watch.h - the virtual addresses as the other nodes have them: each second every other node
 * is asked, and what its heartbeat says counts, too, so either way may be cut. From it: who would
 * take an address over from this one (ha_note_taker), who has one that this one has (a split brain,
 * ha_set_conflict), who has one whose home is here: that node is asked to give it back; and whether
 * one is to be left to a node that is not its home either (ha_leave).
 *
 * Lifetime: process, with a shared store and the group `ha` in the node file. Control thread.
 */
#ifndef CLUSTER_VRRP_WATCH_H
#define CLUSTER_VRRP_WATCH_H

#include "conf/base/builder.h"
#include "gatewayd/core/loop.h"
#include "gatewayd/ha.h"

struct members;
struct peer_client;
struct vrrp_watch;

/* Borrows all of it; `peers` is NULL without cluster.secret_file: then heartbeats have to do, and
 * nobody is asked to give anything back. */
struct vrrp_watch *vrrp_watch_new(struct loop *loop, struct ha *ha, const struct members *members,
                                  struct peer_client *peers);
void vrrp_watch_start(struct vrrp_watch *w);
void vrrp_watch_free(struct vrrp_watch **w);

/* What a node is answered that asks for this one's: {"state":…,"vrrp":"NAME=master
 * …","home":"NAME=here …"}. */
void vrrp_watch_print(const struct ha *ha, const char *state, struct builder *b);

/* Of "NAME=master NAME=backup": what is said of one name; empty: nothing. */
struct text vrrp_watch_find(struct text vrrp, struct text name);

#endif
