/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site_print.c - what a node of a site needs, as text.
 *
 * Priorities. Whoever is at home has 200, the others 150, 140, … in the order of the nodes behind
 * the home, so that the addresses of a node that is gone spread over the rest. A node that yields
 * an address (-100 in its track file) is below all that don't and above none that does, its home
 * first: 100, 50, 40, …. A failed check script (-170) is below those: 30 at home, 1 elsewhere; it
 * moves an address and never leaves one to nobody, should all checks fail. -254 is a fault.
 */
#include "admin/ctl/site.h"

#define PRIORITY_HOME  200
#define PRIORITY_FIRST 150
#define PRIORITY_STEP  10

static unsigned priority_of(const struct site *site, const struct site_address *a, size_t node)
{
    size_t home = a->home_index;
    size_t behind = node >= home ? node - home : node + site->nodes.count - home;

    return behind == 0 ? PRIORITY_HOME : PRIORITY_FIRST - PRIORITY_STEP * (unsigned)(behind - 1);
}

static void add_globals(const struct site *site, const struct site_node *node, struct builder *b)
{
    builder_addf(b,
                 "global_defs {\n"
                 "    router_id %s\n"
                 "    vrrp_version 3\n"
                 "    enable_script_security\n"
                 "    script_user %s\n"
                 "    dynamic_interfaces\n",
                 node->name.at, site->user.at);
    if (site->realtime)
        builder_add(b, TEXT_OF("    # An advert that waits for a turn moves an address.\n"
                               "    vrrp_rt_priority 50\n"
                               "    vrrp_rlimit_rttime 100000\n"
                               "    vrrp_no_swap\n"));
    builder_addf(
        b,
        "    # Neighbours that missed the first announcement hear of it again.\n"
        "    vrrp_garp_master_delay 1\n"
        "    vrrp_garp_master_repeat 2\n"
        "    vrrp_garp_master_refresh 1\n"
        "    # Two masters that hear each other again: the one that stays says so to all.\n"
        "    vrrp_higher_prio_send_advert true\n"
        "    vrrp_garp_lower_prio_delay 1\n"
        "    vrrp_garp_lower_prio_repeat 2\n"
        "    # Adverts count from the other nodes alone.\n"
        "    vrrp_check_unicast_src\n"
        "    # States in their order, written to %s/NAME.state.\n"
        "    vrrp_notify_fifo %s/notify %s\n"
        "    vrrp_notify_fifo_script \"%s/ha-notify %s\" %s\n"
        "}\n\n",
        site->folder.at, site->folder.at, site->user.at, site->programs.at, site->folder.at,
        site->user.at);
}

/* The fast signals are the track files; this is for the day when who writes them is dead too. */
static void add_check(const struct site *site, struct builder *b)
{
    builder_addf(b,
                 "vrrp_script gatewayd {\n"
                 "    script \"%s/gatewayd-watch --check -d %s\"\n"
                 "    interval 1\n"
                 "    timeout 1\n"
                 "    fall 2\n"
                 "    rise 1\n"
                 "    weight -170\n"
                 "}\n\n",
                 site->programs.at, site->folder.at);
}

static void add_track_files(const struct site *site, struct builder *b)
{
    for (size_t i = 0; i < site->addresses.count; i++) {
        const struct site_address *a = &site->addresses.items[i];

        builder_addf(b,
                     "track_file %s {\n"
                     "    file \"%s/%s.track\"\n"
                     "    weight 1\n"
                     "}\n",
                     a->name.at, site->folder.at, a->name.at);
    }
}

/* From beyond a router nobody sends with 255; over IPv6 keepalived itself sends with 64. */
static void add_peers(const struct site *site, size_t node, bool is_v6, struct builder *b)
{
    const struct site_node *all = site->nodes.items;

    builder_addf(b, "    unicast_src_ip %s\n    unicast_peer {\n",
                 (is_v6 ? all[node].ipv6 : all[node].ipv4).at);
    for (size_t i = 0; i < site->nodes.count; i++) {
        if (i != node)
            builder_addf(b, "        %s%s\n", (is_v6 ? all[i].ipv6 : all[i].ipv4).at,
                         is_v6 ? "" : " min_ttl 255 max_ttl 255");
    }
    builder_add(b, TEXT_OF("    }\n"));
}

