/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.c - the tables of the node file. Reading it is in node_config.c.
 */
#include "conf/node.h"

#include "conf/grammar.h"
#include "conf/node_private.h"
#include "conf/schema.h"

#define SECOND (1000LL)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)
#define YEAR   (366 * DAY)

/* ---- listeners ---- */

static const struct field certificate_fields[] = {
    FIELD_PATH(struct node_certificate, cert, .flags = FIELD_REQUIRED | FIELD_LIVE,
               .summary = "File of a certificate chain, PEM.",
               .example = "\"/etc/gatewayd/tls/fullchain.pem\""),
    FIELD_PATH(struct node_certificate, key, .flags = FIELD_REQUIRED | FIELD_LIVE,
               .summary = "File of its key, PEM.", .example = "\"/etc/gatewayd/tls/key.pem\""),
};

static const struct schema certificate_schema = {
    .name = "certificate",
    .summary = "A certificate, chosen by the server names in it.",
    .fields = certificate_fields,
    .count = ARRAY_LENGTH(certificate_fields),
    .size = sizeof(struct node_certificate),
};

static const struct field tls_fields[] = {
    FIELD_PATH(struct node_tls, cert, .flags = FIELD_LIVE,
               .summary = "File of the certificate chain, PEM; also for clients that ask for no "
                          "name known here.",
               .example = "\"/etc/gatewayd/tls/fullchain.pem\""),
    FIELD_PATH(struct node_tls, key, .flags = FIELD_LIVE, .summary = "File of the key of `cert`.",
               .example = "\"/etc/gatewayd/tls/key.pem\""),
    FIELD_GROUPS(struct node_tls, certificates, struct node_certificate, &certificate_schema,
                 .flags = FIELD_LIVE, .maximum = 10000,
                 .summary = "Further certificates, chosen by server name (SNI).",
                 .example = "[{\"cert\": \"/etc/a.pem\", \"key\": \"/etc/a.key\"}]"),
};

static const struct schema tls_schema = {
    .name = "listener_tls",
    .summary = "TLS of a listener.",
    .fields = tls_fields,
    .count = ARRAY_LENGTH(tls_fields),
    .size = sizeof(struct node_tls),
    .check = node_check_tls,
};

static const struct field listener_fields[] = {
    FIELD_NAME(struct node_listener, name, .flags = FIELD_REQUIRED,
               .summary = "Unique name, for logs and metrics.", .example = "\"https\""),
    FIELD_TEXT(
        struct node_listener, address, .flags = FIELD_REQUIRED, .check = node_check_address,
        .summary =
            "Where to listen: `IP:port`, `[IPv6]:port` (`[::]` is IPv6 alone) or `unix:/path`.",
        .example = "\"0.0.0.0:8443\""),
    FIELD_OPTIONAL(struct node_listener, tls, struct node_tls, &tls_schema, .flags = FIELD_LIVE,
                   .summary = "TLS; plain when not set.",
                   .example = "{\"cert\": \"/etc/gatewayd/tls/fullchain.pem\", \"key\": "
                              "\"/etc/gatewayd/tls/key.pem\"}"),
    FIELD_BOOL(struct node_listener, proxy_protocol, .initial = "false",
               .summary = "Connections begin with a PROXY header (version 1 or 2).",
               .example = "true"),
};

static const struct schema listener_schema = {
    .name = "listener",
    .summary = "An address that clients connect to.",
    .fields = listener_fields,
    .count = ARRAY_LENGTH(listener_fields),
    .size = sizeof(struct node_listener),
    .check = node_check_listener,
};

/* ---- admin ---- */

static const struct field admin_tls_fields[] = {
    FIELD_PATH(struct node_admin_tls, cert, .flags = FIELD_REQUIRED | FIELD_LIVE,
               .summary = "File of the certificate chain, PEM.",
               .example = "\"/etc/gatewayd/tls/admin.pem\""),
    FIELD_PATH(struct node_admin_tls, key, .flags = FIELD_REQUIRED | FIELD_LIVE,
               .summary = "File of its key, PEM.", .example = "\"/etc/gatewayd/tls/admin.key\""),
    FIELD_PATH(struct node_admin_tls, client_ca, .flags = FIELD_LIVE,
               .summary = "File of the authorities whose client certificates are asked for, "
                          "beside a token.",
               .example = "\"/etc/gatewayd/tls/operators-ca.pem\""),
};

