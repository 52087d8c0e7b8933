/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/outline.h"

#include "conf/print_json.h"

#define INDENT 2

struct outlining {
    struct paint paint;
    struct builder *b;
    bool is_beside; /* the next field stands beside a dash: it is indented already */
};

static void print_object(struct outlining *o, const struct doc *doc, size_t indent);

void outline_print_text(struct text t, struct builder *b)
{
    for (size_t i = 0; i < t.length; i++) {
        unsigned char c = (unsigned char)t.at[i];

        builder_add_byte(b, c < ' ' || c == 0x7f ? '?' : t.at[i]);
    }
}

static bool is_scalar(const struct doc *doc)
{
    return doc->type != DOC_LIST && doc->type != DOC_OBJECT;
}

static bool is_flat(const struct doc *doc)
{
    if (doc->type == DOC_OBJECT)
        return doc->object.count == 0;
    for (size_t i = 0; doc->type == DOC_LIST && i < doc->list.count; i++) {
        if (!is_scalar(&doc->list.items[i]))
            return false;
    }
    return true;
}

void outline_print_value(const struct doc *doc, struct builder *b)
{
    if (doc->type == DOC_TEXT && doc->text.length > 0)
        outline_print_text(doc->text, b);
    else if (doc->type == DOC_LIST && doc->list.count > 0 && is_flat(doc)) {
        for (size_t i = 0; i < doc->list.count; i++) {
            builder_add(b, i > 0 ? TEXT_OF(", ") : TEXT_EMPTY);
            outline_print_value(&doc->list.items[i], b);
        }
    } else
        print_json(doc, b);
}

static void add_spaces(struct outlining *o, size_t count)
{
    for (size_t i = 0; i < count; i++)
        builder_add_byte(o->b, ' ');
}

/* Names are padded so that the values of one level stand in a column. */
static size_t widest(const struct doc *object)
{
    size_t width = 0;

    for (size_t i = 0; i < object->object.count; i++) {
        const struct doc_member *m = &object->object.members[i];

        if (is_flat(&m->value) && m->name.length > width)
            width = m->name.length;
    }
    return width;
}

static void print_list(struct outlining *o, const struct doc *list, size_t indent)
{
    for (size_t i = 0; i < list->list.count; i++) {
        const struct doc *item = &list->list.items[i];

        add_spaces(o, indent);
        builder_add(o->b, TEXT_OF("- "));
        if (item->type != DOC_OBJECT || item->object.count == 0) {
            outline_print_value(item, o->b);
            builder_add_byte(o->b, '\n');
            continue;
        }
        o->is_beside = true;
        print_object(o, item, indent + INDENT);
    }
}

static void print_member(struct outlining *o, const struct doc_member *m, size_t width,
                         size_t indent)
{
    add_spaces(o, o->is_beside ? 0 : indent);
    o->is_beside = false;
    paint_begin(o->paint, PAINT_BOLD, o->b);
    outline_print_text(m->name, o->b);
    paint_end(o->paint, PAINT_BOLD, o->b);
    if (is_flat(&m->value)) {
        add_spaces(o, width - m->name.length + INDENT);
        outline_print_value(&m->value, o->b);
        builder_add_byte(o->b, '\n');
        return;
    }
    builder_add_byte(o->b, '\n');
    if (m->value.type == DOC_LIST)
        print_list(o, &m->value, indent + INDENT);
    else
        print_object(o, &m->value, indent + INDENT);
}

static void print_object(struct outlining *o, const struct doc *doc, size_t indent)
{
    size_t width = widest(doc);

    for (size_t i = 0; i < doc->object.count; i++)
        print_member(o, &doc->object.members[i], width, indent);
}

void outline_print(const struct doc *doc, struct paint paint, struct builder *b)
{
    struct outlining o = { .paint = paint, .b = b };

    if (doc->type == DOC_OBJECT)
        print_object(&o, doc, 0);
    else if (doc->type == DOC_LIST)
        print_list(&o, doc, 0);
    else {
        outline_print_value(doc, b);
        builder_add_byte(b, '\n');
    }
}
