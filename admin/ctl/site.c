/* SPDX-License-Identifier: Apache-2.0 */
/* site.c - the table of a site, and the rules between its fields. */
#include "admin/ctl/site.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>

#include "conf/grammar.h"

#define NAME_MAX_LENGTH 32 /* it names files and a VRRP instance */
#define ROUTER_IDS      255
#define WHERE_SIZE      64

/* ---- single fields ---- */

static bool is_of_host(const struct address *a)
{
    if (address_is_any(a) || address_is_loopback(a))
        return false;
    if (a->any.sa_family == AF_INET)
        return !IN_MULTICAST(ntohl(a->v4.sin_addr.s_addr));
    return !IN6_IS_ADDR_MULTICAST(&a->v6.sin6_addr) && !IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr);
}

static bool is_ip(struct text t, int family, struct address *address_out)
{
    return text_find_byte(t, '[') == t.length && address_parse_ip(t, 0, address_out) &&
           (family == AF_UNSPEC || address_out->any.sa_family == family) && is_of_host(address_out);
}

static bool check_ipv4(struct text name, struct text value, const struct checks *checks,
                       struct builder *why)
{
    struct address a;

    return is_ip(value, AF_INET, &a) ||
           grammar_say(why, value, "must be an IPv4 address of the node, as \"10.0.0.11\"");
}

static bool check_ipv6(struct text name, struct text value, const struct checks *checks,
                       struct builder *why)
{
    struct address a;

    return is_ip(value, AF_INET6, &a) ||
           grammar_say(why, value, "must be an IPv6 address of the node, as \"2001:db8::11\"");
}

/* The first and the last address of an IPv4 network are nobody's. */
static bool is_first_or_last(const struct address *a, unsigned bits)
{
    uint32_t host = bits < 32 ? UINT32_MAX >> bits : 0;
    uint32_t own = a->any.sa_family == AF_INET ? ntohl(a->v4.sin_addr.s_addr) & host : 1;

    return a->any.sa_family == AF_INET && bits < 31 && (own == 0 || own == host);
}

/* As all who read the file of addresses take it. */
static bool is_length(struct text t)
{
    return t.length == 1 || (t.length > 1 && t.at[0] != '0');
}

/* Without a length the address would be alone in its network, which nobody means. */
static bool check_virtual(struct text name, struct text value, const struct checks *checks,
                          struct builder *why)
{
    size_t slash = text_find_byte(value, '/');
    struct network network;
    struct address a;

    if (slash < value.length && is_ip(text_first(value, slash), AF_UNSPEC, &a) &&
        network_parse(value, &network) && network.bits > 0 &&
        is_length(text_skip(value, slash + 1)))
        return !is_first_or_last(&a, network.bits) ||
               grammar_say(why, value,
                           "must be one of a host, not the first or last of its network");
    return grammar_say(why, value,
                       "must be an address with the length of its network, as "
                       "\"10.0.0.100/24\" or \"2001:db8::100/64\"");
}

static bool check_instance(struct text name, struct text value, const struct checks *checks,
                           struct builder *why)
{
    bool is_good = value.length > 0 && value.length <= NAME_MAX_LENGTH && value.at[0] != '-';

    for (size_t i = 0; i < value.length && is_good; i++) {
        char c = value.at[i];

        is_good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    }
    return is_good || grammar_say(why, value,
                                  "must be 1 to 32 lower-case letters, digits or '-', not "
                                  "beginning with '-'");
}

/* Everything goes into files whose words are parted by blanks, unquoted. */
static bool is_word(struct text t, const char *more)
{
    for (size_t i = 0; i < t.length; i++) {
        char c = t.at[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!is_plain && strchr(more, c) == NULL)
            return false;
    }
    return t.length > 0;
}

static bool check_interface(struct text name, struct text value, const struct checks *checks,
                            struct builder *why)
{
    return (value.length < IFNAMSIZ && is_word(value, "._-@") &&
            !text_equals(value, TEXT_OF(".")) && !text_equals(value, TEXT_OF(".."))) ||
           grammar_say(why, value, "must be the name of a network interface, as \"eth0\"");
}

static bool check_path(struct text name, struct text value, const struct checks *checks,
                       struct builder *why)
{
    return (value.length > 1 && value.at[0] == '/' && is_word(value, "/._-")) ||
           grammar_say(why, value, "must be an absolute path of letters, digits, '.', '_', '-'");
}

static bool check_user(struct text name, struct text value, const struct checks *checks,
                       struct builder *why)
{
    if (text_equals(value, TEXT_OF("root")))
        return grammar_say(why, value, "must be a user without privileges");
    return (value.length <= 32 && is_word(value, "_-") && value.at[0] != '-') ||
           grammar_say(why, value, "must be the name of a system user");
}

/* ---- the tables ---- */

