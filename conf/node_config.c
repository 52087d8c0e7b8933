/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node_config.c - a node file as an object: reading, counting, comparing two.
 */
#include "conf/base/mem.h"
#include "conf/node.h"
#include "conf/read_libconfig.h"
#include "conf/schema.h"

static struct node_config *bind_node(struct arena *arena, const struct doc *doc, const char *file,
                                     struct problems *ps)
{
    const struct place root = { .file = file, .pointer = "", .path = "" };
    struct node_config *node = mem_new(sizeof(*node));

    if (!schema_bind(&node_schema, doc, &root, NULL, arena, ps, node)) {
        MEM_FREE(&node);
        return NULL;
    }
    atomic_init(&node->count, 1);
    node->arena = *arena;
    node->set = *doc;
    return node;
}

struct node_config *node_config_parse(struct text text, const char *file, struct problems *ps)
{
    struct node_config *node = NULL;
    struct arena arena;
    struct doc doc;

    arena_init(&arena, SIZE_MAX);
    if (read_libconfig_text(text, file, &arena, ps, &doc))
        node = bind_node(&arena, &doc, file, ps);
    if (node == NULL)
        arena_reset(&arena);
    return node;
}

struct node_config *node_config_read(const char *file, struct problems *ps)
{
    struct node_config *node = NULL;
    struct arena arena;
    struct doc doc;

    arena_init(&arena, SIZE_MAX);
    if (read_libconfig(file, &arena, ps, &doc))
        node = bind_node(&arena, &doc, file, ps);
    if (node == NULL)
        arena_reset(&arena);
    return node;
}

struct node_config *node_config_ref(struct node_config *n)
{
    unsigned before = atomic_fetch_add_explicit(&n->count, 1, memory_order_relaxed);

    MUST(before > 0);
    return n;
}

void node_config_unref(struct node_config **n)
{
    struct node_config *gone = *n;

    *n = NULL;
    if (gone == NULL || atomic_fetch_sub_explicit(&gone->count, 1, memory_order_acq_rel) != 1)
        return;
    arena_reset(&gone->arena);
    MEM_FREE(&gone);
}

/* ---- changes ---- */

struct comparison {
    node_config_change_fn *visit;
    void *arg;
    struct arena *arena;
};

static const struct doc *member_or_null(const struct doc *doc, const char *name)
{
    static const struct doc null = { .type = DOC_NULL };
    const struct doc *member = doc_find(doc, text_of(name));

    return member == NULL ? &null : member;
}

static void compare(struct comparison *c, const struct schema *schema, const char *prefix,
                    const struct doc *before, const struct doc *after);

static void compare_items(struct comparison *c, const struct schema *schema, const char *path,
                          const struct doc *before, const struct doc *after)
{
    for (size_t i = 0; i < before->list.count; i++) {
        const char *item = arena_print(c->arena, "%s[%zu]", path, i).at;

        compare(c, schema, item, &before->list.items[i], &after->list.items[i]);
    }
}

/* Groups that both have are compared field by field, lists of them if none came or went. */
static void compare(struct comparison *c, const struct schema *schema, const char *prefix,
                    const struct doc *before, const struct doc *after)
{
    for (size_t row = 0; row < schema->count; row++) {
        const struct field *field = &schema->fields[row];
        const struct doc *a = member_or_null(before, field->name);
        const struct doc *b = member_or_null(after, field->name);
        struct text path =
            arena_print(c->arena, "%s%s%s", prefix, prefix[0] == '\0' ? "" : ".", field->name);

        if (doc_equals(a, b))
            continue;
        if (field->schema != NULL && a->type == DOC_OBJECT && b->type == DOC_OBJECT)
            compare(c, field->schema, path.at, a, b);
        else if (field->schema != NULL && a->type == DOC_LIST && b->type == DOC_LIST &&
                 a->list.count == b->list.count)
            compare_items(c, field->schema, path.at, a, b);
        else
            c->visit(c->arg, path, (field->flags & FIELD_LIVE) != 0);
    }
}

void node_config_changes(const struct node_config *before, const struct node_config *after,
                         node_config_change_fn *visit, void *arg)
{
    struct arena arena;
    struct comparison c = { .visit = visit, .arg = arg, .arena = &arena };
    struct doc a;
    struct doc b;

    arena_init(&arena, SIZE_MAX);
    a = schema_full(&node_schema, &before->set, &arena);
    b = schema_full(&node_schema, &after->set, &arena);
    compare(&c, &node_schema, "", &a, &b);
    arena_reset(&arena);
}
