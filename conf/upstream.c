/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/upstream.h"

#include <stdio.h>

#include "conf/base/map.h"
#include "conf/grammar.h"
#include "conf/schema.h"

#define SECOND (1000LL)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)

/* ---- groups ---- */

static const struct field target_fields[] = {
    FIELD_TEXT(struct upstream_target, address, .flags = FIELD_REQUIRED,
               .check = grammar_check_target,
               .summary = "`host:port`, `[IPv6]:port` or `unix:/path`. A host name is resolved "
                          "again when its TTL ends; each of its addresses is a target.",
               .example = "\"10.0.0.5:8080\""),
    FIELD_INT(struct upstream_target, weight, .initial = "1", .minimum = 0, .maximum = 256,
              .summary = "Its share among the targets; 0: no new requests.", .example = "10"),
    FIELD_BOOL(struct upstream_target, drain, .initial = "false",
               .summary = "No new requests; those in flight go on.", .example = "true"),
    FIELD_BOOL(struct upstream_target, backup, .initial = "false",
               .summary = "Used only while no other target can be.", .example = "true"),
};

static void check_target(void *object, struct schema_binding *b)
{
    struct upstream_target *target = object;

    MUST(address_split(target->address, &target->at));
}

static const struct schema target_schema = {
    .name = "target",
    .summary = "One address of an upstream.",
    .fields = target_fields,
    .count = ARRAY_LENGTH(target_fields),
    .size = sizeof(struct upstream_target),
    .check = check_target,
};

static const struct field tls_fields[] = {
    FIELD_TEXT(struct upstream_tls, server_name, .check = grammar_check_host_port,
               .summary = "Name sent to the target and looked for in its certificate; the host of "
                          "its address when not set.",
               .example = "\"orders.internal\""),
    FIELD_BOOL(struct upstream_tls, verify, .initial = "true",
               .summary = "Whether the target's certificate is verified.", .example = "true"),
    FIELD_PATH(struct upstream_tls, ca,
               .summary = "File of the certificate authorities that are trusted; the system's "
                          "when not set.",
               .example = "\"/etc/gatewayd/upstream-ca.pem\""),
    FIELD_PATH(struct upstream_tls, cert,
               .summary = "File of the gateway's own certificate chain, when targets ask for one.",
               .example = "\"/etc/gatewayd/client.pem\""),
    FIELD_PATH(struct upstream_tls, key, .summary = "File of the key of `cert`.",
               .example = "\"/etc/gatewayd/client.key\""),
};

static void check_tls(void *object, struct schema_binding *b)
{
    const struct upstream_tls *tls = object;

    if ((tls->cert.length == 0) != (tls->key.length == 0))
        schema_problem(b, "", "cert and key belong together; %s is missing.",
                       tls->cert.length == 0 ? "cert" : "key");
}

static const struct schema tls_schema = {
    .name = "upstream_tls",
    .summary = "TLS to the targets. Each node reads the files when it takes the upstream over.",
    .fields = tls_fields,
    .count = ARRAY_LENGTH(tls_fields),
    .size = sizeof(struct upstream_tls),
    .check = check_tls,
};

static const struct field keepalive_fields[] = {
    FIELD_INT(struct upstream_keepalive, idle, .initial = "64", .minimum = 0, .maximum = 10000,
              .summary = "Idle connections kept for each target and worker.", .example = "64"),
    FIELD_DURATION(struct upstream_keepalive, timeout, .initial = "60s", .minimum = 1,
                   .maximum = DAY, .summary = "How long an idle connection is kept.",
                   .example = "\"30s\""),
    FIELD_INT(
        struct upstream_keepalive, requests, .initial = "0", .minimum = 0, .maximum = 1000000000,
        .summary = "Requests after which a connection is closed; 0: no limit.", .example = "1000"),
};

static const struct schema keepalive_schema = {
    .name = "keepalive",
    .summary = "Connections kept for further requests.",
    .fields = keepalive_fields,
    .count = ARRAY_LENGTH(keepalive_fields),
    .size = sizeof(struct upstream_keepalive),
};

