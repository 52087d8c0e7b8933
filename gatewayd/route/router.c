/* SPDX-License-Identifier: Apache-2.0 */
/*
 * router.c - matching: hosts from exact to any, in each the paths from exact to "/", best first.
 *
 * The order of the walk is the contract's order down to the path; within one list entries are
 * sorted by method named, headers, query and name, so the first entry that holds wins. HEAD, which
 * GET takes too, looks at a list once for each way in which a method can fit. The walk of a tree
 * visits no node twice: each is reached by one path only.
 */
#include "gatewayd/route/router_private.h"

#include "conf/base/mem.h"

#define ODD_METHODS_MAX 16

struct walk {
    const struct router *router;
    const struct request_head *head;
    struct arena *arena;
    struct router_match *match;
    bool has_missed_method; /* something may match in everything but the method */
    bool has_given_up;
    bool is_collecting; /* the second walk, for Allow */
    uint32_t methods;
    struct text odd_methods[ODD_METHODS_MAX];
    unsigned odd_count;
};

/* ---- the table ---- */

static inline uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t load(const char *at, size_t length)
{
    uint64_t word = 0;

    memcpy(&word, at, length);
    return word;
}

/* Only the configuration fills the table, so nobody can aim at it: speed is all that counts. */
uint64_t router_hash(const struct router_node *parent, enum router_node_kind kind, struct text key)
{
    uint64_t hash =
        mix((uint64_t)(uintptr_t)parent ^ 0x9e3779b97f4a7c15u, (uint64_t)kind + 0x5851u);
    size_t i = 0;

    for (; i + 8 <= key.length; i += 8)
        hash = mix(hash ^ load(key.at + i, 8), 0xa0761d6478bd642fu);
    if (i < key.length)
        hash = mix(hash ^ load(key.at + i, key.length - i), 0xe7037ed1a0b428dbu);
    return mix(hash ^ key.length, 0x8ebc6af09c88c6e3u);
}

struct router_node *router_find_node(const struct router *router, const struct router_node *parent,
                                     enum router_node_kind kind, struct text key)
{
    uint64_t hash = router_hash(parent, kind, key);
    size_t mask = router->slot_count - 1;

    for (size_t i = hash & mask; router->slots[i].node != NULL; i = (i + 1) & mask) {
        struct router_node *node = router->slots[i].node;

        if (router->slots[i].hash == hash && node->parent == parent && node->kind == kind &&
            text_equals(node->key, key))
            return node;
    }
    return NULL;
}

struct router_site *router_find_site(const struct router *router, const struct rule_host *host)
{
    enum router_node_kind kind =
        host->kind == RULE_HOST_EXACT ? ROUTER_NODE_HOST : ROUTER_NODE_WILDCARD;
    struct router_node *node;

    if (host->kind == RULE_HOST_ANY)
        return (struct router_site *)&router->any;
    node = router_find_node(router, NULL, kind, host->name);
    return node == NULL ? NULL : node->site;
}

/* ---- lists ---- */

/* Those that a route without methods takes, as far as they have names. */
#define ANY_METHODS (((1u << METHOD_OTHER) - 1) & ~(1u << METHOD_TRACE) & ~(1u << METHOD_CONNECT))

static void collect_methods(struct walk *w, const struct rule *rule)
{
    w->methods |= rule->any_method ? ANY_METHODS : rule->methods;
    for (unsigned i = 0; i < rule->odd_method_count && w->odd_count < ODD_METHODS_MAX; i++) {
        unsigned j = 0;

        while (j < w->odd_count && !text_equals(w->odd_methods[j], rule->odd_methods[i]))
            j++;
        if (j == w->odd_count)
            w->odd_methods[w->odd_count++] = rule->odd_methods[i];
    }
}

/* The rest of the questions, cheapest first; host and path (but for regexes) are settled. */
static enum pattern_result entry_holds(struct walk *w, const struct router_entry *entry)
{
    enum pattern_result result = PATTERN_YES;

    if (entry->path->kind == RULE_PATH_REGEX)
        result = pattern_match(entry->path->pattern, w->head->path);
    if (result == PATTERN_YES)
        result = rule_conditions_hold(entry->rule, w->head, w->arena);
    if (result == PATTERN_GAVE_UP)
        w->has_given_up = true;
    return result;
}

/* The first that holds and comes before `before`, or NULL; giving up stops it, too. While Allow is
 * collected nothing holds. */
