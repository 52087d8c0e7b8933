/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/print_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define COMPACT (-1)

static void print_value(const struct doc *doc, int level, struct builder *b);

static void print_break(int level, struct builder *b)
{
    if (level == COMPACT)
        return;
    builder_add_byte(b, '\n');
    for (int i = 0; i < level; i++)
        builder_add(b, TEXT_OF("  "));
}

static void print_real(double value, struct builder *b)
{
    char digits[40];
    int length = snprintf(digits, sizeof(digits), "%.17g", value);

    MUST(isfinite(value) && length > 0 && (size_t)length < sizeof(digits));
    builder_add(b, text_from(digits, (size_t)length));
    if (strpbrk(digits, ".e") == NULL)
        builder_add(b, TEXT_OF(".0"));
}

static void print_list(const struct doc *doc, int level, struct builder *b)
{
    int inner = level == COMPACT ? COMPACT : level + 1;

    builder_add_byte(b, '[');
    for (size_t i = 0; i < doc->list.count; i++) {
        if (i > 0)
            builder_add_byte(b, ',');
        print_break(inner, b);
        print_value(&doc->list.items[i], inner, b);
    }
    if (doc->list.count > 0)
        print_break(level, b);
    builder_add_byte(b, ']');
}

static void print_object(const struct doc *doc, int level, struct builder *b)
{
    int inner = level == COMPACT ? COMPACT : level + 1;

    builder_add_byte(b, '{');
    for (size_t i = 0; i < doc->object.count; i++) {
        const struct doc_member *m = &doc->object.members[i];

        if (i > 0)
            builder_add_byte(b, ',');
        print_break(inner, b);
        builder_add_json(b, m->name);
        builder_add(b, level == COMPACT ? TEXT_OF(":") : TEXT_OF(": "));
        print_value(&m->value, inner, b);
    }
    if (doc->object.count > 0)
        print_break(level, b);
    builder_add_byte(b, '}');
}

static void print_value(const struct doc *doc, int level, struct builder *b)
{
    switch (doc->type) {
    case DOC_NULL:
        builder_add(b, TEXT_OF("null"));
        break;
    case DOC_BOOL:
        builder_add(b, doc->boolean ? TEXT_OF("true") : TEXT_OF("false"));
        break;
    case DOC_INT:
        builder_addf(b, "%" PRId64, doc->integer);
        break;
    case DOC_REAL:
        print_real(doc->real, b);
        break;
    case DOC_TEXT:
        builder_add_json(b, doc->text);
        break;
    case DOC_LIST:
        print_list(doc, level, b);
        break;
    case DOC_OBJECT:
        print_object(doc, level, b);
        break;
    }
}

void print_json(const struct doc *doc, struct builder *b)
{
    print_value(doc, COMPACT, b);
}

void print_json_pretty(const struct doc *doc, struct builder *b)
{
    print_value(doc, 0, b);
}
