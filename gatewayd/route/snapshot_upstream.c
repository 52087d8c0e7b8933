/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_upstream.c - from an upstream as configured to a fleet: slots, names, TLS contexts,
 * targets.
 */
#include "gatewayd/route/snapshot_private.h"

#include "conf/base/mem.h"
#include "gatewayd/net/tls.h"

/* ---- slots ---- */

static unsigned take_slot(struct snapshot_compiler *c)
{
    size_t slot = 0;

    while (slot < c->slot_count && c->slots[slot] != 0)
        slot++;
    if (slot == c->slot_count) {
        size_t count = c->slot_count == 0 ? 16 : c->slot_count * 2;

        c->slots = mem_resize(c->slots, count);
        memset(c->slots + c->slot_count, 0, count - c->slot_count);
        c->slot_count = count;
    }
    c->slots[slot] = 1;
    return (unsigned)slot;
}

/* ---- names ---- */

static void give_names(struct snapshot_upstream *u)
{
    for (size_t i = 0; i < u->name_count; i++)
        names_give(&u->names[i]);
    MEM_FREE(&u->names);
    u->name_count = 0;
}

static bool is_literal(const struct upstream_target *target, struct address *address_out)
{
    return address_parse(target->address, address_out);
}

/* New names are taken before old ones are given back, so that what stays is not asked for again. */
static void take_names(struct snapshot_compiler *c, struct snapshot_upstream *u)
{
    const struct upstream_targets *targets = &u->resource->upstream->targets;
    struct name **names = mem_new_array(targets->count + 1, sizeof(struct name *));
    struct address ignored;

    for (size_t i = 0; i < targets->count; i++) {
        const struct upstream_target *target = &targets->items[i];

        if (!is_literal(target, &ignored))
            names[i] = names_take(c->names, target->at.host, target->at.port);
    }
    give_names(u);
    u->names = names;
    u->name_count = targets->count;
}

bool snapshot_upstream_is_answered(const struct snapshot_upstream *u)
{
    for (size_t i = 0; i < u->name_count; i++) {
        if (u->names[i] != NULL && !names_is_answered(u->names[i]))
            return false;
    }
    return true;
}

static uint64_t sum_of_versions(const struct snapshot_upstream *u)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < u->name_count; i++)
        sum += u->names[i] == NULL ? 0 : names_version(u->names[i]);
    return sum;
}

/* ---- records ---- */

static struct snapshot_upstream *make(struct snapshot_compiler *c, struct resource *resource)
{
    struct snapshot_upstream *u = mem_new(sizeof(*u));

    u->resource = resource_ref(resource);
    u->slot = take_slot(c);
    (void)map_set(&c->upstreams, u->resource->name, u);
    take_names(c, u);
    return u;
}

struct snapshot_upstream *snapshot_upstream_take(struct snapshot_compiler *c,
                                                 struct resource *resource)
{
    struct snapshot_upstream *u = map_find(&c->upstreams, resource->name);
    struct resource *before;

    if (u == NULL)
        u = make(c, resource);
    u->job = c->job;
    if (u->resource == resource)
        return u;
    before = u->resource;
    u->resource = resource_ref(resource);
    (void)map_set(&c->upstreams, u->resource->name, u); /* the key belongs to the resource */
    if (!resource_equals(before, resource))
        take_names(c, u);
    resource_unref(&before);
    return u;
}

static void free_upstream(struct snapshot_compiler *c, struct snapshot_upstream *u)
{
    (void)map_remove(&c->upstreams, u->resource->name);
    c->slots[u->slot] = 0;
    give_names(u);
    fleet_unref(&u->fleet);
    resource_unref(&u->resource);
    MEM_FREE(&u);
}

void snapshot_upstream_sweep(struct snapshot_compiler *c, bool all)
{
    struct snapshot_upstream **gone =
        mem_new_array(c->upstreams.count + 1, sizeof(struct snapshot_upstream *));
    struct map_entry *entry;
    size_t count = 0;

    for (size_t i = 0; map_next(&c->upstreams, &i, &entry);) {
        struct snapshot_upstream *u = entry->value;

        if (all || u->job != c->job)
            gone[count++] = u;
    }
    for (size_t i = 0; i < count; i++)
        free_upstream(c, gone[i]);
    MEM_FREE(&gone);
}

/* ---- fleets ---- */

