/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster.h - what this process has of the cluster, for whoever asks: the store and limits below,
 * the admin API above. Filled in by the services "store" (what is shared) and "cluster".
 *
 * Lifetime: process. Control thread, but for cluster_member_count.
 */
#ifndef CLUSTER_CLUSTER_H
#define CLUSTER_CLUSTER_H

#include "cluster/peer_sign.h"

struct members;
struct peer_client;
struct redis;
struct revocations;
struct scribe;
struct state_dir;
struct store_thread;

#define CLUSTER_FORGET_AFTER_MS ((int64_t)3600 * 1000) /* without a group `cluster` */

/* `reason`: why it was not done, or empty: there is another process of that name. */
typedef void cluster_removed_fn(void *arg, bool is_done, struct text reason);

struct cluster {
    /* By the service "store", before this one is prepared; `thread` and `redis` are NULL with the
     * embedded store, `scribe` until all is loaded. */
    struct store_thread *thread;
    struct redis *redis;
    struct scribe *scribe;
    struct state_dir *dir;
    /* By the service "cluster". */
    struct members *members;         /* NULL: there are no others, ever */
    struct peer_client *peers;       /* NULL: no cluster.secret_file */
    struct revocations *revocations; /* NULL: with the embedded store */
    struct digest key;               /* of requests between nodes; with `peers` */
    struct peer_sign_guard guard;
    char incarnation[17]; /* of this process */
    void (*hurry)(void);  /* somebody waits for others, or nobody any more */
    bool (*remove_node)(struct text name, struct text incarnation, cluster_removed_fn *removed,
                        void *arg);
};

/* Never NULL. */
struct cluster *cluster_get(void);

/* Known nodes that are not gone for good, this one included; at least 1. Any thread, once the
 * services have started. */
size_t cluster_member_count(void);

/* Is it signed by a node of ours, for this one? Fills in .from and .body. */
enum peer_sign_verdict cluster_judge(struct text header, int64_t now_ms,
                                     struct peer_sign_request *request);

#endif