/* An IPv6 address that moves must not become the source of this node's own connections. */
static void add_instance(const struct site *site, const struct site_address *a, size_t node,
                         struct builder *b)
{
    builder_addf(b,
                 "\nvrrp_instance %s {\n"
                 "    state BACKUP\n"
                 "    interface %s\n"
                 "    virtual_router_id %u\n"
                 "    priority %u\n"
                 "    advert_int 0.1\n",
                 a->name.at, site->nodes.items[node].interface.at, a->number,
                 priority_of(site, a, node));
    add_peers(site, node, a->is_v6, b);
    builder_addf(b,
                 "    virtual_ipaddress {\n"
                 "        %s%s\n"
                 "    }\n"
                 "    track_file {\n"
                 "        %s\n"
                 "    }\n"
                 "    track_script {\n"
                 "        gatewayd\n"
                 "    }\n"
                 "}\n",
                 a->address.at, a->is_v6 ? " preferred_lft 0" : "", a->name.at);
}

void site_print_keepalived(const struct site *site, size_t node, struct builder *b)
{
    MUST(node < site->nodes.count);
    builder_addf(
        b,
        "# keepalived.conf of %s, made by `gatewayctl ha config`: change the answers and "
        "make it again.\n"
        "# No nopreempt and no preempt_delay: they defeat moving an address by weight.\n\n",
        site->nodes.items[node].name.at);
    add_globals(site, &site->nodes.items[node], b);
    add_check(site, b);
    add_track_files(site, b);
    for (size_t i = 0; i < site->addresses.count; i++)
        add_instance(site, &site->addresses.items[i], node, b);
}

void site_print_addresses(const struct site *site, size_t node, struct builder *b)
{
    MUST(node < site->nodes.count);
    builder_addf(b,
                 "# Virtual addresses of %s, made by `gatewayctl ha config`.\n"
                 "# NAME ADDRESS/LENGTH INTERFACE home|guest\n",
                 site->nodes.items[node].name.at);
    for (size_t i = 0; i < site->addresses.count; i++) {
        const struct site_address *a = &site->addresses.items[i];

        builder_addf(b, "%s %s %s %s\n", a->name.at, a->address.at,
                     site->nodes.items[node].interface.at,
                     a->home_index == node ? "home" : "guest");
    }
}

static void add_node(const struct site_node *node, bool is_last, struct builder *b)
{
    builder_addf(b, "  { name = \"%s\"; interface = \"%s\";", node->name.at, node->interface.at);
    if (node->ipv4.length > 0)
        builder_addf(b, " ipv4 = \"%s\";", node->ipv4.at);
    if (node->ipv6.length > 0)
        builder_addf(b, " ipv6 = \"%s\";", node->ipv6.at);
    builder_addf(b, " }%s\n", is_last ? "" : ",");
}

void site_print(const struct site *site, struct builder *b)
{
    builder_add(b, TEXT_OF("# Answers for `gatewayctl ha config FILE`.\nnodes = (\n"));
    for (size_t i = 0; i < site->nodes.count; i++)
        add_node(&site->nodes.items[i], i + 1 == site->nodes.count, b);
    builder_add(b, TEXT_OF(");\naddresses = (\n"));
    for (size_t i = 0; i < site->addresses.count; i++) {
        const struct site_address *a = &site->addresses.items[i];

        builder_addf(b, "  { name = \"%s\"; address = \"%s\"; home = \"%s\"; router_id = %u; }%s\n",
                     a->name.at, a->address.at, a->home.at, a->number,
                     i + 1 == site->addresses.count ? "" : ",");
    }
    builder_add(b, TEXT_OF(");\n"));
}
