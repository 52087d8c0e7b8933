/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve.h - host names to addresses, asynchronously, with real TTLs.
 *
 * One resolver on one loop (control's). A and AAAA records and /etc/hosts; the name servers of
 * resolv.conf, or those in GATEWAYD_NAME_SERVERS ("127.0.0.1:5353,…"). Callbacks come from the
 * loop, never from inside a call.
 */
#ifndef GATEWAYD_NET_RESOLVE_H
#define GATEWAYD_NET_RESOLVE_H

#include "conf/base/address.h"
#include "gatewayd/core/loop.h"

enum resolve_result {
    RESOLVE_OK,
    RESOLVE_NO_NAME, /* the name servers say there is no such name, or it has no address */
    RESOLVE_FAILED,  /* no usable answer: keep what was known, try again later */
};

#define RESOLVE_MAX_ADDRESSES 256
#define RESOLVE_MIN_TTL_MS    1000
#define RESOLVE_MAX_TTL_MS    3600000

struct resolve_answer {
    enum resolve_result result;
    const struct address *addresses; /* sorted, each once, with the port asked for */
    size_t count;
    int64_t ttl_ms;  /* ask again after; also for failures */
    const char *why; /* a few words, for RESOLVE_NO_NAME and RESOLVE_FAILED */
};

/* The answer is borrowed until the function returns. The query is gone when it is called. */
typedef void resolve_fn(void *arg, const struct resolve_answer *answer);

struct resolve;
struct resolve_query;

/* `servers` may be empty: the environment's or the system's. NULL: the library cannot start
 * (logged). */
MUST_USE struct resolve *resolve_new(struct loop *loop, struct text servers);
void resolve_free(struct resolve **r); /* cancels all queries */

/* Always answered once, unless cancelled. An IP literal is answered too (with RESOLVE_MAX_TTL_MS).
 */
struct resolve_query *resolve_query_start(struct resolve *r, struct text name, uint16_t port,
                                          resolve_fn *fn, void *arg);
void resolve_query_stop(struct resolve_query **q);

/* "c-ares 1.18.1". Static. */
const char *resolve_library_version(void);

#endif
