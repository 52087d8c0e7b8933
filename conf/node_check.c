/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node_check.c - the rules between the fields of the node file, and what is derived from them.
 */
#include <stdio.h>
#include <unistd.h>

#include "conf/grammar.h"
#include "conf/node_private.h"

bool node_check_address(struct text name, struct text value, const struct checks *checks,
                        struct builder *why)
{
    struct address address;

    if (address_parse(value, &address) &&
        (address.any.sa_family == AF_UNIX || address_port(&address) != 0))
        return true;
    return grammar_say(why, value,
                       "must be an address to listen on, \"IP:port\", \"[IPv6]:port\" or "
                       "\"unix:/path\", the port from 1 to 65535");
}

bool node_check_network(struct text name, struct text value, const struct checks *checks,
                        struct builder *why)
{
    struct network network;

    if (network_parse(value, &network))
        return true;
    return grammar_say(why, value, "must be a network or an address, as \"10.0.0.0/8\" or \"::1\"");
}

bool node_check_access(struct text name, struct text value, const struct checks *checks,
                       struct builder *why)
{
    if (text_equals(value, TEXT_OF("stdout")) || text_equals(value, TEXT_OF("off")) ||
        text_find_byte(value, '/') < value.length)
        return true;
    return grammar_say(why, value, "must be \"stdout\", \"off\" or a path with a / in it");
}

/* ---- groups ---- */

static bool are_together(struct schema_binding *b, struct text cert, struct text key)
{
    if ((cert.length == 0) == (key.length == 0))
        return true;
    schema_problem(b, "", "cert and key belong together; %s is missing.",
                   cert.length == 0 ? "cert" : "key");
    return false;
}

void node_check_tls(void *object, struct schema_binding *b)
{
    struct node_tls *tls = object;
    struct node_certificate *all;
    size_t count = 0;

    if (!are_together(b, tls->cert, tls->key))
        return;
    if (tls->cert.length == 0 && tls->certificates.count == 0) {
        schema_problem(b, "", "tls needs a certificate: cert and key, or certificates.");
        return;
    }
    all = arena_zalloc(schema_arena(b), (tls->certificates.count + 1) * sizeof(*all));
    if (tls->cert.length > 0)
        all[count++] = (struct node_certificate){ .cert = tls->cert, .key = tls->key };
    for (size_t i = 0; i < tls->certificates.count; i++)
        all[count++] = tls->certificates.items[i];
    tls->all = (struct node_certificates){ all, count };
}

void node_check_listener(void *object, struct schema_binding *b)
{
    struct node_listener *listener = object;

    MUST(address_parse(listener->address, &listener->at));
}

void node_check_admin(void *object, struct schema_binding *b)
{
    struct node_admin *admin = object;

    MUST(address_parse(admin->address, &admin->at));
    if (!address_is_loopback(&admin->at) && admin->tls == NULL)
        schema_problem(b, "address",
                       "%s is not a loopback address; the admin API is served there "
                       "only with tls.",
                       admin->address.at);
}

void node_check_redis_tls(void *object, struct schema_binding *b)
{
    const struct node_redis_tls *tls = object;

    (void)are_together(b, tls->cert, tls->key);
}

void node_check_state(void *object, struct schema_binding *b)
{
    const struct node_state *state = object;

    if (state->store == NODE_STORE_REDIS && state->redis == NULL)
        schema_problem(b, "", "redis is missing; the store \"redis\" needs its servers.");
}

/* ---- the node ---- */

/* The host's name up to its first dot is not taken: two hosts may share it. */
static void default_node(struct node_config *node, struct schema_binding *b)
{
    char name[256] = "";

    if (node->node.length > 0)
        return;
    (void)gethostname(name, sizeof(name) - 1);
    for (char *c = name; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
    if (resource_is_name(text_of(name)))
        node->node = arena_copy(schema_arena(b), text_of(name));
    else
        schema_problem(b, "",
                       "node is missing, and the host's name, \"%s\", cannot be used: a name "
                       "has 1 to 63 lower-case letters, digits, '.', '_' or '-'.",
                       name);
}

static void check_listeners(const struct node_config *node, struct schema_binding *b)
{
    const struct node_listeners *all = &node->listeners;
    char where[64];

    for (size_t i = 0; i < all->count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (text_equals(all->items[i].name, all->items[j].name)) {
                (void)snprintf(where, sizeof(where), "listeners/%zu/name", i);
                schema_problem(b, where,
                               "The name %s is that of listener %zu too; each must have "
                               "its own.",
                               all->items[i].name.at, j);
            }
            if (address_equals(&all->items[i].at, &all->items[j].at)) {
                (void)snprintf(where, sizeof(where), "listeners/%zu/address", i);
                schema_problem(b, where,
                               "The address %s is that of listener %s too; each must "
                               "have its own.",
                               all->items[i].address.at, all->items[j].name.at);
            }
        }
        if (address_equals(&all->items[i].at, &node->admin.at)) {
            (void)snprintf(where, sizeof(where), "listeners/%zu/address", i);
            schema_problem(b, where,
                           "The address %s is that of the admin API too; each must have "
                           "its own.",
                           all->items[i].address.at);
        }
    }
}

static void derive_trusted(struct node_config *node, struct schema_binding *b)
{
    size_t count = node->trusted_proxies.count;
    struct network *networks;

    if (count == 0)
        return;
    networks = arena_zalloc(schema_arena(b), count * sizeof(*networks));
    for (size_t i = 0; i < count; i++)
        MUST(network_parse(node->trusted_proxies.items[i], &networks[i]));
    node->trusted = (struct node_networks){ networks, count };
}

void node_check(void *object, struct schema_binding *b)
{
    struct node_config *node = object;

    default_node(node, b);
    check_listeners(node, b);
    derive_trusted(node, b);
}