static const struct field_choice retry_reasons[] = {
    { "connect", UPSTREAM_RETRY_CONNECT, false }, { "reset", UPSTREAM_RETRY_RESET, false },
    { "502", UPSTREAM_RETRY_502, false },         { "503", UPSTREAM_RETRY_503, false },
    { "504", UPSTREAM_RETRY_504, false },         { NULL, 0, false },
};

static const struct field retries_fields[] = {
    FIELD_INT(struct upstream_retries, attempts, .initial = "1", .minimum = 0, .maximum = 10,
              .summary = "Further tries after the first; 0: none.", .example = "2"),
    FIELD_CHOICES(struct upstream_retries, on, retry_reasons,
                  .initial = "connect reset 502 503 504",
                  .summary = "What is tried again: no connection (`connect`), a connection that "
                             "ended before a response (`reset`), or a status.",
                  .example = "[\"connect\", \"503\"]"),
    FIELD_INT(struct upstream_retries, budget, .initial = "20", .minimum = 0, .maximum = 100,
              .unit = "percent", .summary = "Retries in percent of the requests, at most.",
              .example = "20"),
};

static const struct schema retries_schema = {
    .name = "retries",
    .summary = "When a request is tried again on another target. Never after the first byte of a "
               "response was sent on.",
    .fields = retries_fields,
    .count = ARRAY_LENGTH(retries_fields),
    .size = sizeof(struct upstream_retries),
};

static const struct field_choice health_types[] = {
    { "http", UPSTREAM_HEALTH_HTTP, false },
    { "tcp", UPSTREAM_HEALTH_TCP, false },
    { "grpc", UPSTREAM_HEALTH_GRPC, true },
    { NULL, 0, false },
};

static const struct field health_fields[] = {
    FIELD_CHOICE(struct upstream_health, type, enum upstream_health_type, health_types,
                 .initial = "http",
                 .summary = "`http`: a GET must answer as expected; `tcp`: a connection must open.",
                 .example = "\"tcp\""),
    FIELD_TEXT(struct upstream_health, path, .initial = "/", .check = grammar_check_asked_path,
               .summary = "Path that is asked for; a query may follow.", .example = "\"/healthz\""),
    FIELD_TEXT(struct upstream_health, host, .check = grammar_check_host_port,
               .summary = "Host field of the check; the target's address when not set.",
               .example = "\"orders.internal\""),
    FIELD_DURATION(struct upstream_health, interval, .initial = "5s", .minimum = 100,
                   .maximum = HOUR, .summary = "Time between two checks of a target.",
                   .example = "\"2s\""),
    FIELD_DURATION(struct upstream_health, timeout, .initial = "2s", .minimum = 10,
                   .maximum = 60 * SECOND, .summary = "A check that takes longer has failed.",
                   .example = "\"1s\""),
    FIELD_INT(struct upstream_health, healthy_after, .initial = "2", .minimum = 1, .maximum = 100,
              .summary = "Checks in a row that must succeed before a target is used again.",
              .example = "2"),
    FIELD_INT(struct upstream_health, unhealthy_after, .initial = "3", .minimum = 1, .maximum = 100,
              .summary = "Checks in a row that must fail before a target is no longer used.",
              .example = "3"),
    FIELD_TEXTS(struct upstream_health, expect, .initial = "200-399", .minimum = 1, .maximum = 50,
                .check = grammar_check_statuses,
                .summary = "Statuses, or ranges of them, that mean healthy.",
                .example = "[\"200\", \"204\"]"),
};

static void check_health(void *object, struct schema_binding *b)
{
    struct upstream_health *health = object;
    struct upstream_status_range *ranges;

    ranges = arena_zalloc(schema_arena(b), health->expect.count * sizeof(*ranges));
    for (size_t i = 0; i < health->expect.count; i++)
        MUST(grammar_parse_statuses(health->expect.items[i], &ranges[i].first, &ranges[i].last));
    health->ranges = ranges;
    health->range_count = health->expect.count;
}

