/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/schema_man.h"

#include "conf/schema_walk.h"

static void print_bytes(struct text text, struct builder *b)
{
    bool is_code = false;
    bool is_line_start = true;

    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];

        if (is_line_start && (c == '.' || c == '\''))
            builder_add(b, TEXT_OF("\\&"));
        is_line_start = c == '\n';
        if (c == '`') {
            is_code = !is_code;
            builder_add(b, is_code ? TEXT_OF("\\fB") : TEXT_OF("\\fR"));
        } else if (c == '\\')
            builder_add(b, TEXT_OF("\\e"));
        else if (c == '-')
            builder_add(b, TEXT_OF("\\-"));
        else if (c == '~')
            builder_add(b, TEXT_OF("\\(ti"));
        else if (c == '^')
            builder_add(b, TEXT_OF("\\(ha"));
        else
            builder_add_byte(b, c);
    }
}

void schema_man_print_text(const char *text, struct builder *b)
{
    print_bytes(text_of(text), b);
}

static void print_field(const struct schema *schema, const struct field *field, struct builder *b)
{
    struct builder made;

    builder_init(&made, 4096);
    builder_addf(b, ".TP\n.B %s\n", field->name);
    schema_walk_print_type(field, &made);
    if ((field->flags & FIELD_REQUIRED) != 0)
        builder_add(&made, TEXT_OF("; required"));
    else if (field->initial_like != NULL)
        builder_addf(&made, "; default: as `%s`", field->initial_like);
    else if (field->initial != NULL) {
        builder_add(&made, TEXT_OF("; default: "));
        schema_walk_print_initial(schema, field, &made);
    }
    builder_addf(&made, ".\n%s\n", field->summary);
    if (field->example != NULL)
        builder_addf(&made, "Example: %s\n", field->example);
    print_bytes(builder_text(&made), b);
    builder_fini(&made);
}

static void print_fields(const struct schema *schema, struct builder *b)
{
    schema_man_print_text(schema->summary, b);
    builder_add_byte(b, '\n');
    for (size_t i = 0; i < schema->count; i++)
        print_field(schema, &schema->fields[i], b);
}

void schema_man_print(const struct schema *schema, const char *title, struct builder *b)
{
    struct schema_walk walk;

    schema_walk_init(&walk);
    schema_walk_add(&walk, schema);
    builder_addf(b, ".SH %s\n", title);
    print_fields(schema, b);
    for (size_t i = 1; i < walk.count; i++) {
        builder_addf(b, ".SS %s\n", walk.found[i]->name);
        print_fields(walk.found[i], b);
    }
}
