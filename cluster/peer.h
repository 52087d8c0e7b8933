/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer.h - what a node says of itself to the others: a line of JSON, so that newer versions can
 * say more. Pure; any thread.
 */
#ifndef CLUSTER_PEER_H
#define CLUSTER_PEER_H

#include "conf/base/arena.h"
#include "conf/base/builder.h"

/* Texts are borrowed; what a node did not say is empty or 0. */
struct peer {
    struct text name;        /* of the node */
    struct text incarnation; /* of the process: 16 hexadecimal digits */
    struct text version;
    struct text address; /* where its admin API is reached */
    bool is_tls;         /* and how */
    struct text host;    /* the same for processes that share a loopback interface */
    struct text state;   /* as control_state_name() */
    struct text reason;
    int64_t started_at;   /* ms since the epoch, by its clock */
    uint64_t schema;      /* the version of the schema it knows */
    uint64_t revision;    /* that it applies */
    struct text entry_id; /* of that revision, hexadecimal */
    struct text vrrp;     /* "NAME=master NAME=backup": its virtual addresses */
};

void peer_print(const struct peer *m, struct builder *b);

/* False: no JSON object with a name. What is there of unknown or wrong members is skipped. */
MUST_USE bool peer_parse(struct text json, struct arena *arena, struct peer *out);

#endif