static const struct schema admin_tls_schema = {
    .name = "admin_tls",
    .summary = "TLS of the admin API.",
    .fields = admin_tls_fields,
    .count = ARRAY_LENGTH(admin_tls_fields),
    .size = sizeof(struct node_admin_tls),
};

static const struct field admin_fields[] = {
    FIELD_TEXT(struct node_admin, address, .initial = "127.0.0.1:9080", .check = node_check_address,
               .summary = "Where the admin API is served. Not a loopback address: only with "
                          "`tls`.",
               .example = "\"127.0.0.1:9080\""),
    FIELD_PATH(struct node_admin, tokens, .initial = "/etc/gatewayd/tokens", .flags = FIELD_LIVE,
               .summary = "File of the tokens: lines of NAME ROLE SHA256-OF-TOKEN-IN-HEX, the "
                          "role being viewer, operator or admin.",
               .example = "\"/etc/gatewayd/tokens\""),
    FIELD_OPTIONAL(struct node_admin, tls, struct node_admin_tls, &admin_tls_schema,
                   .flags = FIELD_LIVE, .summary = "TLS; plain when not set.",
                   .example = "{\"cert\": \"/etc/gatewayd/tls/admin.pem\", \"key\": "
                              "\"/etc/gatewayd/tls/admin.key\"}"),
};

static const struct schema admin_schema = {
    .name = "admin",
    .summary = "The admin API.",
    .fields = admin_fields,
    .count = ARRAY_LENGTH(admin_fields),
    .size = sizeof(struct node_admin),
    .check = node_check_admin,
};

/* ---- state ---- */

static const struct field redis_tls_fields[] = {
    FIELD_PATH(struct node_redis_tls, ca, .flags = FIELD_LIVE,
               .summary = "File of the authorities that are trusted; the system's when not set.",
               .example = "\"/etc/gatewayd/redis-ca.pem\""),
    FIELD_PATH(struct node_redis_tls, cert, .flags = FIELD_LIVE,
               .summary = "File of the node's own certificate.",
               .example = "\"/etc/gatewayd/redis.pem\""),
    FIELD_PATH(struct node_redis_tls, key, .flags = FIELD_LIVE,
               .summary = "File of the key of `cert`.", .example = "\"/etc/gatewayd/redis.key\""),
    FIELD_TEXT(struct node_redis_tls, server_name, .flags = FIELD_LIVE,
               .check = grammar_check_host_port,
               .summary = "Name looked for in the server's certificate; its address when not set.",
               .example = "\"redis.internal\""),
};

static const struct schema redis_tls_schema = {
    .name = "redis_tls",
    .summary = "TLS to Redis or a sentinel.",
    .fields = redis_tls_fields,
    .count = ARRAY_LENGTH(redis_tls_fields),
    .size = sizeof(struct node_redis_tls),
    .check = node_check_redis_tls,
};

static const struct field sentinel_fields[] = {
    FIELD_TEXT(struct node_sentinel, master, .flags = FIELD_REQUIRED,
               .summary = "Name of the master in the sentinels.", .example = "\"mymaster\""),
    FIELD_TEXT(struct node_sentinel, user, .flags = FIELD_LIVE, .summary = "User at the sentinels.",
               .example = "\"gatewayd\""),
    FIELD_PATH(struct node_sentinel, password_file, .flags = FIELD_LIVE,
               .summary = "File whose first line is the password at the sentinels.",
               .example = "\"/etc/gatewayd/sentinel.password\""),
    FIELD_OPTIONAL(struct node_sentinel, tls, struct node_redis_tls, &redis_tls_schema,
                   .flags = FIELD_LIVE, .summary = "TLS to the sentinels; plain when not set.",
                   .example = "{\"ca\": \"/etc/gatewayd/redis-ca.pem\"}"),
};

static const struct schema sentinel_schema = {
    .name = "sentinel",
    .summary = "`servers` are sentinels, which know the master.",
    .fields = sentinel_fields,
    .count = ARRAY_LENGTH(sentinel_fields),
    .size = sizeof(struct node_sentinel),
};