static const struct router_entry *find_in(struct walk *w, const struct router_list *list,
                                          enum rule_method_fit only,
                                          const struct router_entry *before)
{
    for (const struct router_entry *entry = list->first; entry != NULL; entry = entry->next) {
        enum rule_method_fit fit = rule_method_fit(entry->rule, w->head);

        if (before != NULL && entry->order >= before->order)
            return NULL;
        if (fit == RULE_METHOD_NOT) {
            w->has_missed_method = true;
            if (w->is_collecting && entry_holds(w, entry) == PATTERN_YES)
                collect_methods(w, entry->rule);
            continue;
        }
        if (w->is_collecting || (only != RULE_METHOD_NOT && fit != only))
            continue;
        switch (entry_holds(w, entry)) {
        case PATTERN_YES:
            return entry;
        case PATTERN_GAVE_UP:
            return NULL;
        case PATTERN_NO:
            break;
        }
    }
    return NULL;
}

/* True ends the walk: found, or given up. */
static bool end_with(struct walk *w, const struct router_entry *found)
{
    if (found != NULL) {
        w->match->route = found->route;
        w->match->host = found->host;
        w->match->path = found->path;
    }
    return found != NULL || (w->has_given_up && !w->is_collecting);
}

/* HEAD: first who lists it, then who lists GET, then who takes any. */
static const enum rule_method_fit head_fits[] = { RULE_METHOD_NAMED, RULE_METHOD_AS_GET,
                                                  RULE_METHOD_ANY };
static const enum rule_method_fit one_fit[] = { RULE_METHOD_NOT };

static const enum rule_method_fit *fits_of(const struct walk *w, unsigned *count_out)
{
    bool is_head = w->head->method == METHOD_HEAD && !w->is_collecting;

    *count_out = is_head ? ARRAY_LENGTH(head_fits) : ARRAY_LENGTH(one_fit);
    return is_head ? head_fits : one_fit;
}

static bool try_list(struct walk *w, const struct router_list *list)
{
    const enum rule_method_fit *fits;
    unsigned count;

    if (list->first == NULL)
        return false;
    fits = fits_of(w, &count);
    for (unsigned i = 0; i < count; i++) {
        if (end_with(w, find_in(w, list, fits[i], NULL)))
            return true;
    }
    return false;
}

/* ---- paths ---- */

/* Prefixes and templates: a literal before the variable, what is longer before what ends here. */
static bool walk_segments(struct walk *w, const struct router_node *node, size_t at, bool is_root)
{
    const struct router_node *child;
    struct text segment;
    size_t next = at;

    if (!rule_next_segment(w->head->path, &next, &segment))
        return try_list(w, &node->whole) || (!is_root && try_list(w, &node->here));
    if (node->literal_children > 0) {
        child = router_find_node(w->router, node, ROUTER_NODE_SEGMENT, segment);
        if (child != NULL && walk_segments(w, child, next, false))
            return true;
    }
    if (node->variable != NULL && segment.length > 0 &&
        walk_segments(w, node->variable, next, false))
        return true;
    return !is_root && try_list(w, &node->here);
}

/* Regexes are equal as paths: the best of those on the way down the literal segments. */
static const struct router_entry *find_regex(struct walk *w, const struct router_site *site,
                                             enum rule_method_fit only)
{
    const struct router_node *node = &site->root;
    const struct router_entry *best = NULL;
    struct text segment;
    size_t at = 0;

    while (node != NULL) {
        const struct router_entry *better = find_in(w, &node->regexes, only, best);

        best = better != NULL ? better : best;
        if (node->literal_children == 0 || !rule_next_segment(w->head->path, &at, &segment))
            break;
        node = router_find_node(w->router, node, ROUTER_NODE_SEGMENT, segment);
    }
    return w->has_given_up && !w->is_collecting ? NULL : best;
}

static bool walk_regexes(struct walk *w, const struct router_site *site)
{
    const enum rule_method_fit *fits;
    unsigned count;

    if (site->regexes == NULL)
        return false;
    fits = fits_of(w, &count);
    for (unsigned i = 0; i < count; i++) {
        if (end_with(w, find_regex(w, site, fits[i])))
            return true;
    }
    return false;
}

static bool walk_site(struct walk *w, const struct router_site *site)
{
    const struct router_node *exact;

    if (site->exact_count > 0) {
        exact = router_find_node(w->router, &site->root, ROUTER_NODE_EXACT, w->head->path);
        if (exact != NULL && try_list(w, &exact->whole))
            return true;
    }
    return walk_segments(w, &site->root, 0, true) || walk_regexes(w, site) ||
           try_list(w, &site->root.here);
}