static struct tls_client *make_tls(struct snapshot_compiler *c, const struct upstream *upstream)
{
    const struct upstream_tls *tls = upstream->tls;
    static const struct text protocols[] = { TEXT("http/1.1"), TEXT("h2") };
    struct tls_client_options options = {
        .server_name = tls->server_name,
        .ca = tls->ca,
        .cert = tls->cert,
        .key = tls->key,
        .alpn = &protocols[upstream->protocol == UPSTREAM_HTTP2],
        .alpn_count = 1,
        .verify = tls->verify,
    };
    struct problems problems;
    struct tls_client *made;

    problems_init(&problems);
    made = tls_client_new(&options, (struct place){ .path = "tls" }, &problems);
    if (made == NULL)
        builder_addf(&c->reason, "The upstream %.*s: %s", TEXT_ARGS(upstream->name),
                     problems.count == 0 ? "its TLS settings are of no use."
                                         : problems.items[0].sentence);
    problems_fini(&problems);
    return made;
}

static bool has_same_tls(const struct upstream *a, const struct upstream *b)
{
    if (a->tls == NULL || b->tls == NULL)
        return a->tls == b->tls;
    return a->protocol == b->protocol && a->tls->verify == b->tls->verify &&
           text_equals(a->tls->server_name, b->tls->server_name) &&
           text_equals(a->tls->ca, b->tls->ca) && text_equals(a->tls->cert, b->tls->cert) &&
           text_equals(a->tls->key, b->tls->key);
}

/* Files are looked at again after SIGHUP only; those that are as they were cost nobody a handshake.
 */
static bool has_same_files(const struct snapshot_compiler *c, const struct snapshot_upstream *u)
{
    return u->fleet->tls == NULL || u->files_version == c->files_version ||
           tls_client_is_current(u->fleet->tls);
}

/* A count of the context to use; NULL with a reason, or NULL for plain. */
static struct tls_client *take_tls(struct snapshot_compiler *c, const struct snapshot_upstream *u)
{
    const struct upstream *upstream = u->resource->upstream;

    if (upstream->tls == NULL)
        return NULL;
    if (u->fleet != NULL && u->fleet->tls != NULL && has_same_tls(upstream, u->fleet->upstream) &&
        has_same_files(c, u))
        return tls_client_ref(u->fleet->tls);
    return make_tls(c, upstream);
}

static void add_target(struct snapshot_compiler *c, struct fleet *fleet,
                       const struct upstream_target *configured, const struct address *address)
{
    struct target_facts facts = {
        .upstream = fleet->upstream,
        .configured = configured,
        .address = address,
        .now = snapshot_now(c),
        .wall = snapshot_wall(c),
    };

    fleet_add(fleet, target_table_take(&c->targets, &facts), configured);
}

static void add_targets(struct snapshot_compiler *c, const struct snapshot_upstream *u,
                        struct fleet *fleet)
{
    const struct upstream_targets *targets = &fleet->upstream->targets;
    struct address literal;

    for (size_t i = 0; i < targets->count; i++) {
        const struct upstream_target *target = &targets->items[i];
        const struct address *addresses;
        size_t count;

        if (u->names[i] == NULL) {
            MUST(is_literal(target, &literal));
            add_target(c, fleet, target, &literal);
            continue;
        }
        addresses = names_addresses(u->names[i], &count);
        for (size_t a = 0; a < count; a++)
            add_target(c, fleet, target, &addresses[a]);
    }
}

bool snapshot_upstream_compile(struct snapshot_compiler *c, struct snapshot_upstream *u)
{
    uint64_t version = sum_of_versions(u);
    struct tls_client *tls;
    struct fleet *fleet;

    if (u->fleet != NULL && resource_equals(u->fleet->resource, u->resource) &&
        u->names_version == version && has_same_files(c, u)) {
        u->files_version = c->files_version;
        return true;
    }
    tls = take_tls(c, u);
    if (tls == NULL && u->resource->upstream->tls != NULL)
        return false;
    fleet = fleet_new(u->resource, u->slot, c->settings.workers, tls);
    if (tls != NULL)
        tls_client_unref(&tls);
    add_targets(c, u, fleet);
    fleet_seal(fleet, u->fleet, snapshot_now(c));
    fleet_unref(&u->fleet);
    u->fleet = fleet;
    u->names_version = version;
    u->files_version = c->files_version;
    return true;
}
