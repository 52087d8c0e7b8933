/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/listing_cells.h"

#include "admin/ctl/outline.h"

#define CELL_MAX  ((size_t)1 << 20)
#define CELL_WIDE 48 /* bytes of a list that are shown */

static const struct doc *find_list(const struct doc *object, const char *name)
{
    const struct doc *list = doc_find(object, text_of(name));

    return list != NULL && list->type == DOC_LIST ? list : NULL;
}

static size_t count_of(const struct doc *object, const char *name)
{
    const struct doc *list = find_list(object, name);

    return list == NULL ? 0 : list->list.count;
}

static void add_text(struct table *table, const struct doc *item, const char *name)
{
    table_add(table, doc_find_text(item, text_of(name)));
}

/* What the builder holds, cut where it gets too wide. */
static void add_built(struct table *table, struct builder *b)
{
    struct text t = builder_text(b);

    if (t.length > CELL_WIDE) {
        size_t end = CELL_WIDE;

        /* Not within a character. */
        while (end > 0 && ((unsigned char)t.at[end] & 0xc0) == 0x80)
            end--;
        b->length = end;
        builder_add(b, TEXT_OF("…"));
    }
    table_add(table, builder_text(b));
    builder_fini(b);
}

/* A list of texts, or `name` of each group of a list. */
static void add_list(struct table *table, const struct doc *list, const char *name)
{
    struct builder b;

    builder_init(&b, CELL_MAX);
    for (size_t i = 0; list != NULL && i < list->list.count; i++) {
        const struct doc *one = &list->list.items[i];

        one = name == NULL ? one : doc_find(one, text_of(name));
        builder_add(&b, i > 0 ? TEXT_OF(",") : TEXT_EMPTY);
        if (one != NULL)
            outline_print_value(one, &b);
    }
    add_built(table, &b);
}

static int64_t number_of(const struct doc *object, const char *name, int64_t otherwise)
{
    const struct doc *value = doc_find(object, text_of(name));

    return value != NULL && value->type == DOC_INT ? value->integer : otherwise;
}

static bool is_true(const struct doc *object, const char *name)
{
    const struct doc *value = doc_find(object, text_of(name));

    return value != NULL && value->type == DOC_BOOL && value->boolean;
}

/* ---- upstreams ---- */

static void print_target(const struct doc *target, struct builder *b)
{
    int64_t weight = number_of(target, "weight", 1);

    outline_print_text(doc_find_text(target, TEXT_OF("address")), b);
    if (is_true(target, "drain"))
        builder_add(b, TEXT_OF(" (drain)"));
    else if (weight != 1)
        builder_addf(b, " (%lld)", (long long)weight);
    else if (is_true(target, "backup"))
        builder_add(b, TEXT_OF(" (backup)"));
}

static void add_targets(struct table *table, const struct doc *item)
{
    const struct doc *targets = find_list(item, "targets");
    struct builder b;

    builder_init(&b, CELL_MAX);
    for (size_t i = 0; targets != NULL && i < targets->list.count; i++) {
        builder_add(&b, i > 0 ? TEXT_OF(", ") : TEXT_EMPTY);
        print_target(&targets->list.items[i], &b);
    }
    add_built(table, &b);
}

static void add_upstream(const struct doc *item, struct table *table)
{
    const struct doc *health = doc_find(item, TEXT_OF("health"));
    const struct doc *tls = doc_find(item, TEXT_OF("tls"));
    struct text type = doc_find_text(health, TEXT_OF("type"));
    struct text interval = doc_find_text(health, TEXT_OF("interval"));

    add_text(table, item, "name");
    add_targets(table, item);
    add_text(table, item, "balance");
    table_add(table, tls != NULL && tls->type == DOC_OBJECT ? TEXT_OF("yes") : TEXT_OF("no"));
    if (type.length > 0)
        table_addf(table, "%.*s every %.*s", TEXT_ARGS(type), TEXT_ARGS(interval));
    else
        table_add(table, TEXT_EMPTY);
}

/* ---- routes ---- */