static const struct field redis_fields[] = {
    FIELD_TEXTS(struct node_redis, servers, .flags = FIELD_REQUIRED, .minimum = 1, .maximum = 64,
                .check = grammar_check_target,
                .summary = "Servers (or sentinels), tried in order; a replica is refused without "
                           "`sentinel`.",
                .example = "[\"10.0.0.11:6379\", \"10.0.0.12:6379\"]"),
    FIELD_OPTIONAL(struct node_redis, sentinel, struct node_sentinel, &sentinel_schema,
                   .summary = "Ask sentinels for the master.",
                   .example = "{\"master\": \"mymaster\"}"),
    FIELD_TEXT(struct node_redis, user, .flags = FIELD_LIVE, .summary = "ACL user.",
               .example = "\"gatewayd\""),
    FIELD_PATH(struct node_redis, password_file, .flags = FIELD_LIVE,
               .summary = "File whose first line is the password.",
               .example = "\"/etc/gatewayd/redis.password\""),
    FIELD_INT(struct node_redis, db, .initial = "0", .minimum = 0, .maximum = 65535,
              .summary = "Number of the database.", .example = "0"),
    FIELD_OPTIONAL(struct node_redis, tls, struct node_redis_tls, &redis_tls_schema,
                   .flags = FIELD_LIVE, .summary = "TLS to the servers; plain when not set.",
                   .example = "{\"ca\": \"/etc/gatewayd/redis-ca.pem\"}"),
    FIELD_TEXT(struct node_redis, prefix, .initial = "gatewayd", .check = grammar_check_name,
               .summary = "What all keys begin with; nodes of one cluster have the same.",
               .example = "\"gatewayd\""),
    FIELD_DURATION(struct node_redis, timeout, .initial = "100ms", .flags = FIELD_LIVE,
                   .minimum = 1, .maximum = 10 * SECOND,
                   .summary = "How long a request may wait for Redis.", .example = "\"100ms\""),
    FIELD_INT(struct node_redis, replicas, .initial = "0", .minimum = 0, .maximum = 100,
              .summary = "Replicas that must have a commit before it is answered.", .example = "1"),
};

static const struct schema redis_schema = {
    .name = "redis",
    .summary = "The Redis in which the state is shared.",
    .fields = redis_fields,
    .count = ARRAY_LENGTH(redis_fields),
    .size = sizeof(struct node_redis),
};

static const struct field_choice stores[] = {
    { "embedded", NODE_STORE_EMBEDDED, false },
    { "redis", NODE_STORE_REDIS, false },
    { NULL, 0, false },
};

static const struct field state_fields[] = {
    FIELD_CHOICE(struct node_state, store, enum node_store, stores, .initial = "embedded",
                 .summary = "Where the state is: in `dir` (`embedded`) or shared by several nodes "
                            "(`redis`).",
                 .example = "\"redis\""),
    FIELD_PATH(struct node_state, dir, .initial = "/var/lib/gatewayd",
               .summary = "Folder of the journal and the last known state, whichever the store.",
               .example = "\"/var/lib/gatewayd\""),
    FIELD_INT(struct node_state, history, .initial = "1000", .minimum = 1, .maximum = 1000000,
              .unit = "revisions", .summary = "Revisions that are kept.", .example = "1000"),
    FIELD_DURATION(struct node_state, tombstones, .initial = "400d", .minimum = HOUR,
                   .maximum = 100 * YEAR,
                   .summary = "How long a revoked key that would never expire is remembered.",
                   .example = "\"400d\""),
    FIELD_DURATION(
        struct node_state, max_staleness, .initial = "0s", .minimum = 0, .maximum = YEAR,
        .summary = "With Redis away for longer keys are refused (503), because they may have been "
                   "revoked; 0s: it serves on.",
        .example = "\"1h\""),
    FIELD_OPTIONAL(struct node_state, redis, struct node_redis, &redis_schema,
                   .summary = "The Redis of the store \"redis\".",
                   .example = "{\"servers\": [\"10.0.0.11:6379\"]}"),
};

static const struct schema state_schema = {
    .name = "state",
    .summary = "Where the state is kept.",
    .fields = state_fields,
    .count = ARRAY_LENGTH(state_fields),
    .size = sizeof(struct node_state),
    .check = node_check_state,
};

static const struct field cluster_fields[] = {
    FIELD_TEXT(struct node_cluster, advertise, .check = grammar_check_target,
               .summary = "Where other nodes reach this one's admin API; `admin.address` when not "
                          "set.",
               .example = "\"10.0.0.11:9080\""),
    FIELD_PATH(struct node_cluster, secret_file,
               .summary = "File of the secret by which nodes know each other. Never sent: "
                          "requests are signed with it.",
               .example = "\"/etc/gatewayd/cluster.secret\""),
    FIELD_PATH(struct node_cluster, ca, .flags = FIELD_LIVE,
               .summary = "File of the authorities of the other nodes' admin certificates; the "
                          "system's when not set.",
               .example = "\"/etc/gatewayd/tls/cluster-ca.pem\""),
    FIELD_DURATION(struct node_cluster, forget_after, .initial = "1h", .minimum = SECOND,
                   .maximum = YEAR, .summary = "A node unseen for so long is no longer waited for.",
                   .example = "\"1h\""),
};

