/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.h - the configuration of one node: its listeners, its admin address, where its state is.
 * Durations are milliseconds, sizes bytes.
 *
 * Lifetime: counted (atomic), in its own arena, never modified after reading.
 */
#ifndef CONF_NODE_H
#define CONF_NODE_H

#include <stdatomic.h>

#include "conf/base/address.h"
#include "conf/base/problem.h"
#include "conf/doc.h"
#include "conf/values.h"

struct schema;

struct node_certificate {
    struct text cert; /* files */
    struct text key;
};

struct node_certificates {
    const struct node_certificate *items;
    size_t count;
};

/* cert and key are one certificate, `certificates` further ones; `all` is both, the first being
 * the one for clients without a known server name. */
struct node_tls {
    struct text cert;
    struct text key;
    struct node_certificates certificates;
    struct node_certificates all; /* derived; at least one */
};

struct node_listener {
    struct text name;
    struct text address;        /* as written */
    const struct node_tls *tls; /* NULL: plain */
    bool proxy_protocol;
    struct address at; /* derived */
};

struct node_listeners {
    const struct node_listener *items;
    size_t count;
};

struct node_admin_tls {
    struct text cert;
    struct text key;
    struct text client_ca; /* empty: client certificates are not asked for */
};

struct node_admin {
    struct text address;
    struct text tokens; /* a file, see tokens.h */
    const struct node_admin_tls *tls;
    struct address at; /* derived */
};

enum node_store { NODE_STORE_EMBEDDED, NODE_STORE_REDIS };

struct node_redis_tls {
    struct text ca;
    struct text cert;
    struct text key;
    struct text server_name;
};

struct node_sentinel {
    struct text master;
    struct text user;
    struct text password_file;
    const struct node_redis_tls *tls;
};

struct node_redis {
    struct texts servers;
    const struct node_sentinel *sentinel;
    struct text user;
    struct text password_file;
    int64_t db;
    const struct node_redis_tls *tls;
    struct text prefix;
    int64_t timeout;
    int64_t replicas;
};

struct node_state {
    enum node_store store;
    struct text dir;
    int64_t history; /* revisions kept */
    int64_t tombstones;
    int64_t max_staleness;          /* 0: serve on */
    const struct node_redis *redis; /* not NULL with NODE_STORE_REDIS */
};

struct node_cluster {
    struct text advertise; /* host:port; the admin address when not set */
    struct text secret_file;
    struct text ca;
    int64_t forget_after;
};

/* Virtual addresses that keepalived moves between nodes. */
struct node_ha {
    struct text addresses; /* a file, see ha_addresses.h */
    struct text folder;    /* of track and state files and the sockets */
};

struct node_max {
    int64_t header_bytes;
    int64_t headers;
    int64_t body_bytes;
    int64_t connections; /* 0: (RLIMIT_NOFILE - 200) / 2 */
};

struct node_timeouts {
    int64_t header;
    int64_t body;
    int64_t idle;
    int64_t drain;
};

enum node_log_level { NODE_LOG_ERROR, NODE_LOG_WARN, NODE_LOG_INFO, NODE_LOG_DEBUG };
enum node_log_format { NODE_LOG_JSON };

struct node_log {
    enum node_log_level level;
    struct text access; /* "stdout", "off" or a path */
    enum node_log_format format;
};

struct node_networks {
    const struct network *items;
    size_t count;
};

struct node_config {
    struct text node;
    int64_t workers; /* 0: one for each CPU the process may use */
    struct node_listeners listeners;
    struct node_admin admin;
    struct node_state state;
    const struct node_cluster *cluster; /* NULL: alone */
    const struct node_ha *ha;           /* NULL: its addresses do not move */
    struct text bootstrap;              /* a file; empty: none */
    struct texts trusted_proxies;       /* as written */
    struct node_max max;
    struct node_timeouts timeouts;
    struct node_log log;
    struct node_networks trusted; /* derived from trusted_proxies */
    /* Not fields: */
    atomic_uint count;
    struct arena arena;
    struct doc set; /* the document as read */
};

extern const struct schema node_schema;

/* Reads and checks one file. NULL and problems (with file and line), or a count of one. Files it
 * names are not opened. */
MUST_USE struct node_config *node_config_read(const char *file, struct problems *ps);
MUST_USE struct node_config *node_config_parse(struct text text, const char *file,
                                               struct problems *ps);
/* Gives each problem that names a field by its path ("listeners.https.tls") but no file yet the
 * line where the deepest part of that path stands in the file that `node` was read from. */
void node_locate(const struct node_config *node, struct problems *ps);
struct node_config *node_config_ref(struct node_config *n);
void node_config_unref(struct node_config **n);

/* What differs between two: calls `visit` for each field that does, with its dotted path, and
 * whether a running node can take it over. */
typedef void node_config_change_fn(void *arg, struct text path, bool is_live);
void node_config_changes(const struct node_config *before, const struct node_config *after,
                         node_config_change_fn *visit, void *arg);

const char *node_log_level_name(enum node_log_level level);

#endif
