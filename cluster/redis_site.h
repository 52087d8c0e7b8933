/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_site.h - where the server is that everybody uses: the first of the list that will do, or
 * the master that Sentinel names. All links of a process use the same one.
 *
 * It is sought in rounds: at the start, when a link was lost, when Sentinel speaks; again after a
 * failure, with back-off. While nobody doubts the server nothing is asked. The store's thread.
 */
#ifndef CLUSTER_REDIS_SITE_H
#define CLUSTER_REDIS_SITE_H

#include "cluster/redis_probe.h"

struct redis_site;

struct redis_server {
    char name[REDIS_GREETING_SERVER_SIZE]; /* as it was named: "host:port" */
    struct address at;
    struct redis_facts facts;
    uint64_t epoch; /* Sentinel's, 0: not known */
    bool is_named;  /* the sentinels' highest epoch names it */
};

/* From the loop: a round has ended. NULL: no server; see redis_site_reason. */
typedef void redis_site_fn(void *arg, const struct redis_server *server);

struct redis_site *redis_site_new(const struct redis_access *access, redis_site_fn *told,
                                  void *arg);
void redis_site_free(struct redis_site **s);
void redis_site_start(struct redis_site *s);

/* Whether it is still there and still the master is to be looked at; `told` follows. */
void redis_site_doubt(struct redis_site *s);

/* As redis_site_doubt, but this server's data are not what they should be: it is taken again only
 * if there is no other, or Sentinel insists. */
void redis_site_shun(struct redis_site *s, const char *name);

/* NULL: none is known, or it is in doubt and being looked at. */
const struct redis_server *redis_site_server(const struct redis_site *s);

/* Why there is none: clauses; empty if there is one. */
struct text redis_site_reason(const struct redis_site *s);
bool redis_site_needs_care(const struct redis_site *s);

#endif