/* ---- hosts ---- */

static bool walk_wildcards(struct walk *w)
{
    const struct router *router = w->router;
    struct text host = w->head->host;
    size_t dot = text_find_byte(host, '.');
    const struct router_node *node;

    while (dot < host.length) {
        bool has_label = host.length < w->head->host.length || dot > 0;

        host = text_skip(host, dot + 1);
        dot = text_find_byte(host, '.');
        if (host.length > router->wildcard_longest || !has_label)
            continue;
        node = router_find_node(router, NULL, ROUTER_NODE_WILDCARD, host);
        if (node != NULL && walk_site(w, node->site))
            return true;
    }
    return false;
}

static bool walk_hosts(struct walk *w)
{
    const struct router *router = w->router;
    const struct router_node *node;

    if (router->exact_hosts > 0) {
        node = router_find_node(router, NULL, ROUTER_NODE_HOST, w->head->host);
        if (node != NULL && walk_site(w, node->site))
            return true;
    }
    if (router->wildcard_hosts > 0 && walk_wildcards(w))
        return true;
    return walk_site(w, &router->any);
}

/* ---- the answer ---- */

static bool print_allow(struct walk *w, struct text *allow_out)
{
    char *into;
    size_t size = METHOD_OTHER * 10;
    size_t length = 0;
    struct text names[METHOD_OTHER + ODD_METHODS_MAX];
    unsigned count = 0;

    if (w->methods & (1u << METHOD_GET))
        w->methods |= 1u << METHOD_HEAD;
    for (unsigned m = 0; m < METHOD_OTHER; m++) {
        if ((w->methods >> m) & 1)
            names[count++] = method_name((enum method)m);
    }
    for (unsigned i = 0; i < w->odd_count; i++) {
        names[count++] = w->odd_methods[i];
        size += w->odd_methods[i].length + 2;
    }
    into = arena_try_alloc(w->arena, size);
    if (into == NULL)
        return false;
    for (unsigned i = 0; i < count; i++) {
        memcpy(into + length, ", ", i > 0 ? 2 : 0);
        length += i > 0 ? 2 : 0;
        memcpy(into + length, names[i].at, names[i].length);
        length += names[i].length;
    }
    *allow_out = text_from(into, length);
    return true;
}

/* Nothing matched, but something might have with another method. */
static enum router_outcome collect_allow(struct walk *w)
{
    w->is_collecting = true;
    (void)walk_hosts(w);
    if (w->methods == 0 && w->odd_count == 0)
        return w->has_given_up ? ROUTER_GAVE_UP : ROUTER_NO_ROUTE;
    return print_allow(w, &w->match->allow) ? ROUTER_NO_METHOD : ROUTER_GAVE_UP;
}

enum router_outcome router_match(const struct router *router, const struct request_head *head,
                                 struct arena *arena, struct router_match *match_out)
{
    struct walk w = { .router = router, .head = head, .arena = arena, .match = match_out };

    *match_out = (struct router_match){ .route = NULL };
    if (!walk_hosts(&w))
        return w.has_missed_method ? collect_allow(&w) : ROUTER_NO_ROUTE;
    if (w.has_given_up)
        return ROUTER_GAVE_UP;
    if (match_out->path->kind == RULE_PATH_PREFIX)
        match_out->prefix_length = match_out->path->path.length;
    return ROUTER_FOUND;
}

bool router_find_capture(const struct router_match *match, struct text path, struct text name,
                         struct text *value_out)
{
    const struct rule_path *matched = match->path;
    struct text segment;
    unsigned i = 0;

    if (matched->variables == NULL)
        return false;
    for (size_t at = 0; rule_next_segment(path, &at, &segment) && i < matched->segment_count; i++) {
        if (matched->variables[i].length > 0 && text_equals(matched->variables[i], name)) {
            *value_out = segment;
            return true;
        }
    }
    return false;
}

size_t router_route_count(const struct router *router)
{
    return router->route_count;
}

const struct route_piece *router_find_route(const struct router *router, struct text name)
{
    size_t low = 0;
    size_t high = router->route_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = text_compare(router->routes[middle]->rule->name, name);

        if (order == 0)
            return router->routes[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

struct router *router_ref(struct router *router)
{
    router->count++;
    return router;
}

void router_unref(struct router **router)
{
    struct router *r = *router;

    *router = NULL;
    if (r == NULL || --r->count > 0)
        return;
    MEM_FREE(&r->slots);
    MEM_FREE(&r->routes);
    arena_reset(&r->arena);
    MEM_FREE(&r);
}