static const struct schema health_schema = {
    .name = "health",
    .summary = "Active checks, by each node.",
    .fields = health_fields,
    .count = ARRAY_LENGTH(health_fields),
    .size = sizeof(struct upstream_health),
    .check = check_health,
};

static const struct field outlier_fields[] = {
    FIELD_INT(struct upstream_outlier, failures, .initial = "5", .minimum = 1, .maximum = 100000,
              .summary = "Failures within `window` after which a target is ejected.",
              .example = "5"),
    FIELD_DURATION(struct upstream_outlier, window, .initial = "10s", .minimum = 100,
                   .maximum = HOUR, .summary = "The time in which failures are counted.",
                   .example = "\"10s\""),
    FIELD_DURATION(struct upstream_outlier, eject_for, .initial = "10s", .minimum = 100,
                   .maximum = DAY, .summary = "How long an ejected target gets no requests.",
                   .example = "\"30s\""),
    FIELD_INT(struct upstream_outlier, max_ejected, .initial = "50", .minimum = 0, .maximum = 100,
              .unit = "percent",
              .summary = "Targets that may be ejected at one time, in percent of all.",
              .example = "50"),
};

static const struct schema outlier_schema = {
    .name = "outlier",
    .summary = "Passive checks on real traffic.",
    .fields = outlier_fields,
    .count = ARRAY_LENGTH(outlier_fields),
    .size = sizeof(struct upstream_outlier),
};

/* ---- the upstream ---- */

static const struct field_choice balances[] = {
    { "round_robin", UPSTREAM_ROUND_ROBIN, false },
    { "least_requests", UPSTREAM_LEAST_REQUESTS, false },
    { "random_two", UPSTREAM_RANDOM_TWO, false },
    { "hash", UPSTREAM_HASH, false },
    { NULL, 0, false },
};

static const struct field_choice protocols[] = {
    { "http1", UPSTREAM_HTTP1, false },
    { "http2", UPSTREAM_HTTP2, true },
    { NULL, 0, false },
};

