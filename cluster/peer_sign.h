/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer_sign.h - requests from node to node are signed with the cluster secret, which is never sent.
 *
 *     Gatewayd-Signature: v1 from=gw-a time=1700000000000 nonce=HEX body=HEX mac=HEX
 *
 * `mac` is HMAC-SHA-256, under a key derived from the secret, over the method, the path with its
 * query, the other fields of the header, and the name of the node the request is for. `body` is the
 * SHA-256 of the body, so a request is judged by its head, before a byte of its body is read; the
 * body is then held against it. A request is good once, and for a minute.
 *
 * Control thread.
 */
#ifndef CLUSTER_PEER_SIGN_H
#define CLUSTER_PEER_SIGN_H

#include "conf/base/digest.h"
#include "conf/base/list.h"
#include "conf/base/map.h"

#define PEER_SIGN_HEADER    "Gatewayd-Signature"
#define PEER_SIGN_SIZE      512
#define PEER_SIGN_WINDOW_MS 60000

/* What is signed. Texts are borrowed. */
struct peer_sign_request {
    struct text method;
    struct text target; /* path, "?" and query */
    struct text from;   /* names of nodes */
    struct text to;
    struct digest body;
};

/* What the cluster secret is for requests; the secret itself is not kept. */
struct digest peer_sign_key(struct text secret);

/* The header's value, for a request that is sent now. */
struct text peer_sign_print(const struct digest *key, const struct peer_sign_request *request,
                            int64_t now_ms, char into[PEER_SIGN_SIZE]);

/* Remembers what was accepted, so that it is accepted once. */
struct peer_sign_guard {
    struct map seen;  /* by nonce */
    struct list ages; /* the oldest first */
    size_t count;
    size_t most; /* of those it remembers; past it everything is refused */
};

void peer_sign_guard_init(struct peer_sign_guard *g, size_t most);
void peer_sign_guard_fini(struct peer_sign_guard *g);

enum peer_sign_verdict {
    PEER_SIGN_GOOD,
    PEER_SIGN_MALFORMED,
    PEER_SIGN_WRONG,    /* another secret, or not what was signed */
    PEER_SIGN_UNTIMELY, /* too old, or the clocks differ by more than a minute */
    PEER_SIGN_REPLAYED,
    PEER_SIGN_CROWDED
};

/* Is the header's value a signature of the request? `from` and `body` of it are filled in from
 * there (`from` borrows from the header). The caller holds the body against the digest. */
enum peer_sign_verdict peer_sign_check(struct peer_sign_guard *g, const struct digest *key,
                                       struct text header, int64_t now_ms,
                                       struct peer_sign_request *request);

/* A clause for logs and answers. Static. */
const char *peer_sign_verdict_name(enum peer_sign_verdict v);

#endif
