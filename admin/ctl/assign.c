/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/assign.h"

#include "conf/read_json.h"

#define ITEMS_MAX 1000

struct assigning {
    struct arena *arena;
    struct builder *why;
    struct text path; /* the whole of it, for sentences */
    struct text value;
};

static bool read_as_json(struct assigning *a, struct doc *doc_out)
{
    struct problems ps;
    bool is_read;

    problems_init(&ps);
    is_read = read_json(a->value, a->arena, &ps, doc_out);
    if (!is_read)
        builder_addf(a->why, "%.*s: %s", TEXT_ARGS(a->path), ps.items[0].sentence);
    problems_fini(&ps);
    return is_read;
}

static struct doc text_doc(struct assigning *a, struct text value)
{
    return doc_text(arena_copy(a->arena, value));
}

/* A number where the row may have one and it looks like one, else a text. */
static struct doc number_or_text(struct assigning *a)
{
    int64_t number;

    if (text_parse_i64(a->value, &number))
        return doc_int(number);
    return text_doc(a, a->value);
}

static bool read_bool(struct assigning *a, struct doc *doc_out)
{
    bool is_true = text_equals(a->value, TEXT_OF("true")) || text_equals(a->value, TEXT_OF("yes"));
    bool is_false = text_equals(a->value, TEXT_OF("false")) || text_equals(a->value, TEXT_OF("no"));

    *doc_out = doc_bool(is_true);
    if (!is_true && !is_false)
        builder_addf(a->why, "%.*s must be true or false, got \"%.*s\".", TEXT_ARGS(a->path),
                     TEXT_ARGS(a->value));
    return is_true || is_false;
}

/* "a,b": of texts, or of groups of which only the first field is said. */
static struct doc list_of(struct assigning *a, const struct field *row)
{
    struct doc list = doc_list();
    struct text rest = a->value;
    struct text item;

    while (rest.at != NULL && text_cut(&rest, ',', &item)) {
        struct doc value = text_doc(a, text_trim(item));
        struct doc group = doc_object();

        if (row->type == FIELD_TYPE_GROUPS)
            doc_add(&group, a->arena, text_of(row->schema->fields[0].name), value);
        doc_append(&list, a->arena, row->type == FIELD_TYPE_GROUPS ? group : value);
    }
    return list;
}

static bool refuse_group(struct assigning *a, const struct field *row)
{
    builder_addf(a->why, "%.*s has fields of its own: %.*s.%s=… or %.*s={…} as JSON.",
                 TEXT_ARGS(a->path), TEXT_ARGS(a->path),
                 row->schema == NULL ? "NAME" : row->schema->fields[0].name, TEXT_ARGS(a->path));
    return false;
}

/* The value as its row wants it. `row` NULL: a member of a map. */
static bool read_value(struct assigning *a, const struct field *row, struct doc *doc_out)
{
    char first = text_is_empty(a->value) ? '\0' : a->value.at[0];

    if (first == '\0') {
        *doc_out = doc_null();
        return true;
    }
    if (row == NULL) {
        *doc_out = text_doc(a, a->value);
        return true;
    }
    switch (row->type) {
    case FIELD_TYPE_BOOL:
        return read_bool(a, doc_out);
    case FIELD_TYPE_INT:
    case FIELD_TYPE_SIZE:
        *doc_out = number_or_text(a);
        return true;
    case FIELD_TYPE_TEXTS:
    case FIELD_TYPE_CHOICES:
    case FIELD_TYPE_GROUPS:
        if (first == '[')
            return read_as_json(a, doc_out);
        *doc_out = list_of(a, row);
        return true;
    case FIELD_TYPE_GROUP:
    case FIELD_TYPE_OPTIONAL:
    case FIELD_TYPE_MAP:
        if (first == '{' || first == '[')
            return read_as_json(a, doc_out);
        return refuse_group(a, row);
    case FIELD_TYPE_TEXT:
    case FIELD_TYPE_NAME:
    case FIELD_TYPE_DURATION:
    case FIELD_TYPE_CHOICE:
    case FIELD_TYPE_REFERENCE:
    case FIELD_TYPE_PATH:
        break;
    }
    *doc_out = text_doc(a, a->value);
    return true;
}

