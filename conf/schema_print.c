/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_print.c - documents made from documents: in one form (canonical), or completed (full).
 */
#include "conf/schema_private.h"

static struct doc canonical_value(const struct field *field, const struct doc *value,
                                  struct arena *arena);

static struct doc canonical_map(const struct doc *map, struct arena *arena)
{
    struct doc object = doc_object();
    struct pair pair;

    if (map->type == DOC_OBJECT || schema_value_map_repeats(map))
        return *map;
    for (size_t i = 0; i < map->list.count; i++) {
        if (schema_value_map_entry(map, i, &pair))
            doc_add(&object, arena, pair.name, doc_text(pair.value));
    }
    return object;
}

static struct doc canonical_list(const struct schema *schema, const struct doc *list,
                                 struct arena *arena)
{
    struct doc made = doc_list();

    for (size_t i = 0; i < list->list.count; i++)
        doc_append(&made, arena, schema_canonical(schema, &list->list.items[i], arena));
    return made;
}

static struct doc canonical_value(const struct field *field, const struct doc *value,
                                  struct arena *arena)
{
    bool is_map = value->type == DOC_OBJECT || value->type == DOC_LIST;

    if (field->type == FIELD_TYPE_MAP && is_map)
        return canonical_map(value, arena);
    if (field->type == FIELD_TYPE_GROUPS && value->type == DOC_LIST)
        return canonical_list(field->schema, value, arena);
    if (field->type == FIELD_TYPE_GROUP || field->type == FIELD_TYPE_OPTIONAL)
        return schema_canonical(field->schema, value, arena);
    return *value;
}

/* Unknown fields, sorted by name: they come from a newer node and must not depend on its order. */
static void add_unknown(const struct schema *schema, const struct doc *doc, struct arena *arena,
                        struct doc *object)
{
    size_t first = object->object.count;

    for (size_t i = 0; i < doc->object.count; i++) {
        const struct doc_member *m = &doc->object.members[i];
        struct doc_member *sorted;
        size_t at;

        if (m->value.type == DOC_NULL || schema_find(schema, m->name) != NULL)
            continue;
        doc_add(object, arena, m->name, m->value);
        sorted = object->object.members;
        for (at = object->object.count - 1;
             at > first && text_compare(sorted[at - 1].name, m->name) > 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = *m;
    }
}

struct doc schema_canonical(const struct schema *schema, const struct doc *doc, struct arena *arena)
{
    struct doc object = doc_object();
    size_t known = 0;

    if (doc->type != DOC_OBJECT)
        return *doc;
    for (size_t row = 0; row < schema->count; row++) {
        const struct field *field = &schema->fields[row];
        const struct doc *value = doc_find(doc, text_of(field->name));

        if (value == NULL)
            continue;
        known++;
        if (value->type != DOC_NULL)
            doc_add(&object, arena, text_of(field->name), canonical_value(field, value, arena));
    }
    if (known < doc->object.count)
        add_unknown(schema, doc, arena, &object);
    return object;
}

/* ---- full ---- */

static struct doc full_value(const struct field *field, const struct doc *value,
                             struct arena *arena)
{
    struct doc made = doc_list();

    if ((field->flags & FIELD_SECRET) != 0)
        return doc_text(TEXT_OF("***"));
    if (field->type == FIELD_TYPE_GROUP || field->type == FIELD_TYPE_OPTIONAL)
        return schema_full(field->schema, value, arena);
    if (field->type != FIELD_TYPE_GROUPS || value->type != DOC_LIST)
        return canonical_value(field, value, arena);
    for (size_t i = 0; i < value->list.count; i++)
        doc_append(&made, arena, schema_full(field->schema, &value->list.items[i], arena));
    return made;
}

static bool has_default(const struct schema *schema, const struct field *field,
                        const struct doc *doc, struct arena *arena, struct doc *value_out)
{
    const struct doc nothing = doc_object();
    const struct field *like;

    if (field->only_with != NULL && doc_find(doc, text_of(field->only_with)) == NULL)
        return false;
    if (field->initial_like != NULL) {
        const struct doc *value = doc_find(doc, text_of(field->initial_like));

        like = schema_find(schema, text_of(field->initial_like));
        if (value == NULL)
            return schema_value_initial(like, arena, value_out);
        *value_out = *value;
        return true;
    }
    if (schema_value_initial(field, arena, value_out))
        return true;
    if (field->type == FIELD_TYPE_GROUP)
        *value_out = schema_full(field->schema, &nothing, arena);
    else if (field->type == FIELD_TYPE_MAP)
        *value_out = doc_object();
    else if (field->type == FIELD_TYPE_TEXTS || field->type == FIELD_TYPE_GROUPS ||
             field->type == FIELD_TYPE_CHOICES)
        *value_out = doc_list();
    else
        return false;
    return true;
}

struct doc schema_full(const struct schema *schema, const struct doc *doc, struct arena *arena)
{
    struct doc object = doc_object();
    size_t known = 0;

    if (doc->type != DOC_OBJECT)
        return *doc;
    for (size_t row = 0; row < schema->count; row++) {
        const struct field *field = &schema->fields[row];
        const struct doc *value = doc_find(doc, text_of(field->name));
        struct doc initial;

        known += value != NULL;
        if (value != NULL && value->type != DOC_NULL)
            doc_add(&object, arena, text_of(field->name), full_value(field, value, arena));
        else if (has_default(schema, field, doc, arena, &initial))
            doc_add(&object, arena, text_of(field->name), initial);
    }
    if (known < doc->object.count)
        add_unknown(schema, doc, arena, &object);
    return object;
}
