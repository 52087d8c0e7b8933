/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/schema_openapi.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "conf/print_json.h"
#include "conf/schema_walk.h"

#define NAME_PATTERN "'^[a-z0-9][a-z0-9._-]{0,62}$'"

struct printing {
    struct builder *b;
    unsigned indent;
};

/* A line, `level` levels of two spaces below the indent. */
static void line(struct printing *p, unsigned level, const char *format, ...) PRINTF_LIKE(3, 4);
static void line(struct printing *p, unsigned level, const char *format, ...)
{
    char printed[4096];
    va_list args;

    for (unsigned i = 0; i < p->indent + 2 * level; i++)
        builder_add_byte(p->b, ' ');
    va_start(args, format);
    (void)vsnprintf(printed, sizeof(printed), format, args);
    va_end(args);
    builder_add(p->b, text_of(printed));
    builder_add_byte(p->b, '\n');
}

/* A JSON string is a YAML string. */
static void text_line(struct printing *p, unsigned level, const char *name, const char *value)
{
    struct builder quoted;

    builder_init(&quoted, 8192);
    builder_add_json(&quoted, text_of(value));
    line(p, level, "%s: %.*s", name, TEXT_ARGS(builder_text(&quoted)));
    builder_fini(&quoted);
}

void schema_openapi_print_name(const struct schema *schema, struct builder *b)
{
    bool is_start = true;

    for (const char *c = schema->name; *c != '\0'; c++) {
        if (*c != '_')
            builder_add_byte(b, is_start ? (char)(*c - 'a' + 'A') : *c);
        is_start = *c == '_';
    }
}

static void print_reference(struct printing *p, unsigned level, const struct schema *schema)
{
    struct builder name;

    builder_init(&name, 200);
    schema_openapi_print_name(schema, &name);
    line(p, level, "$ref: '#/components/schemas/%.*s'", TEXT_ARGS(builder_text(&name)));
    builder_fini(&name);
}

static void print_bounds(struct printing *p, unsigned level, const struct field *field)
{
    line(p, level, "minimum: %" PRId64, field->minimum);
    if (field->maximum != 0)
        line(p, level, "maximum: %" PRId64, field->maximum);
}

static void print_choices(struct printing *p, unsigned level, const struct field *field)
{
    line(p, level, "type: string");
    line(p, level, "enum:");
    for (const struct field_choice *c = field->choices; c->name != NULL; c++) {
        if (!c->is_later)
            line(p, level, "- '%s'", c->name);
    }
}

static void print_list(struct printing *p, unsigned level, const struct field *field)
{
    line(p, level, "type: array");
    if (field->minimum != 0)
        line(p, level, "minItems: %" PRId64, field->minimum);
    if (field->maximum != 0)
        line(p, level, "maxItems: %" PRId64, field->maximum);
    line(p, level, "items:");
    if (field->type == FIELD_TYPE_GROUPS)
        print_reference(p, level + 1, field->schema);
    else if (field->type == FIELD_TYPE_CHOICES)
        print_choices(p, level + 1, field);
    else
        line(p, level + 1, "type: string");
}

static void print_map(struct printing *p, unsigned level)
{
    line(p, level, "oneOf:");
    line(p, level, "- type: object");
    line(p, level, "  additionalProperties:");
    line(p, level, "    type: string");
    line(p, level, "- type: array");
    line(p, level, "  items:");
    line(p, level, "    type: object");
    line(p, level, "    required: [name, value]");
    line(p, level, "    properties:");
    line(p, level, "      name:");
    line(p, level, "        type: string");
    line(p, level, "      value:");
    line(p, level, "        type: string");
}

static void print_size(struct printing *p, unsigned level, const struct field *field)
{
    line(p, level, "oneOf:");
    line(p, level, "- type: integer");
    line(p, level, "  format: int64");
    print_bounds(p, level + 1, field);
    line(p, level, "- type: string");
    line(p, level, "  pattern: '^[0-9]+[kMG]?$'");
}

