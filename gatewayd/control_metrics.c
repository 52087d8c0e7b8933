/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_metrics.c - numbers that are there to be asked for, not counted: versions, readiness,
 * buckets, credentials, lost log lines, memory.
 */
#include <stdio.h>

#include "gatewayd/control_private.h"

static void print_gauge(struct builder *b, const char *name, const char *help, uint64_t value)
{
    metrics_print_head(b, name, "gauge", help);
    metrics_print_u64(b, name, "", value);
}

static void print_node(const struct control *c, struct builder *b)
{
    struct control_status status = control_status(c);

    metrics_print_head(b, "gatewayd_info", "gauge", "Always 1; what runs here.");
    metrics_print_u64(b, "gatewayd_info", "version=\"" GATEWAYD_VERSION "\"", 1);
    print_gauge(b, "gatewayd_ready", "1 if /readyz says so.", status.is_ready);
    print_gauge(b, "gatewayd_behind", "1 if the newest configuration could not be put in force.",
                status.state == CONTROL_BEHIND);
    print_gauge(b, "gatewayd_start_time_seconds", "When the process began, since the epoch.",
                (uint64_t)status.started_at / 1000);
    print_gauge(b, "gatewayd_memory_bytes", "Resident memory.", status.memory_bytes);
    print_gauge(b, "gatewayd_connections_max", "Client connections past which accepting pauses.",
                atomic_load(&c->budget.max));
}

static void print_asks(const struct limiter_counts *counts, struct builder *b)
{
    metrics_print_head(b, "gatewayd_limit_asks_total", "counter",
                       "Round trips to the shared store for limits, by how they ended; refused: "
                       "asked again.");
    metrics_print_u64(b, "gatewayd_limit_asks_total", "outcome=\"answered\"",
                      counts->asks[LIMITS_ANSWERED]);
    metrics_print_u64(b, "gatewayd_limit_asks_total", "outcome=\"refused\"",
                      counts->asks[LIMITS_REFUSED]);
    metrics_print_u64(b, "gatewayd_limit_asks_total", "outcome=\"away\"",
                      counts->asks[LIMITS_AWAY]);
}

static void print_limits(const struct control *c, struct builder *b)
{
    struct limiter_counts counts;

    limiter_count(c->limiter, &counts);
    metrics_print_head(b, "gatewayd_limit_mode", "gauge",
                       "Buckets that are shared with other nodes, or divided among them while the "
                       "store is away.");
    metrics_print_u64(b, "gatewayd_limit_mode", "mode=\"shared\"", counts.leased);
    metrics_print_u64(b, "gatewayd_limit_mode", "mode=\"divided\"", counts.divided);
    print_asks(&counts, b);
    print_gauge(b, "gatewayd_limit_buckets", "Buckets of limits and quotas.", counts.buckets);
    metrics_print_head(b, "gatewayd_limit_crowded_total", "counter",
                       "Requests counted in a shared bucket because there were too many subjects.");
    metrics_print_u64(b, "gatewayd_limit_crowded_total", "", counts.crowded);
}

static void print_credentials(const struct control *c, struct builder *b)
{
    struct credentials_counts counts;

    credentials_count(c->credentials, &counts);
    print_gauge(b, "gatewayd_consumers", "Consumers.", counts.consumers);
    metrics_print_head(b, "gatewayd_keys", "gauge",
                       "Keys, by state; expired ones are active here.");
    metrics_print_u64(b, "gatewayd_keys", "state=\"active\"", counts.keys);
    metrics_print_u64(b, "gatewayd_keys", "state=\"revoked\"", counts.revoked);
}

static void print_log(struct builder *b)
{
    metrics_print_head(b, "gatewayd_log_lost_total", "counter",
                       "Log lines dropped because the writer was behind.");
    metrics_print_u64(b, "gatewayd_log_lost_total", "log=\"node\"", log_lost());
    metrics_print_u64(b, "gatewayd_log_lost_total", "log=\"access\"", log_access_lost());
}

static void print_address(struct builder *b, const char *name, const struct ha_status *status,
                          uint64_t value)
{
    char labels[96];

    snprintf(labels, sizeof(labels), "address=\"%.*s\"", TEXT_ARGS(status->address->name));
    metrics_print_u64(b, name, labels, value);
}

static void print_addresses(const struct ha *ha, struct builder *b)
{
    metrics_print_head(b, "gatewayd_vrrp_state", "gauge",
                       "Of virtual addresses: 2 if this node has it, 1 if it would take it, else "
                       "0.");
    for (size_t i = 0; i < ha_count(ha); i++) {
        struct ha_status status = ha_get(ha, i);
        bool is_backup = status.vrrp == HA_BACKUP;
        print_address(b, "gatewayd_vrrp_state", &status,
                      status.vrrp == HA_MASTER ? 2 : (uint64_t)is_backup);
    }
    metrics_print_head(b, "gatewayd_vrrp_conflict", "gauge",
                       "1 if another node has the virtual address, too.");
    for (size_t i = 0; i < ha_count(ha); i++) {
        struct ha_status status = ha_get(ha, i);
        print_address(b, "gatewayd_vrrp_conflict", &status, status.conflict.length > 0);
    }
}

void control_print_metrics(struct builder *b, void *arg)
{
    const struct control *c = arg;

    print_node(c, b);
    print_limits(c, b);
    print_credentials(c, b);
    print_log(b);
    if (c->ha != NULL)
        print_addresses(c->ha, b);
}
