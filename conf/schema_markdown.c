/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/schema_markdown.h"

#include <inttypes.h>

#include "conf/schema_walk.h"

static void print_heading(const char *title, unsigned level, struct builder *b)
{
    for (unsigned i = 0; i < level; i++)
        builder_add_byte(b, '#');
    builder_addf(b, " %s\n\n", title);
}

static void print_bounds(const struct field *field, struct builder *b)
{
    char low[TEXT_NUMBER_SIZE];
    char high[TEXT_NUMBER_SIZE];

    if (field->maximum == 0)
        return;
    if (field->type == FIELD_TYPE_DURATION) {
        text_print_duration(field->minimum, low);
        text_print_duration(field->maximum, high);
        builder_addf(b, ", %s to %s", low, high);
    } else if (field->type == FIELD_TYPE_INT)
        builder_addf(b, ", %" PRId64 " to %" PRId64, field->minimum, field->maximum);
    if (field->unit != NULL)
        builder_addf(b, " %s", field->unit);
}

static void print_default(const struct schema *schema, const struct field *field, struct builder *b)
{
    struct builder initial;

    builder_init(&initial, 4096);
    schema_walk_print_initial(schema, field, &initial);
    if ((field->flags & FIELD_REQUIRED) != 0)
        builder_add(b, TEXT_OF("**required**"));
    else if (field->initial_like != NULL)
        builder_addf(b, "as `%s`", field->initial_like);
    else if (builder_text(&initial).length > 0)
        builder_addf(b, "`%.*s`", TEXT_ARGS(builder_text(&initial)));
    builder_fini(&initial);
}

static void print_row(const struct schema *schema, const struct field *field, bool has_live,
                      struct builder *b)
{
    builder_addf(b, "| `%s` | ", field->name);
    schema_walk_print_type(field, b);
    print_bounds(field, b);
    builder_add(b, TEXT_OF(" | "));
    print_default(schema, field, b);
    builder_addf(b, " | %s", field->summary);
    if (field->example != NULL)
        builder_addf(b, " E.g. `%s`", field->example);
    if (has_live)
        builder_addf(b, " | %s", (field->flags & FIELD_LIVE) != 0 ? "yes" : "no");
    builder_add(b, TEXT_OF(" |\n"));
}

static bool has_live_fields(const struct schema_walk *walk)
{
    for (size_t i = 0; i < walk->count; i++) {
        for (size_t j = 0; j < walk->found[i]->count; j++) {
            if ((walk->found[i]->fields[j].flags & FIELD_LIVE) != 0)
                return true;
        }
    }
    return false;
}

static void print_table(const struct schema *schema, bool has_live, struct builder *b)
{
    builder_addf(b, "%s\n\n| field | type | default | meaning |%s\n|---|---|---|---|%s\n",
                 schema->summary, has_live ? " SIGHUP |" : "", has_live ? "---|" : "");
    for (size_t i = 0; i < schema->count; i++)
        print_row(schema, &schema->fields[i], has_live, b);
    builder_add_byte(b, '\n');
}

void schema_markdown_print(const struct schema *schema, const char *title, unsigned level,
                           struct builder *b)
{
    struct schema_walk walk;
    bool has_live;

    schema_walk_init(&walk);
    schema_walk_add(&walk, schema);
    has_live = has_live_fields(&walk);
    print_heading(title != NULL ? title : schema->name, level, b);
    print_table(schema, has_live, b);
    for (size_t i = 1; i < walk.count; i++) {
        print_heading(walk.found[i]->name, level + 1, b);
        print_table(walk.found[i], has_live, b);
    }
}
