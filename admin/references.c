/* SPDX-License-Identifier: Apache-2.0 */
/* references.c - see references.h. */
#include "admin/references.h"

#include "conf/schema.h"

struct checking {
    references_exists_fn *exists;
    void *arg;
    struct arena arena; /* pointers */
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
        check_object(c, schema, &list->list.items[i],
                     arena_print(&c->arena, "%s/%zu", pointer, i).at);
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

        if (value != NULL) {
            check_field(c, field, value, arena_print(&c->arena, "%s/%s", pointer, field->name).at);
        }
    }
}

void references_check(const struct schema *schema, const struct doc *doc, const char *pointer,
                      references_exists_fn *exists, void *arg, struct problems *ps)
{
    struct checking c = { .exists = exists, .arg = arg, .ps = ps };

    arena_init(&c.arena, SIZE_MAX);
    check_object(&c, schema, doc, pointer);
    arena_reset(&c.arena);
}