static void add_goal(struct table *table, const struct doc *item)
{
    const struct doc *respond = doc_find(item, TEXT_OF("respond"));
    const struct doc *redirect = doc_find(item, TEXT_OF("redirect"));
    struct text upstream = doc_find_text(item, TEXT_OF("upstream"));

    if (upstream.length > 0)
        table_add(table, upstream);
    else if (count_of(item, "split") > 0)
        add_list(table, find_list(item, "split"), "upstream");
    else if (respond != NULL && respond->type == DOC_OBJECT)
        table_addf(table, "respond %lld", (long long)number_of(respond, "status", 200));
    else if (redirect != NULL && redirect->type == DOC_OBJECT)
        table_addf(table, "%lld %.*s", (long long)number_of(redirect, "status", 308),
                   TEXT_ARGS(doc_find_text(redirect, TEXT_OF("location"))));
    else
        table_add(table, TEXT_EMPTY);
}

static void add_route(const struct doc *item, struct table *table)
{
    const struct doc *match = doc_find(item, TEXT_OF("match"));
    const struct doc *auth = doc_find(item, TEXT_OF("auth"));

    add_text(table, item, "name");
    add_list(table, find_list(match, "hosts"), NULL);
    add_list(table, find_list(match, "paths"), NULL);
    add_list(table, find_list(match, "methods"), NULL);
    add_goal(table, item);
    if (auth == NULL || auth->type != DOC_OBJECT)
        table_add(table, TEXT_OF("open"));
    else
        add_list(table, find_list(auth, "methods"), NULL);
    add_list(table, find_list(item, "limits"), "name");
}

/* ---- plans and consumers ---- */

static void print_limit(const struct doc *limit, struct builder *b)
{
    int64_t quota = number_of(limit, "quota", -1);
    int64_t rate = number_of(limit, "rate", 0);
    int64_t burst = number_of(limit, "burst", rate);

    if (quota >= 0) {
        builder_addf(b, "%lld a %.*s", (long long)quota,
                     TEXT_ARGS(doc_find_text(limit, TEXT_OF("period"))));
        return;
    }
    builder_addf(b, "%lld/%.*s", (long long)rate, TEXT_ARGS(doc_find_text(limit, TEXT_OF("per"))));
    if (burst != rate)
        builder_addf(b, " burst %lld", (long long)burst);
}

static void add_plan(const struct doc *item, struct table *table)
{
    const struct doc *limits = find_list(item, "limits");
    struct builder b;

    add_text(table, item, "name");
    builder_init(&b, CELL_MAX);
    for (size_t i = 0; limits != NULL && i < limits->list.count; i++) {
        builder_add(&b, i > 0 ? TEXT_OF(", ") : TEXT_EMPTY);
        print_limit(&limits->list.items[i], &b);
    }
    table_add(table, builder_text(&b));
    builder_fini(&b);
}

static void add_consumer(const struct doc *item, struct table *table)
{
    add_text(table, item, "name");
    add_text(table, item, "plan");
    add_list(table, find_list(item, "groups"), NULL);
}

/* ---- keys ---- */

static void add_key(const struct doc *item, struct table *table)
{
    struct text state = doc_find_text(item, TEXT_OF("state"));

    add_text(table, item, "id");
    add_text(table, item, "consumer");
    add_text(table, item, "prefix");
    table_add_painted(table, state, paint_of_state(state));
    add_text(table, item, "created_at");
    add_text(table, item, "expires_at");
    add_list(table, find_list(item, "scopes"), NULL);
}

/* ---- the tables ---- */

typedef void listing_cells_fn(const struct doc *item, struct table *table);

static const struct shape {
    const char *plural;
    const char *const titles[TABLE_COLUMNS];
    listing_cells_fn *add;
} shapes[] = {
    { "upstreams", { "NAME", "TARGETS", "BALANCE", "TLS", "CHECKED" }, add_upstream },
    { "routes", { "NAME", "HOSTS", "PATHS", "METHODS", "TO", "AUTH", "LIMITS" }, add_route },
    { "plans", { "NAME", "LIMITS" }, add_plan },
    { "consumers", { "NAME", "PLAN", "GROUPS" }, add_consumer },
    { "keys", { "ID", "CONSUMER", "PREFIX", "STATE", "CREATED", "EXPIRES", "SCOPES" }, add_key },
};

static const struct shape *shape_of(const struct kind *kind)
{
    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++) {
        if (strcmp(shapes[i].plural, kind->plural) == 0)
            return &shapes[i];
    }
    MUST(!"every kind has a table");
    return &shapes[0];
}

const char *const *listing_cells_titles(const struct kind *kind)
{
    return shape_of(kind)->titles;
}

void listing_cells_add(const struct kind *kind, const struct doc *item, struct table *table)
{
    shape_of(kind)->add(item, table);
}
