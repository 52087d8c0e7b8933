/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/schema_walk.h"

#include "conf/print_json.h"
#include "conf/schema_private.h"

void schema_walk_init(struct schema_walk *w)
{
    w->count = 0;
}

static bool has_found(const struct schema_walk *w, const struct schema *schema)
{
    for (size_t i = 0; i < w->count; i++) {
        if (w->found[i] == schema)
            return true;
    }
    return false;
}

void schema_walk_add(struct schema_walk *w, const struct schema *schema)
{
    if (has_found(w, schema))
        return;
    MUST(w->count < SCHEMA_WALK_MAX);
    w->found[w->count++] = schema;
    for (size_t i = 0; i < schema->count; i++) {
        if (schema->fields[i].schema != NULL)
            schema_walk_add(w, schema->fields[i].schema);
    }
}

void schema_walk_print_initial(const struct schema *schema, const struct field *field,
                               struct builder *b)
{
    struct arena arena;
    struct doc initial;

    arena_init(&arena, SIZE_MAX);
    if (schema_value_initial(field, &arena, &initial))
        print_json(&initial, b);
    arena_reset(&arena);
}

void schema_walk_print_type(const struct field *field, struct builder *b)
{
    static const char *const names[] = {
        [FIELD_TYPE_TEXT] = "text",           [FIELD_TYPE_NAME] = "name",
        [FIELD_TYPE_INT] = "integer",         [FIELD_TYPE_DURATION] = "duration",
        [FIELD_TYPE_SIZE] = "size",           [FIELD_TYPE_BOOL] = "true or false",
        [FIELD_TYPE_CHOICE] = "one of",       [FIELD_TYPE_CHOICES] = "list of",
        [FIELD_TYPE_TEXTS] = "list of texts", [FIELD_TYPE_GROUP] = "",
        [FIELD_TYPE_OPTIONAL] = "",           [FIELD_TYPE_GROUPS] = "list of ",
        [FIELD_TYPE_MAP] = "map of texts",    [FIELD_TYPE_REFERENCE] = "name of a",
        [FIELD_TYPE_PATH] = "path",
    };
    const char *separator = " ";

    MUST((size_t)field->type < ARRAY_LENGTH(names));
    builder_add(b, text_of(names[field->type]));
    for (const struct field_choice *c = field->choices; c != NULL && c->name != NULL; c++) {
        if (c->is_later)
            continue;
        builder_addf(b, "%s`%s`", separator, c->name);
        separator = ", ";
    }
    if (field->type == FIELD_TYPE_REFERENCE)
        builder_addf(b, "%s %s", field->kind == RESOURCE_UPSTREAM ? "n" : "",
                     resource_kind_singular(field->kind));
    if (field->schema != NULL)
        builder_add(b, text_of(field->schema->name));
}
