/* SPDX-License-Identifier: Apache-2.0 */
/* schema_since.c - how new a node must be to understand a document. */
#include "conf/schema.h"

static unsigned later(unsigned a, unsigned b)
{
    return a > b ? a : b;
}

static unsigned since_of_choice(const struct field *field, const struct doc *value)
{
    for (const struct field_choice *c = field->choices; c != NULL && c->name != NULL; c++) {
        if (value->type == DOC_TEXT && text_equals(value->text, text_of(c->name)))
            return c->since;
    }
    return 0;
}

static unsigned since_of_value(const struct field *field, const struct doc *value);

static unsigned since_of_items(const struct field *field, const struct doc *list)
{
    unsigned since = 0;
    for (size_t i = 0; list->type == DOC_LIST && i < list->list.count; i++)
        since = later(since, since_of_value(field, &list->list.items[i]));
    return since;
}

/* Of one value, or one item of a list. */
static unsigned since_of_value(const struct field *field, const struct doc *value)
{
    if (value->type == DOC_LIST)
        return since_of_items(field, value);
    if (field->schema != NULL && value->type == DOC_OBJECT)
        return schema_since(field->schema, value);
    return since_of_choice(field, value);
}

unsigned schema_since(const struct schema *schema, const struct doc *doc)
{
    unsigned since = 1;
    for (size_t i = 0; doc->type == DOC_OBJECT && i < doc->object.count; i++) {
        const struct doc_member *m = &doc->object.members[i];
        const struct field *field = schema_find(schema, m->name);
        if (field == NULL || m->value.type == DOC_NULL)
            continue;
        since = later(since, later(field->since, since_of_value(field, &m->value)));
    }
    return since;
}
