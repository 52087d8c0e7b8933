/* SPDX-License-Identifier: Apache-2.0 */
/*
 * router_build.c - making the index. Routes are put in in the order of their rank, so every list
 * comes out sorted by being appended to.
 */
#include "gatewayd/route/router_private.h"

#include "conf/base/mem.h"

struct ranked {
    uint64_t rank; /* smaller is better */
    const struct route_piece *route;
};

struct router_builder {
    struct router *router;
    struct ranked *ranked;
    size_t next;
};

#define COUNT_MAX 0xffffu

/* Method named before any, then more headers, then more query parameters; names are in order. */
static uint64_t rank_of(const struct rule *rule)
{
    uint64_t headers = rule->header_count < COUNT_MAX ? rule->header_count : COUNT_MAX;
    uint64_t query = rule->query_count < COUNT_MAX ? rule->query_count : COUNT_MAX;

    return (uint64_t)rule->any_method << 32 | (COUNT_MAX - headers) << 16 | (COUNT_MAX - query);
}

/* One pass of a radix sort, by the byte at `shift`. */
static void sort_pass(struct ranked *from, struct ranked *into, size_t count, unsigned shift)
{
    size_t starts[257] = { 0 };

    for (size_t i = 0; i < count; i++)
        starts[(from[i].rank >> shift & 0xff) + 1]++;
    for (unsigned b = 0; b < 256; b++)
        starts[b + 1] += starts[b];
    for (size_t i = 0; i < count; i++)
        into[starts[from[i].rank >> shift & 0xff]++] = from[i];
}

/* Stable and linear; bytes in which all are equal (mostly all of them) cost nothing. */
static void sort(struct router_builder *b, size_t count)
{
    struct ranked *spare = mem_new_array(count + 1, sizeof(*spare));
    uint64_t differing = 0;

    for (size_t i = 1; i < count; i++)
        differing |= b->ranked[i].rank ^ b->ranked[0].rank;
    for (unsigned shift = 0; shift < 40; shift += 8) {
        struct ranked *sorted = spare;

        if ((differing >> shift & 0xff) == 0)
            continue;
        sort_pass(b->ranked, sorted, count, shift);
        spare = b->ranked;
        b->ranked = sorted;
    }
    MEM_FREE(&spare);
}

static size_t slots_for(size_t nodes)
{
    size_t slots = 64;

    while (slots < nodes * 2)
        slots *= 2;
    return slots;
}

struct router_builder *router_builder_new(struct route_piece *const *routes, size_t count)
{
    struct router_builder *b = mem_new(sizeof(*b));
    struct router *router = mem_new(sizeof(*router));

    router->count = 1;
    arena_init(&router->arena, SIZE_MAX);
    router->slot_count = slots_for(count);
    router->slots = mem_new_array(router->slot_count, sizeof(*router->slots));
    router->routes = mem_new_array(count + 1, sizeof(*router->routes));
    router->route_count = count;
    b->router = router;
    b->ranked = mem_new_array(count + 1, sizeof(*b->ranked));
    for (size_t i = 0; i < count; i++) {
        router->routes[i] = routes[i];
        b->ranked[i] = (struct ranked){ rank_of(routes[i]->rule), routes[i] };
    }
    sort(b, count);
    return b;
}

void router_builder_free(struct router_builder **b)
{
    if (*b == NULL)
        return;
    router_unref(&(*b)->router);
    MEM_FREE(&(*b)->ranked);
    MEM_FREE(b);
}

static void place(struct router *router, struct router_slot slot)
{
    size_t mask = router->slot_count - 1;
    size_t i = slot.hash & mask;

    while (router->slots[i].node != NULL)
        i = (i + 1) & mask;
    router->slots[i] = slot;
}

static void grow(struct router *router)
{
    struct router_slot *old = router->slots;
    size_t old_count = router->slot_count;

    router->slot_count *= 2;
    router->slots = mem_new_array(router->slot_count, sizeof(*router->slots));
    for (size_t i = 0; i < old_count; i++) {
        if (old[i].node != NULL)
            place(router, old[i]);
    }
    MEM_FREE(&old);
}

static struct router_node *take_node(struct router *router, struct router_node *parent,
                                     enum router_node_kind kind, struct text key)
{
    struct router_node *node = router_find_node(router, parent, kind, key);