/* ---- the way to the field ---- */

static bool refuse_field(struct assigning *a, const struct schema *schema, struct text name)
{
    const char *nearest = schema_nearest(schema, name);

    builder_addf(a->why, "%.*s: a %s has no field \"%.*s\".", TEXT_ARGS(a->path), schema->name,
                 TEXT_ARGS(name));
    if (nearest != NULL)
        builder_addf(a->why, " Is %s meant?", nearest);
    return false;
}

/* The object below, made if there is none yet. */
static struct doc *enter(struct assigning *a, struct doc *object, struct text name,
                         struct doc nothing)
{
    struct doc *inside = (struct doc *)doc_find(object, name);

    if (inside != NULL && inside->type == nothing.type)
        return inside;
    return doc_set(object, a->arena, arena_copy(a->arena, name), nothing);
}

static bool assign_in(struct assigning *a, struct doc *object, const struct schema *schema,
                      struct text rest);

/* targets.0.weight */
static bool assign_in_list(struct assigning *a, struct doc *list, const struct field *row,
                           struct text rest)
{
    struct text index = text_first(rest, text_find_byte(rest, '.'));
    uint64_t at;

    if (!text_parse_u64(index, &at) || at > list->list.count || at >= ITEMS_MAX ||
        index.length == rest.length) {
        builder_addf(a->why, "%.*s: items are numbered from 0, one after the other: %s.0.%s=…",
                     TEXT_ARGS(a->path), row->name, row->schema->fields[0].name);
        return false;
    }
    if (at == list->list.count)
        doc_append(list, a->arena, doc_object());
    return assign_in(a, &list->list.items[at], row->schema, text_skip(rest, index.length + 1));
}

static bool assign_in_map(struct assigning *a, struct doc *map, struct text name)
{
    struct doc value = doc_null();

    if (!read_value(a, NULL, &value))
        return false;
    doc_set(map, a->arena, arena_copy(a->arena, name), value);
    return true;
}

static bool assign_below(struct assigning *a, struct doc *object, const struct field *row,
                         struct text rest)
{
    struct text name = text_of(row->name);

    if (row->type == FIELD_TYPE_MAP)
        return assign_in_map(a, enter(a, object, name, doc_object()), rest);
    if (row->type == FIELD_TYPE_GROUPS)
        return assign_in_list(a, enter(a, object, name, doc_list()), row, rest);
    if (row->schema != NULL)
        return assign_in(a, enter(a, object, name, doc_object()), row->schema, rest);
    builder_addf(a->why, "%.*s: %s has no fields of its own.", TEXT_ARGS(a->path), row->name);
    return false;
}

static bool assign_in(struct assigning *a, struct doc *object, const struct schema *schema,
                      struct text rest)
{
    struct text name = text_first(rest, text_find_byte(rest, '.'));
    const struct field *row = schema_find(schema, name);
    struct doc value = doc_null();

    if (row == NULL)
        return refuse_field(a, schema, name);
    if (name.length < rest.length)
        return assign_below(a, object, row, text_skip(rest, name.length + 1));
    if (!read_value(a, row, &value))
        return false;
    doc_set(object, a->arena, text_of(row->name), value);
    return true;
}

bool assign_add(struct doc *object, const struct schema *schema, struct text assignment,
                struct arena *arena, struct builder *why)
{
    size_t equals = text_find_byte(assignment, '=');
    struct assigning a = {
        .arena = arena,
        .why = why,
        .path = text_first(assignment, equals),
        .value = text_skip(assignment, equals + 1),
    };

    if (equals == 0 || equals == assignment.length) {
        builder_addf(why, "\"%.*s\" is not FIELD=VALUE.", TEXT_ARGS(assignment));
        return false;
    }
    return assign_in(&a, object, schema, a.path);
}
