/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_news.h - what an operator is told of the links, in the log: once per change, no more than a
 * line per second and link.
 */
#ifndef CLUSTER_REDIS_NEWS_H
#define CLUSTER_REDIS_NEWS_H

#include "cluster/redis_private.h"
#include "gatewayd/core/loop.h"

#define REDIS_NEWS_REASON_SIZE 1400

/* One link's. */
struct redis_news {
    struct redis_link *link;
    const struct redis_news *main; /* of the link for calls: while it is away, others are silent */
    struct loop_timer timer;
    uint64_t said_ms;
    bool is_up;    /* as said */
    bool has_care; /* as said: an operator must act */
    bool has_said;
    char said[REDIS_NEWS_REASON_SIZE]; /* the reason, or the server */
};

/* `main` NULL: this is it. */
void redis_news_init(struct redis_news *n, struct loop *loop, struct redis_link *link,
                     const struct redis_news *main);
void redis_news_stop(struct redis_news *n);
void redis_news_on_change(struct redis_news *n);

#endif
