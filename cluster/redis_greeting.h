/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_greeting.h - what is said first on a connection to a server, and whether the server will
 * do: AUTH, ROLE, SELECT, INFO, TIME, and a look at one of our keys, all in one go.
 *
 * A server will do if it is a master of version 6.2 or later that has loaded its data, never
 * evicts (maxmemory-policy noeviction), and lets our user see a key of ours.
 */
#ifndef CLUSTER_REDIS_GREETING_H
#define CLUSTER_REDIS_GREETING_H

#include "cluster/redis_reply.h"
#include "cluster/redis_secrets.h"

struct redis_wire;

#define REDIS_GREETING_REASON_SIZE 512
#define REDIS_GREETING_REPLICAS    16
#define REDIS_GREETING_SERVER_SIZE 280 /* a name of 255 bytes, brackets, a port */

enum redis_greeting_role { REDIS_GREETING_MASTER, REDIS_GREETING_REPLICA, REDIS_GREETING_OTHER };

/* What a server said of itself. */
struct redis_facts {
    enum redis_greeting_role role;
    char version[32];
    uint64_t run; /* a number made of its run id; never 0 */
    int64_t time_us;
    char replicas[REDIS_GREETING_REPLICAS][REDIS_GREETING_SERVER_SIZE]; /* a master's, host:port */
    size_t replica_count;
};

enum redis_greeting_result {
    REDIS_GREETING_MORE, /* replies are to come */
    REDIS_GREETING_DONE, /* .facts */
    REDIS_GREETING_BAD   /* .reason; it may get better by itself unless .needs_care */
};

struct redis_greeting {
    const struct node_redis *config;
    size_t step;
    bool has_user;
    struct redis_facts facts;
    char reason[REDIS_GREETING_REASON_SIZE]; /* a clause: "it is a replica …" */
    bool needs_care;                         /* nothing but an operator will change that */
};

/* Sends everything. `config` and `key` (one of our keys) are borrowed; so is `login`, for the
 * call. */
void redis_greeting_start(struct redis_greeting *g, struct redis_wire *w,
                          const struct node_redis *config, const struct redis_login *login,
                          struct text key);

/* For each reply until it is DONE or BAD. */
MUST_USE enum redis_greeting_result redis_greeting_on_reply(struct redis_greeting *g,
                                                            const struct redis_reply *reply);

/* AUTH; false: there is no user and no password, nothing was sent. */
bool redis_greeting_send_auth(struct redis_wire *w, const struct redis_login *login);

/* A host and a port, as servers and sentinels know others, as "host:port"; false if they are not
 * that. */
MUST_USE bool redis_greeting_print_server(struct text host, struct text port,
                                          char into[REDIS_GREETING_SERVER_SIZE]);

/* An error as a clause for people: one line, cut, without bytes that steer a terminal. */
void redis_greeting_print_error(struct text error, char *into, size_t size);

#endif