static const struct schema cluster_schema = {
    .name = "cluster",
    .summary = "How nodes reach and know each other.",
    .fields = cluster_fields,
    .count = ARRAY_LENGTH(cluster_fields),
    .size = sizeof(struct node_cluster),
};

static const struct field ha_fields[] = {
    FIELD_PATH(struct node_ha, addresses, .initial = "/etc/gatewayd/ha.addresses",
               .summary = "File of the virtual addresses: lines of NAME ADDRESS/LENGTH INTERFACE "
                          "home or guest.",
               .example = "\"/etc/gatewayd/ha.addresses\""),
    FIELD_PATH(struct node_ha, folder, .initial = "/run/gatewayd-ha",
               .summary = "Folder of what is shared with keepalived and the programs beside it: "
                          "track and state files, `probe.sock`, `hold.sock`.",
               .example = "\"/run/gatewayd-ha\""),
};

static const struct schema ha_schema = {
    .name = "ha",
    .summary = "Virtual addresses that keepalived moves between nodes.",
    .fields = ha_fields,
    .count = ARRAY_LENGTH(ha_fields),
    .size = sizeof(struct node_ha),
};

/* ---- ceilings and times ---- */

static const struct field max_fields[] = {
    FIELD_SIZE(struct node_max, header_bytes, .initial = "32k", .flags = FIELD_LIVE,
               .minimum = 1024, .maximum = 1 << 20,
               .summary = "Bytes of the head of a request, at most; past it the answer is 431. So "
                          "long may the head of an upstream's answer be, too: past it 502.",
               .example = "\"64k\""),
    FIELD_INT(struct node_max, headers, .initial = "100", .flags = FIELD_LIVE, .minimum = 8,
              .maximum = 10000,
              .summary = "Headers of a request, at most, and of an upstream's answer.",
              .example = "200"),
    FIELD_SIZE(struct node_max, body_bytes, .initial = "10M", .flags = FIELD_LIVE, .minimum = 0,
               .maximum = 1LL << 50,
               .summary = "Bytes of a request's body, at most, where the route does not say.",
               .example = "\"100M\""),
    FIELD_INT(struct node_max, connections, .initial = "0", .flags = FIELD_LIVE, .minimum = 0,
              .maximum = 100000000,
              .summary = "Connections of clients, at most; past it accepting pauses. 0: half of "
                         "RLIMIT_NOFILE less 200.",
              .example = "50000"),
};

static const struct schema max_schema = {
    .name = "max",
    .summary = "Ceilings of what clients may send.",
    .fields = max_fields,
    .count = ARRAY_LENGTH(max_fields),
    .size = sizeof(struct node_max),
};

static const struct field timeouts_fields[] = {
    FIELD_DURATION(struct node_timeouts, header, .initial = "10s", .flags = FIELD_LIVE,
                   .minimum = 1, .maximum = HOUR,
                   .summary = "For the whole head of a request (and a TLS handshake).",
                   .example = "\"5s\""),
    FIELD_DURATION(struct node_timeouts, body, .initial = "30s", .flags = FIELD_LIVE, .minimum = 1,
                   .maximum = DAY, .summary = "Between two pieces of a body.",
                   .example = "\"30s\""),
    FIELD_DURATION(struct node_timeouts, idle, .initial = "60s", .flags = FIELD_LIVE, .minimum = 1,
                   .maximum = DAY,
                   .summary = "How long a connection is kept for a further request.",
                   .example = "\"75s\""),
    FIELD_DURATION(struct node_timeouts, drain, .initial = "30s", .flags = FIELD_LIVE, .minimum = 0,
                   .maximum = DAY, .summary = "How long a drain waits for what is in flight.",
                   .example = "\"60s\""),
};

static const struct schema timeouts_schema = {
    .name = "timeouts",
    .summary = "How long clients are waited for.",
    .fields = timeouts_fields,
    .count = ARRAY_LENGTH(timeouts_fields),
    .size = sizeof(struct node_timeouts),
};

static const struct field_choice levels[] = {
    { "error", NODE_LOG_ERROR, false },
    { "warn", NODE_LOG_WARN, false },
    { "info", NODE_LOG_INFO, false },
    { "debug", NODE_LOG_DEBUG, false },
    { NULL, 0, false },
};