    if (node != NULL)
        return node;
    if ((router->node_count + 1) * 2 > router->slot_count)
        grow(router);
    node = arena_zalloc(&router->arena, sizeof(*node));
    node->parent = parent;
    node->kind = kind;
    node->key = key;
    place(router, (struct router_slot){ router_hash(parent, kind, key), node });
    router->node_count++;
    return node;
}

static struct router_site *take_site(struct router *router, const struct rule_host *host)
{
    bool is_exact = host->kind == RULE_HOST_EXACT;
    struct router_node *node;

    if (host->kind == RULE_HOST_ANY)
        return &router->any;
    node = take_node(router, NULL, is_exact ? ROUTER_NODE_HOST : ROUTER_NODE_WILDCARD, host->name);
    if (node->site != NULL)
        return node->site;
    node->site = arena_zalloc(&router->arena, sizeof(*node->site));
    if (is_exact) {
        router->exact_hosts++;
        return node->site;
    }
    router->wildcard_hosts++;
    if (host->name.length > router->wildcard_longest)
        router->wildcard_longest = host->name.length;
    return node->site;
}

static struct router_node *take_child(struct router *router, struct router_node *node,
                                      const struct rule_path *path, unsigned segment)
{
    size_t before = router->node_count;
    struct router_node *child;

    if (path->variables != NULL && path->variables[segment].length > 0) {
        if (node->variable == NULL) {
            node->variable = arena_zalloc(&router->arena, sizeof(*node->variable));
            node->variable->parent = node;
        }
        return node->variable;
    }
    child = take_node(router, node, ROUTER_NODE_SEGMENT, path->segments[segment]);
    if (router->node_count > before)
        node->literal_children++;
    return child;
}

static struct router_list *take_list(struct router *router, struct router_site *site,
                                     const struct rule_path *path)
{
    struct router_node *node = &site->root;

    switch (path->kind) {
    case RULE_PATH_ANY:
        return &node->here;
    case RULE_PATH_EXACT:
        site->exact_count++;
        return &take_node(router, node, ROUTER_NODE_EXACT, path->path)->whole;
    case RULE_PATH_REGEX:
    case RULE_PATH_PREFIX:
    case RULE_PATH_TEMPLATE:
        break;
    }
    for (unsigned i = 0; i < path->segment_count; i++)
        node = take_child(router, node, path, i);
    if (path->kind == RULE_PATH_REGEX)
        return &node->regexes;
    return path->kind == RULE_PATH_PREFIX ? &node->here : &node->whole;
}

static void append(struct router *router, struct router_site *site, struct router_entry entry)
{
    struct router_list *list = take_list(router, site, entry.path);
    bool is_regex = entry.path->kind == RULE_PATH_REGEX;
    struct router_entry *added;

    /* "/p" and "/p/" of one route. */
    if (list->last != NULL && list->last->route == entry.route && !is_regex)
        return;
    added = arena_alloc(&router->arena, sizeof(*added));
    *added = entry;
    if (is_regex) {
        added->next_regex = site->regexes;
        site->regexes = added;
    }
    if (list->last == NULL)
        list->first = added;
    else
        list->last->next = added;
    list->last = added;
}

static void add_route(struct router *router, const struct route_piece *route, size_t order)
{
    const struct rule *rule = route->rule;
    struct router_entry entry = { .order = order, .route = route, .rule = rule };

    for (unsigned h = 0; h < rule->host_count; h++) {
        struct router_site *site = take_site(router, &rule->hosts[h]);

        for (unsigned p = 0; p < rule->path_count; p++) {
            entry.host = &rule->hosts[h];
            entry.path = &rule->paths[p];
            append(router, site, entry);
        }
    }
}

bool router_builder_step(struct router_builder *b, size_t amount)
{
    for (; amount > 0 && b->next < b->router->route_count; amount--, b->next++)
        add_route(b->router, b->ranked[b->next].route, b->next);
    return b->next == b->router->route_count;
}

struct router *router_builder_take(struct router_builder **b)
{
    struct router *router = (*b)->router;

    MUST((*b)->next == router->route_count);
    (*b)->router = NULL;
    router_builder_free(b);
    return router;
}
