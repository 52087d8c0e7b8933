/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traffic.h - what went through the gateway between two readings of /metrics, route by route.
 *
 * Lifetime: the later reading's text. One thread.
 */
#ifndef ADMIN_CTL_TRAFFIC_H
#define ADMIN_CTL_TRAFFIC_H

#include "admin/ctl/samples.h"

#define TRAFFIC_CLASSES 5
#define TRAFFIC_BUCKETS 64

struct traffic_bucket {
    double bound; /* seconds; the last one has none */
    double count; /* of those not longer, in this interval */
};

struct traffic_row {
    struct text route;                 /* empty: the whole node */
    double responses[TRAFFIC_CLASSES]; /* 1xx … 5xx, in this interval */
    double limited;
    struct traffic_bucket buckets[TRAFFIC_BUCKETS];
    size_t bucket_count;
};

struct traffic {
    struct traffic_row node;
    struct traffic_row *routes; /* the busiest first */
    size_t count;
    double connections; /* now */
    double exchanges;
};

void traffic_init(struct traffic *t, const struct samples *before, const struct samples *after);
void traffic_fini(struct traffic *t);

/* All responses of the interval. */
double traffic_responses(const struct traffic_row *row);

/* The time, in seconds, that `share` (0 to 1) of the requests stayed below, taken from the buckets;
 * negative if there were none. */
double traffic_quantile(const struct traffic_row *row, double share);

#endif