static const struct field fields[] = {
    FIELD_NAME(struct upstream, name, .flags = FIELD_REQUIRED,
               .summary = "Unique name by which routes refer to this upstream.",
               .example = "\"orders\""),
    FIELD_GROUPS(struct upstream, targets, struct upstream_target, &target_schema,
                 .flags = FIELD_REQUIRED, .minimum = 1, .maximum = 10000,
                 .summary = "Where requests go.",
                 .example = "[{\"address\": \"10.0.0.5:8080\", \"weight\": 2}]"),
    FIELD_CHOICE(struct upstream, balance, enum upstream_balance, balances, .initial = "random_two",
                 .summary = "How a target is chosen: in turn by weight (`round_robin`), with the "
                            "fewest requests in flight (`least_requests`), the better of two "
                            "taken at random (`random_two`), or by a value of the request "
                            "(`hash`).",
                 .example = "\"least_requests\""),
    FIELD_TEXT(struct upstream, hash_on, .check = grammar_check_hash_on,
               .summary = "The value that chooses the target with `hash`: `client_ip`, "
                          "`consumer`, `path`, `header:NAME` (several lines joined with `, `) or "
                          "`cookie:NAME`. One of N keys moves when one of N targets goes.",
               .example = "\"cookie:session\""),
    FIELD_CHOICE(struct upstream, protocol, enum upstream_protocol, protocols, .initial = "http1",
                 .summary = "What is spoken to the targets.", .example = "\"http1\""),
    FIELD_OPTIONAL(struct upstream, tls, struct upstream_tls, &tls_schema,
                   .summary = "TLS to the targets; plain when not set.",
                   .example = "{\"server_name\": \"orders.internal\"}"),
    FIELD_DURATION(struct upstream, connect_timeout, .initial = "1s", .minimum = 1, .maximum = HOUR,
                   .summary = "How long to wait for a TCP and TLS connection.",
                   .example = "\"500ms\""),
    FIELD_DURATION(struct upstream, response_timeout, .initial = "15s", .minimum = 1,
                   .maximum = DAY,
                   .summary = "How long to wait for the head of the response, once the request "
                              "was sent.",
                   .example = "\"5s\""),
    FIELD_DURATION(
        struct upstream, idle_timeout, .initial = "60s", .minimum = 1, .maximum = 7 * DAY,
        .summary = "How long nothing may come or go during an exchange.", .example = "\"30s\""),
    FIELD_GROUP(struct upstream, keepalive, struct upstream_keepalive, &keepalive_schema,
                .summary = "Connections kept for further requests.",
                .example = "{\"idle\": 128, \"timeout\": \"30s\"}"),
    FIELD_INT(struct upstream, max_connections, .initial = "0", .minimum = 0, .maximum = 1000000,
              .summary = "Connections to each target, node-wide, at most; 0: no limit. With it "
                         "reached on all targets the answer is 503.",
              .example = "500"),
    FIELD_GROUP(struct upstream, retries, struct upstream_retries, &retries_schema,
                .summary = "When a request is tried again on another target.",
                .example = "{\"attempts\": 2, \"on\": [\"connect\"]}"),
    FIELD_OPTIONAL(struct upstream, health, struct upstream_health, &health_schema,
                   .summary = "Active checks of the targets; none when not set.",
                   .example = "{\"path\": \"/healthz\", \"interval\": \"2s\"}"),
    FIELD_OPTIONAL(struct upstream, outlier, struct upstream_outlier, &outlier_schema,
                   .summary = "Passive checks on real traffic; none when not set.",
                   .example = "{\"failures\": 5, \"eject_for\": \"30s\"}"),
    FIELD_DURATION(struct upstream, slow_start, .initial = "0s", .minimum = 0, .maximum = HOUR,
                   .summary = "Time over which a target that is back in service gets its share "
                              "gradually.",
                   .example = "\"30s\""),
};

static void derive_hash(struct upstream *up)
{
    if (text_equals(up->hash_on, TEXT_OF("consumer")))
        up->hash_what = UPSTREAM_HASH_CONSUMER;
    else if (text_equals(up->hash_on, TEXT_OF("path")))
        up->hash_what = UPSTREAM_HASH_PATH;
    else if (grammar_parse_prefixed(up->hash_on, "header:", &up->hash_name))
        up->hash_what = UPSTREAM_HASH_HEADER;
    else if (grammar_parse_prefixed(up->hash_on, "cookie:", &up->hash_name))
        up->hash_what = UPSTREAM_HASH_COOKIE;
}

static void check(void *object, struct schema_binding *b)
{
    struct upstream *up = object;
    struct map seen;

    derive_hash(up);
    if (up->balance == UPSTREAM_HASH && up->hash_on.length == 0)
        schema_problem(b, "",
                       "hash_on is missing: balance \"hash\" needs \"client_ip\", "
                       "\"consumer\", \"path\", \"header:NAME\" or \"cookie:NAME\".");
    map_init(&seen);
    for (size_t i = 0; i < up->targets.count; i++) {
        char where[64];
        void *before = map_set(&seen, up->targets.items[i].address, (void *)(uintptr_t)(i + 1));

        if (before == NULL)
            continue;
        (void)snprintf(where, sizeof(where), "targets/%zu/address", i);
        schema_problem(b, where,
                       "The address %s is that of target %zu too; each may be there once "
                       "(a larger share is a weight).",
                       up->targets.items[i].address.at, (size_t)(uintptr_t)before - 1);
    }
    map_fini(&seen);
}

const struct schema upstream_schema = {
    .name = "upstream",
    .summary = "A pool of targets.",
    .fields = fields,
    .count = ARRAY_LENGTH(fields),
    .size = sizeof(struct upstream),
    .check = check,
};

const char *upstream_balance_name(enum upstream_balance balance)
{
    MUST((size_t)balance < ARRAY_LENGTH(balances) - 1);
    return balances[balance].name;
}
