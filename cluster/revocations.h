/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revocations.h - revoking a key while the shared store is away: durable and in force here, told to
 * every known node directly, and told to the shared history once it can be.
 *
 *     store_revoke ─▶ told to each known node ─▶ done (who has not confirmed)
 *         │                    └── not confirmed: again, until it is, or the history says it
 *         └── the store is back ─▶ a commit of what is unshared, by whichever node comes first
 *
 * Lifetime: process, with a shared store only. Control thread.
 */
#ifndef CLUSTER_REVOCATIONS_H
#define CLUSTER_REVOCATIONS_H

#include "cluster/store.h"
#include "gatewayd/core/loop.h"

struct members;
struct peer_client;
struct revocations;

#define REVOCATIONS_PATH      "/v1/cluster/revocations"
#define REVOCATIONS_BODY_MOST STORE_REVOKE_MOST /* in one request */

/* `peers` NULL: nobody can be told directly. `node`: our name, borrowed. */
struct revocations *revocations_new(struct loop *loop, struct members *members,
                                    struct peer_client *peers, struct text node);
void revocations_start(struct revocations *r); /* the store is there */
void revocations_stop(struct revocations *r);  /* answers what waits; may take a second or two */
void revocations_free(struct revocations **r);

/* Borrowed until the function returns. */
struct revocations_outcome {
    enum store_outcome outcome; /* as store_revoke */
    struct text reason;
    const struct text *pending; /* nodes that did not confirm */
    size_t pending_count;
};
typedef void revocations_done_fn(void *arg, const struct revocations_outcome *outcome);

/* Answers once all known nodes have confirmed, or after `timeout_ms`. */
void revocations_revoke(struct revocations *r, const struct store_revocation *item,
                        int64_t timeout_ms, revocations_done_fn *done, void *arg);

/* The history says it; those who do not seem to follow are told all the same, as often as it takes.
 */
void revocations_tell_unseen(struct revocations *r, const struct store_revocation *item);

/* ---- the body of a request between nodes ---- */

void revocations_print(const struct store_revocation *items, size_t count, struct builder *b);
/* At most REVOCATIONS_BODY_MOST, in the arena. False: it is no such body. */
MUST_USE bool revocations_parse(struct text json, struct arena *arena,
                                struct store_revocation **items_out, size_t *count_out);

/* What the history does not say yet. */
size_t revocations_waiting(const struct revocations *r);

#endif
