/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer_client.h - asks other nodes, over their advertised admin addresses: small signed requests,
 * each with one deadline over all of it, on connections that are kept for a while.
 *
 * Lifetime: process. Control thread, on its loop; nothing blocks, nothing calls back from inside
 * the call that started it.
 */
#ifndef CLUSTER_PEER_CLIENT_H
#define CLUSTER_PEER_CLIENT_H

#include "conf/base/builder.h"
#include "conf/base/digest.h"
#include "conf/base/problem.h"
#include "gatewayd/core/loop.h"
#include "gatewayd/http/message.h"
#include "gatewayd/net/resolve.h"

#define PEER_CLIENT_BODY_MOST ((size_t)8 << 20) /* of an answer */

struct node_config;
struct peer_client;
struct peer_call;

/* Reads cluster.ca and admin.tls (our certificate, for nodes that ask for one). NULL and problems.
 * `resolve` is borrowed; `key` is that of peer_sign.h. */
MUST_USE struct peer_client *peer_client_new(struct loop *loop, struct resolve *resolve,
                                             const struct node_config *node,
                                             const struct digest *key, struct problems *ps);
MUST_USE bool peer_client_check(const struct node_config *node, struct problems *ps);
/* SIGHUP: reads them again, for connections made from then on. What cannot be read stays as it was,
 * and is a problem. */
void peer_client_reload(struct peer_client *c, const struct node_config *node, struct problems *ps);
void peer_client_free(struct peer_client **c); /* stops all calls */

struct peer_answer {
    unsigned status;    /* 0: there was no answer */
    struct text body;   /* borrowed until the function returns */
    struct text reason; /* status 0: why, a few words; borrowed */
};
typedef void peer_answered_fn(void *arg, const struct peer_answer *answer);

/* Borrowed for the call. */
struct peer_request {
    struct text to;      /* the node's name */
    struct text address; /* "host:port", as it advertises; anything else is not asked */
    bool is_tls;
    enum method method;
    struct text path;
    struct text body; /* JSON; empty: none */
    int64_t timeout_ms;
};

/* `answered` is called once, unless the call is stopped; the call is gone then. */
struct peer_call *peer_client_call(struct peer_client *c, const struct peer_request *request,
                                   peer_answered_fn *answered, void *arg);
void peer_call_stop(struct peer_call **call);

/* Addresses that there is a connection or a call to; for tests. */
size_t peer_client_count_places(const struct peer_client *c);

#endif
