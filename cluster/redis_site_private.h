/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_site_private.h - between the files that seek the server.
 */
#ifndef CLUSTER_REDIS_SITE_PRIVATE_H
#define CLUSTER_REDIS_SITE_PRIVATE_H

#include "cluster/redis_backoff.h"
#include "cluster/redis_site.h"
#include "gatewayd/core/loop.h"

#define REDIS_SITE_PROBE_MS    1000
#define REDIS_SITE_REASON_SIZE 1024

struct redis_site_sentinels;

struct redis_site {
    const struct redis_access *access;
    redis_site_fn *told;
    void *arg;
    struct redis_server server; /* the last one that was found; .name empty: none yet */
    bool has_server;
    bool is_seeking;
    bool is_asked_again; /* during a round that may not know it */
    struct redis_backoff backoff;
    struct loop_timer retry;
    char reason[REDIS_SITE_REASON_SIZE];
    bool needs_care;
    char shunned[REDIS_GREETING_SERVER_SIZE]; /* empty: none */
    struct redis_probe *probe;                /* of the list */
    size_t order[66]; /* in which the list is tried; see redis_site_list.c */
    size_t order_count;
    size_t order_now;
    struct redis_site_sentinels *sentinels; /* NULL: the list is of servers */
};

/* A round over the list of servers. */
void redis_site_list_start(struct redis_site *s);
void redis_site_list_stop(struct redis_site *s);

/* With Sentinel. */
struct redis_site_sentinels *redis_site_sentinels_new(struct redis_site *s);
void redis_site_sentinels_free(struct redis_site_sentinels **sentinels);
void redis_site_sentinels_start(struct redis_site *s); /* listens to them; before the first round */
void redis_site_sentinels_start_round(struct redis_site *s);

/* As redis_site_doubt; during a round another one follows it. */
void redis_site_ask_again(struct redis_site *s);

/* Adds a clause about a server to the reason of a round that finds none. */
void redis_site_complain(struct redis_site *s, struct text server, struct text clause);

/* Ends the round: the server (copied), or NULL and the clauses. */
void redis_site_conclude(struct redis_site *s, const struct redis_server *found);

#endif
