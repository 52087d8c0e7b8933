/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_ear.h - a subscription to one sentinel, kept up: hears when the master changes, and when
 * something may have been missed. The store's thread.
 */
#ifndef CLUSTER_REDIS_EAR_H
#define CLUSTER_REDIS_EAR_H

#include "cluster/redis_probe.h"

struct redis_ear;

/* From the loop: the sentinel switched our master, or listens to us again after a while. */
typedef void redis_ear_fn(void *arg);

struct redis_ear *redis_ear_start(const struct redis_access *access, struct text sentinel,
                                  redis_ear_fn *heard, void *arg);
void redis_ear_stop(struct redis_ear **e);

#endif
