/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream.h - a pool of targets as configured. Durations are milliseconds. Lifetime: its resource.
 */
#ifndef CONF_UPSTREAM_H
#define CONF_UPSTREAM_H

#include "conf/base/address.h"
#include "conf/values.h"

struct schema;

enum upstream_balance {
    UPSTREAM_ROUND_ROBIN,
    UPSTREAM_LEAST_REQUESTS,
    UPSTREAM_RANDOM_TWO,
    UPSTREAM_HASH,
};

enum upstream_hash_on {
    UPSTREAM_HASH_CLIENT_IP,
    UPSTREAM_HASH_CONSUMER,
    UPSTREAM_HASH_PATH,
    UPSTREAM_HASH_HEADER,
    UPSTREAM_HASH_COOKIE,
};

enum upstream_protocol { UPSTREAM_HTTP1, UPSTREAM_HTTP2 };
enum upstream_health_type { UPSTREAM_HEALTH_HTTP, UPSTREAM_HEALTH_TCP, UPSTREAM_HEALTH_GRPC };

/* Bits of upstream_retries.on */
enum upstream_retry_on {
    UPSTREAM_RETRY_CONNECT = 1 << 0, /* no connection was made */
    UPSTREAM_RETRY_RESET = 1 << 1,   /* it ended before the head of a response */
    UPSTREAM_RETRY_502 = 1 << 2,
    UPSTREAM_RETRY_503 = 1 << 3,
    UPSTREAM_RETRY_504 = 1 << 4,
};

struct upstream_target {
    struct text address; /* "host:port" or "unix:/path", unique in the upstream */
    int64_t weight;      /* 0 to 256 */
    bool drain;
    bool backup;
    struct host_port at; /* derived: `address` split */
};

struct upstream_targets {
    const struct upstream_target *items;
    size_t count;
};

struct upstream_tls {
    struct text server_name; /* empty: the host of the target */
    bool verify;
    struct text ca;   /* a file; empty: the system's */
    struct text cert; /* a file; empty: none. Set together with key. */
    struct text key;
};

struct upstream_keepalive {
    int64_t idle; /* connections kept for each target and worker */
    int64_t timeout;
    int64_t requests; /* on one connection; 0: no limit */
};

struct upstream_retries {
    int64_t attempts; /* further ones; 0: none */
    uint32_t on;      /* UPSTREAM_RETRY_… */
    int64_t budget;   /* percent of requests */
};

struct upstream_status_range {
    uint16_t first;
    uint16_t last;
};

struct upstream_health {
    enum upstream_health_type type;
    struct text path;
    struct text host; /* empty: the target's address */
    int64_t interval;
    int64_t timeout;
    int64_t healthy_after;
    int64_t unhealthy_after;
    struct texts expect; /* as written: "200-399", "204" */
    /* Derived from expect. */
    const struct upstream_status_range *ranges;
    size_t range_count;
};

struct upstream_outlier {
    int64_t failures;
    int64_t window;
    int64_t eject_for;
    int64_t max_ejected; /* percent */
};

struct upstream {
    struct text name;
    struct upstream_targets targets;
    enum upstream_balance balance;
    struct text hash_on; /* as written; not empty when balance is hash */
    enum upstream_protocol protocol;
    const struct upstream_tls *tls; /* NULL: plain */
    int64_t connect_timeout;
    int64_t response_timeout; /* to the head of the response */
    int64_t idle_timeout;     /* between bytes */
    struct upstream_keepalive keepalive;
    int64_t max_connections; /* of each target, node-wide; 0: no limit */
    struct upstream_retries retries;
    const struct upstream_health *health;   /* NULL: no active checks */
    const struct upstream_outlier *outlier; /* NULL: no passive checks */
    int64_t slow_start;
    /* Derived from hash_on. */
    enum upstream_hash_on hash_what;
    struct text hash_name; /* of the header or cookie */
};

extern const struct schema upstream_schema;

const char *upstream_balance_name(enum upstream_balance balance);

#endif
