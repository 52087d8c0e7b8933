/* SPDX-License-Identifier: Apache-2.0 */
/* references.c - see references.h. */
#include "admin/references.h"

#include <stdio.h>

#include "conf/schema.h"

#define POINTER_SIZE 512

struct checking {
    references_exists_fn *exists;
    void *arg;
    struct problems *ps;
};

static void check_object(struct checking *c, const struct schema *schema, const struct doc *doc,
                         const char *pointer);

static void check_name(struct checking *c, const struct field *field, const struct doc *value,
                       const char *pointer)
{
    struct place place = { .pointer = pointer, .path = field->name };

    if (value->type != DOC_TEXT || !resource_is_name(value->text) ||
        c->exists(c->arg, field->kind, value->text)) {
        return;
    }
    problems_add(c->ps, place, "The %s %.*s does not exist.", resource_kind_singular(field->kind),
                 TEXT_ARGS(value->text));
}

static void check_list(struct checking *c, const struct schema *schema, const struct doc *list,
                       const char *pointer)
{
    for (size_t i = 0; list->type == DOC_LIST && i < list->list.count; i++) {
        char item[POINTER_SIZE];

        (void)snprintf(item, sizeof(item), "%s/%zu", pointer, i);
        check_object(c, schema, &list->list.items[i], item);
    }
}

static void check_field(struct checking *c, const struct field *field, const struct doc *value,
                        const char *pointer)
{
    if (field->type == FIELD_TYPE_REFERENCE) {
        check_name(c, field, value, pointer);
    } else if (field->type == FIELD_TYPE_GROUP || field->type == FIELD_TYPE_OPTIONAL) {
        check_object(c, field->schema, value, pointer);
    } else if (field->type == FIELD_TYPE_GROUPS) {
        check_list(c, field->schema, value, pointer);
    }
}

static void check_object(struct checking *c, const struct schema *schema, const struct doc *doc,
                         const char *pointer)
{
    for (size_t i = 0; i < schema->count; i++) {
        const struct field *field = &schema->fields[i];
        const struct doc *value = doc_find(doc, text_of(field->name));
        char member[POINTER_SIZE];

        if (value != NULL) {
            (void)snprintf(member, sizeof(member), "%s/%s", pointer, field->name);
            check_field(c, field, value, member);
        }
    }
}

void references_check(const struct schema *schema, const struct doc *doc, const char *pointer,
                      references_exists_fn *exists, void *arg, struct problems *ps)
{
    struct checking c = { exists, arg, ps };

    check_object(&c, schema, doc, pointer);
}