static void print_type(struct printing *p, unsigned level, const struct field *field)
{
    switch (field->type) {
    case FIELD_TYPE_TEXT:
    case FIELD_TYPE_PATH:
        line(p, level, "type: string");
        break;
    case FIELD_TYPE_NAME:
    case FIELD_TYPE_REFERENCE:
        line(p, level, "type: string");
        line(p, level, "pattern: %s", NAME_PATTERN);
        break;
    case FIELD_TYPE_INT:
        line(p, level, "type: integer");
        line(p, level, "format: int64");
        print_bounds(p, level, field);
        break;
    case FIELD_TYPE_DURATION:
        line(p, level, "type: string");
        line(p, level, "pattern: '^[0-9]+(ms|s|m|h|d)$'");
        break;
    case FIELD_TYPE_SIZE:
        print_size(p, level, field);
        break;
    case FIELD_TYPE_BOOL:
        line(p, level, "type: boolean");
        break;
    case FIELD_TYPE_CHOICE:
        print_choices(p, level, field);
        break;
    case FIELD_TYPE_CHOICES:
    case FIELD_TYPE_TEXTS:
    case FIELD_TYPE_GROUPS:
        print_list(p, level, field);
        break;
    case FIELD_TYPE_GROUP:
    case FIELD_TYPE_OPTIONAL:
        print_reference(p, level, field->schema);
        break;
    case FIELD_TYPE_MAP:
        print_map(p, level);
        break;
    }
}

/* YAML 1.1 would read it as a boolean. */
static bool is_yaml_word(const char *name)
{
    static const char *const words[] = { "on", "off", "yes", "no", "y", "n", "true", "false" };

    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        if (strcmp(name, words[i]) == 0)
            return true;
    }
    return false;
}

static void print_field(struct printing *p, const struct schema *schema, const struct field *field)
{
    struct builder initial;

    line(p, 2, is_yaml_word(field->name) ? "'%s':" : "%s:", field->name);
    text_line(p, 3, "description", field->summary);
    print_type(p, 3, field);
    builder_init(&initial, 4096);
    schema_walk_print_initial(schema, field, &initial);
    if (builder_text(&initial).length > 0)
        line(p, 3, "default: %.*s", TEXT_ARGS(builder_text(&initial)));
    if (field->example != NULL)
        line(p, 3, "examples: [%s]", field->example);
    builder_fini(&initial);
}

/* The name of a resource may come from its address. */
static bool is_required(const struct schema *schema, const struct field *field)
{
    for (int kind = 0; kind < RESOURCE_KINDS; kind++) {
        if (schema == resource_kind_schema((enum resource_kind)kind) &&
            field->type == FIELD_TYPE_NAME)
            return false;
    }
    return (field->flags & FIELD_REQUIRED) != 0;
}

static void print_required(struct printing *p, const struct schema *schema)
{
    bool is_first = true;

    for (size_t i = 0; i < schema->count; i++) {
        if (!is_required(schema, &schema->fields[i]))
            continue;
        if (is_first)
            line(p, 1, "required:");
        is_first = false;
        line(p, 1, "- %s", schema->fields[i].name);
    }
}

static void print_schema(struct printing *p, const struct schema *schema)
{
    struct builder name;

    builder_init(&name, 200);
    schema_openapi_print_name(schema, &name);
    line(p, 0, "%.*s:", TEXT_ARGS(builder_text(&name)));
    builder_fini(&name);
    text_line(p, 1, "description", schema->summary);
    line(p, 1, "type: object");
    print_required(p, schema);
    line(p, 1, "properties:");
    for (size_t i = 0; i < schema->count; i++)
        print_field(p, schema, &schema->fields[i]);
}

void schema_openapi_print(const struct schema *const *schemas, size_t count, unsigned indent,
                          struct builder *b)
{
    struct printing p = { .b = b, .indent = indent };
    struct schema_walk walk;

    schema_walk_init(&walk);
    for (size_t i = 0; i < count; i++)
        schema_walk_add(&walk, schemas[i]);
    for (size_t i = 0; i < walk.count; i++)
        print_schema(&p, walk.found[i]);
}
