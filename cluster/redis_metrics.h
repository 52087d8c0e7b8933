/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_metrics.h - what is counted of the links, for /metrics: printed once there is a Redis.
 *
 * One set for the process. Counting: the store's thread; printing: control.
 */
#ifndef CLUSTER_REDIS_METRICS_H
#define CLUSTER_REDIS_METRICS_H

#include "cluster/redis.h"

void redis_metrics_start(void); /* from now on they are printed; control */

void redis_metrics_count(enum redis_use use, enum redis_outcome outcome); /* a call's end */
void redis_metrics_on_up(enum redis_use use);
void redis_metrics_on_lost(enum redis_use use);

#endif