static const struct field node_fields[] = {
    FIELD_NAME(struct site_node, name, .flags = FIELD_REQUIRED,
               .summary = "The node's name, as `node` in its gatewayd.conf.",
               .example = "\"gw-a\""),
    FIELD_TEXT(struct site_node, interface, .initial = "eth0", .check = check_interface,
               .summary = "The network interface that the virtual addresses are put on.",
               .example = "\"eth0\""),
    FIELD_TEXT(struct site_node, ipv4, .check = check_ipv4,
               .summary = "Its own IPv4 address, from which it talks to the other nodes.",
               .example = "\"10.0.0.11\""),
    FIELD_TEXT(struct site_node, ipv6, .check = check_ipv6,
               .summary = "Its own IPv6 address; needed where there are virtual ones.",
               .example = "\"2001:db8::11\""),
};

static const struct schema node_schema_of_site = {
    .name = "node",
    .summary = "A machine with gatewayd and keepalived.",
    .fields = node_fields,
    .count = ARRAY_LENGTH(node_fields),
    .size = sizeof(struct site_node),
};

static const struct field address_fields[] = {
    FIELD_TEXT(struct site_address, name, .flags = FIELD_REQUIRED, .check = check_instance,
               .summary = "Unique name, of the VRRP instance and in /v1/nodes and metrics.",
               .example = "\"a\""),
    FIELD_TEXT(struct site_address, address, .flags = FIELD_REQUIRED, .check = check_virtual,
               .summary = "The virtual address, with the length of its network.",
               .example = "\"10.0.0.100/24\""),
    FIELD_TEXT(struct site_address, home, .flags = FIELD_REQUIRED,
               .summary = "The node that holds it while all are well.", .example = "\"gw-a\""),
    FIELD_INT(struct site_address, router_id, .minimum = 1, .maximum = ROUTER_IDS,
              .summary = "Its VRRP number; counted on from `router_id` of the site when not set.",
              .example = "61"),
};

static const struct schema address_schema = {
    .name = "address",
    .summary = "An address that clients use, held by one node at a time.",
    .fields = address_fields,
    .count = ARRAY_LENGTH(address_fields),
    .size = sizeof(struct site_address),
};

static const struct field fields[] = {
    FIELD_GROUPS(struct site, nodes, struct site_node, &node_schema_of_site,
                 .flags = FIELD_REQUIRED, .minimum = 2, .maximum = SITE_NODES_MAX,
                 .summary = "The nodes.",
                 .example = "[{\"name\": \"gw-a\", \"ipv4\": \"10.0.0.11\"}, {\"name\": \"gw-b\", "
                            "\"ipv4\": \"10.0.0.12\"}]"),
    FIELD_GROUPS(struct site, addresses, struct site_address, &address_schema,
                 .flags = FIELD_REQUIRED, .minimum = 1, .maximum = SITE_ADDRESSES_MAX,
                 .summary = "The virtual addresses: one at home on each node and all of them "
                            "work; one alone and the others wait.",
                 .example = "[{\"name\": \"a\", \"address\": \"10.0.0.100/24\", \"home\": "
                            "\"gw-a\"}]"),
    FIELD_INT(struct site, router_id, .initial = "51", .minimum = 1, .maximum = ROUTER_IDS,
              .summary = "The VRRP number of the first address; nobody else in the network may "
                         "use these.",
              .example = "51"),
    FIELD_TEXT(struct site, user, .initial = "gatewayd", .check = check_user,
               .summary = "The user that keepalived runs the scripts as.",
               .example = "\"gatewayd\""),
    FIELD_TEXT(struct site, folder, .initial = "/run/gatewayd-ha", .check = check_path,
               .summary = "Where gatewayd and keepalived tell each other what is; `ha.folder` in "
                          "gatewayd.conf.",
               .example = "\"/run/gatewayd-ha\""),
    FIELD_TEXT(struct site, programs, .initial = "/usr/libexec/gatewayd", .check = check_path,
               .summary = "Where the scripts and helpers are.",
               .example = "\"/usr/libexec/gatewayd\""),
    FIELD_BOOL(struct site, realtime, .initial = "true",
               .summary = "keepalived gets its turn before everything else. Off only where a "
                          "container forbids it.",
               .example = "true"),
};

/* ---- rules between them ---- */

static bool has_family(const struct site_node *node, bool is_v6)
{
    return (is_v6 ? node->ipv6 : node->ipv4).length > 0;
}

static bool is_same_ip(struct text a, struct text b)
{
    struct address x;
    struct address y;

    return a.length > 0 && b.length > 0 && address_parse_ip(a, 0, &x) &&
           address_parse_ip(b, 0, &y) && address_equals(&x, &y);
}