static const struct field_choice formats[] = {
    { "json", NODE_LOG_JSON, false },
    { NULL, 0, false },
};

static const struct field log_fields[] = {
    FIELD_CHOICE(struct node_log, level, enum node_log_level, levels, .initial = "info",
                 .flags = FIELD_LIVE, .summary = "The least that is logged, to stderr.",
                 .example = "\"debug\""),
    FIELD_TEXT(struct node_log, access, .initial = "stdout", .flags = FIELD_LIVE,
               .check = node_check_access,
               .summary = "Where the access log goes: `stdout`, `off`, or the path of a file.",
               .example = "\"/var/log/gatewayd/access.log\""),
    FIELD_CHOICE(struct node_log, format, enum node_log_format, formats, .initial = "json",
                 .flags = FIELD_LIVE, .summary = "One JSON object in each line.",
                 .example = "\"json\""),
};

static const struct schema log_schema = {
    .name = "log",
    .summary = "What is logged, and where to.",
    .fields = log_fields,
    .count = ARRAY_LENGTH(log_fields),
    .size = sizeof(struct node_log),
};

/* ---- the node ---- */

static const struct field fields[] = {
    FIELD_NAME(struct node_config, node,
               .summary = "Name of the node, unique in the cluster; the host's name when not set.",
               .example = "\"gw-a\""),
    FIELD_INT(struct node_config, workers, .initial = "0", .minimum = 0, .maximum = 1024,
              .summary = "Worker threads; 0: one for each CPU the process may use.",
              .example = "4"),
    FIELD_GROUPS(struct node_config, listeners, struct node_listener, &listener_schema,
                 .flags = FIELD_REQUIRED, .minimum = 1, .maximum = 256,
                 .summary = "Addresses that clients connect to.",
                 .example = "[{\"name\": \"http\", \"address\": \"0.0.0.0:8080\"}]"),
    FIELD_GROUP(struct node_config, admin, struct node_admin, &admin_schema,
                .summary = "The admin API.", .example = "{\"address\": \"127.0.0.1:9080\"}"),
    FIELD_GROUP(struct node_config, state, struct node_state, &state_schema,
                .summary = "Where the state is kept.",
                .example = "{\"store\": \"embedded\", \"dir\": \"/var/lib/gatewayd\"}"),
    FIELD_OPTIONAL(struct node_config, cluster, struct node_cluster, &cluster_schema,
                   .summary = "How nodes reach and know each other; a node alone when not set.",
                   .example = "{\"secret_file\": \"/etc/gatewayd/cluster.secret\"}"),
    FIELD_OPTIONAL(struct node_config, ha, struct node_ha, &ha_schema,
                   .summary = "Virtual addresses that keepalived moves; they do not move when not "
                              "set.",
                   .example = "{\"addresses\": \"/etc/gatewayd/ha.addresses\"}"),
    FIELD_PATH(struct node_config, bootstrap, .flags = FIELD_LIVE,
               .summary = "File of resources (libconfig or JSON) that is applied once, only while "
                          "the store holds revision 0.",
               .example = "\"/etc/gatewayd/resources.conf\""),
    FIELD_TEXTS(struct node_config, trusted_proxies, .flags = FIELD_LIVE, .maximum = 10000,
                .check = node_check_network,
                .summary = "Networks whose X-Forwarded-*, X-Request-Id and PROXY header are "
                           "believed. None: nobody's.",
                .example = "[\"10.0.0.0/8\", \"::1\"]"),
    FIELD_GROUP(struct node_config, max, struct node_max, &max_schema, .flags = FIELD_LIVE,
                .summary = "Ceilings of what clients may send.",
                .example = "{\"body_bytes\": \"100M\"}"),
    FIELD_GROUP(struct node_config, timeouts, struct node_timeouts, &timeouts_schema,
                .flags = FIELD_LIVE, .summary = "How long clients are waited for.",
                .example = "{\"header\": \"5s\"}"),
    FIELD_GROUP(struct node_config, log, struct node_log, &log_schema, .flags = FIELD_LIVE,
                .summary = "What is logged, and where to.", .example = "{\"level\": \"info\"}"),
};

const struct schema node_schema = {
    .name = "node",
    .summary = "What differs from node to node, and where the shared state is.",
    .fields = fields,
    .count = ARRAY_LENGTH(fields),
    .size = sizeof(struct node_config),
    .check = node_check,
};

const char *node_log_level_name(enum node_log_level level)
{
    MUST((size_t)level < ARRAY_LENGTH(levels) - 1);
    return levels[level].name;
}
