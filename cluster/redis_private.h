/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_private.h - between redis.c and its parts: how links are made, and what they share.
 */
#ifndef CLUSTER_REDIS_PRIVATE_H
#define CLUSTER_REDIS_PRIVATE_H

#include "cluster/redis.h"
#include "cluster/redis_site.h"

struct redis_link_settings {
    const struct redis_access *access;
    struct redis_site *site;
    enum redis_use use;
    /* The state changed between up and away, or the reason did; from the loop. */
    void (*changed)(void *arg, struct redis_link *link);
    void *arg;
};

struct redis_link *redis_link_new(const struct redis_link_settings *settings);
void redis_link_free(struct redis_link **l);

/* Everything that waits is answered now, and whoever asks from now on is told that it is away. */
void redis_link_stop(struct redis_link *l);

/* A round of the site has ended. NULL: no server. */
void redis_link_on_site(struct redis_link *l, const struct redis_server *server);

enum redis_use redis_link_use(const struct redis_link *l);
/* "10.0.0.11:6379" and its version; up. */
const char *redis_link_server(const struct redis_link *l);
const char *redis_link_version(const struct redis_link *l);
bool redis_link_needs_care(const struct redis_link *l);

#endif