static void check_nodes(const struct site_nodes *nodes, struct schema_binding *b)
{
    char where[WHERE_SIZE];

    for (size_t i = 0; i < nodes->count; i++) {
        const struct site_node *node = &nodes->items[i];

        (void)snprintf(where, sizeof(where), "nodes/%zu", i);
        if (node->ipv4.length == 0 && node->ipv6.length == 0)
            schema_problem(b, where, "%s needs an address of its own: ipv4, ipv6 or both.",
                           node->name.at);
        for (size_t j = 0; j < i; j++) {
            const struct site_node *other = &nodes->items[j];

            if (text_equals(node->name, other->name))
                schema_problem(b, where, "The name %s is that of node %zu too.", node->name.at, j);
            if (is_same_ip(node->ipv4, other->ipv4) || is_same_ip(node->ipv6, other->ipv6))
                schema_problem(b, where, "The address is that of node %s too.", other->name.at);
        }
    }
}

static struct text bare(const struct site_address *a)
{
    return text_first(a->address, text_find_byte(a->address, '/'));
}

static void check_home(const struct site *site, struct site_address *a, size_t i,
                       struct schema_binding *b)
{
    char where[WHERE_SIZE];

    a->home_index = site_find_node(site, a->home);
    (void)snprintf(where, sizeof(where), "addresses/%zu/home", i);
    if (a->home_index == site->nodes.count)
        schema_problem(b, where, "There is no node %s.", a->home.at);
    (void)snprintf(where, sizeof(where), "addresses/%zu/address", i);
    for (size_t n = 0; n < site->nodes.count; n++) {
        const struct site_node *node = &site->nodes.items[n];

        if (!has_family(node, a->is_v6))
            schema_problem(b, where, "%s needs an %s of every node, and %s has none.",
                           a->address.at, a->is_v6 ? "ipv6" : "ipv4", node->name.at);
        if (is_same_ip(bare(a), a->is_v6 ? node->ipv6 : node->ipv4))
            schema_problem(b, where,
                           "%s is node %s's own address; a virtual one belongs to no "
                           "node.",
                           a->address.at, node->name.at);
    }
}

static void check_numbers(const struct site *site, struct site_address *a, size_t i,
                          struct schema_binding *b)
{
    int64_t number = a->router_id != FIELD_UNSET ? a->router_id : site->router_id + (int64_t)i;
    char where[WHERE_SIZE];

    (void)snprintf(where, sizeof(where), "addresses/%zu/router_id", i);
    a->number = (unsigned)number;
    if (number > ROUTER_IDS)
        schema_problem(b, where, "VRRP numbers end at 255, and %s would have %u.", a->name.at,
                       a->number);
    for (size_t j = 0; j < i; j++) {
        if (site->addresses.items[j].number == a->number)
            schema_problem(b, where, "The VRRP number %u is that of %s too.", a->number,
                           site->addresses.items[j].name.at);
    }
}

static void check_unique(const struct site *site, const struct site_address *a, size_t i,
                         struct schema_binding *b)
{
    char where[WHERE_SIZE];

    (void)snprintf(where, sizeof(where), "addresses/%zu", i);
    for (size_t j = 0; j < i; j++) {
        const struct site_address *other = &site->addresses.items[j];

        if (text_equals(a->name, other->name))
            schema_problem(b, where, "The name %s is that of address %zu too.", a->name.at, j);
        if (is_same_ip(bare(a), bare(other)))
            schema_problem(b, where, "The address %.*s is that of %s too.", TEXT_ARGS(bare(a)),
                           other->name.at);
    }
}

static void check(void *object, struct schema_binding *b)
{
    struct site *site = object;
    size_t size = site->addresses.count * sizeof(struct site_address);
    struct site_address *all = arena_zalloc(schema_arena(b), size);

    memcpy(all, site->addresses.items, size);
    site->addresses.items = all;
    check_nodes(&site->nodes, b);
    for (size_t i = 0; i < site->addresses.count; i++) {
        all[i].is_v6 = text_find_byte(all[i].address, ':') < all[i].address.length;
        check_unique(site, &all[i], i, b);
        check_home(site, &all[i], i, b);
        check_numbers(site, &all[i], i, b);
    }
}

const struct schema site_schema = {
    .name = "site",
    .summary = "Nodes that hold virtual addresses for each other.",
    .fields = fields,
    .count = ARRAY_LENGTH(fields),
    .size = sizeof(struct site),
    .check = check,
};

bool site_bind(const struct doc *doc, const char *file, struct arena *arena, struct problems *ps,
               struct site *site_out)
{
    const struct place root = { .file = file, .pointer = "", .path = "" };

    return schema_bind(&site_schema, doc, &root, NULL, arena, ps, site_out);
}

size_t site_find_node(const struct site *site, struct text name)
{
    size_t i = 0;

    while (i < site->nodes.count && !text_equals(site->nodes.items[i].name, name))
        i++;
    return i;
}
