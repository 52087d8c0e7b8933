/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holders.h - the exchanges of one worker that outlive their look-up of a key: tunnels, streams,
 * long responses. When the key is revoked they are told.
 *
 * Control revokes (credentials_revoke), then posts the handle to every worker, which calls
 * holders_end(). An exchange that got its key before the revocation and joins after it learns so
 * from holders_add(): none slips through. One worker's thread only.
 */
#ifndef GATEWAYD_POLICY_HOLDERS_H
#define GATEWAYD_POLICY_HOLDERS_H

#include "conf/base/list.h"
#include "gatewayd/policy/credentials.h"

#define HOLDERS_BUCKETS 1024

struct holder;

/* The key is gone. The holder has been taken out already; closing belongs to the loop's end of
 * turn or later, not into this call. */
typedef void holder_end_fn(struct holder *holder);

/* Lifetime: exchange; embedded in what holds the key. */
struct holder {
    struct list node;
    struct key_handle handle;
    holder_end_fn *on_end;
};

/* Lifetime: worker. */
struct holders {
    const struct credentials *credentials;
    size_t count;
    struct list buckets[HOLDERS_BUCKETS];
};

void holders_init(struct holders *hs, const struct credentials *c);

/* Before holders_add() or holders_remove(). */
void holder_init(struct holder *holder, holder_end_fn *on_end);

/* False: the key was revoked or expired meanwhile and the holder was not added. */
MUST_USE bool holders_add(struct holders *hs, struct holder *holder, struct key_handle handle,
                          int64_t now);
void holders_remove(struct holders *hs, struct holder *holder); /* also when it is in none */

/* Tells and takes out everyone who holds the key; returns how many. */
size_t holders_end(struct holders *hs, struct key_handle handle);

#endif
