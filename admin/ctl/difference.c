/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/difference.h"

#include "admin/ctl/kind.h"
#include "admin/ctl/outline.h"
#include "conf/diff.h"

#define VALUE_MAX 100 /* bytes of a value that are shown */

struct printing {
    struct paint paint;
    struct builder *b;
};

static const struct mark {
    struct text change;
    char sign;
    enum paint_colour colour;
} marks[] = {
    { TEXT("added"), '+', PAINT_GREEN },
    { TEXT("changed"), '~', PAINT_YELLOW },
    { TEXT("removed"), '-', PAINT_RED },
};

static const struct mark *mark_of(struct text change)
{
    for (size_t i = 0; i < ARRAY_LENGTH(marks); i++) {
        if (text_equals(change, marks[i].change))
            return &marks[i];
    }
    return &marks[1];
}

/* "/targets/0/weight" is targets[0].weight for people. */
static void print_path(struct text pointer, struct builder *b)
{
    struct text rest = text_skip(pointer, 1);
    struct text segment;
    bool is_first = true;
    uint64_t index;

    while (pointer.length > 0 && rest.at != NULL && text_cut(&rest, '/', &segment)) {
        if (!is_first && text_parse_u64(segment, &index)) {
            builder_addf(b, "[%llu]", (unsigned long long)index);
            continue;
        }
        if (!is_first)
            builder_add_byte(b, '.');
        outline_print_text(segment, b);
        is_first = false;
    }
}

static void print_value(const struct printing *p, const struct doc *value, enum paint_colour colour)
{
    struct builder b;
    struct text t;

    builder_init(&b, (size_t)64 << 20);
    if (value == NULL)
        builder_add(&b, TEXT_OF("not set"));
    else
        outline_print_value(value, &b);
    t = builder_text(&b);
    paint_add(p->paint, colour, text_first(t, VALUE_MAX), p->b);
    if (t.length > VALUE_MAX)
        builder_add(p->b, TEXT_OF("…"));
    builder_fini(&b);
}

static void print_field(const struct printing *p, const struct doc *field)
{
    builder_add(p->b, TEXT_OF("      "));
    print_path(doc_find_text(field, TEXT_OF("pointer")), p->b);
    builder_add(p->b, TEXT_OF(": "));
    print_value(p, doc_find(field, TEXT_OF("before")), PAINT_RED);
    builder_add(p->b, TEXT_OF(" → "));
    print_value(p, doc_find(field, TEXT_OF("after")), PAINT_GREEN);
    builder_add_byte(p->b, '\n');
}

static struct text singular_of(struct text plural)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (text_equals(plural, text_of(kind_get(i).plural)))
            return text_of(kind_get(i).singular);
    }
    return plural;
}

static void print_fields(const struct printing *p, const struct doc *fields)
{
    for (size_t i = 0; fields != NULL && fields->type == DOC_LIST && i < fields->list.count; i++)
        print_field(p, &fields->list.items[i]);
}

/* The history has what was before and after, and leaves the rest to the reader. */
static void print_compared(const struct printing *p, const struct doc *change)
{
    const struct doc *before = doc_find(change, TEXT_OF("before"));
    const struct doc *after = doc_find(change, TEXT_OF("after"));
    struct doc fields = doc_list();
    struct arena arena;

    if (before == NULL || after == NULL)
        return;
    arena_init(&arena, SIZE_MAX);
    diff_fields(before, after, &arena, &fields);
    print_fields(p, &fields);
    arena_reset(&arena);
}

static void print_change(const struct printing *p, const struct doc *change)
{
    const struct mark *mark = mark_of(doc_find_text(change, TEXT_OF("change")));
    const struct doc *fields = doc_find(change, TEXT_OF("fields"));

    builder_add(p->b, TEXT_OF("  "));
    paint_begin(p->paint, mark->colour, p->b);
    builder_addf(p->b, "%c %-9.*s", mark->sign,
                 TEXT_ARGS(singular_of(doc_find_text(change, TEXT_OF("kind")))));
    outline_print_text(doc_find_text(change, TEXT_OF("name")), p->b);
    paint_end(p->paint, mark->colour, p->b);
    builder_add_byte(p->b, '\n');
    if (fields != NULL)
        print_fields(p, fields);
    else
        print_compared(p, change);
}

static const struct doc *changes_of(const struct doc *difference)
{
    const struct doc *changes = doc_find(difference, TEXT_OF("changes"));

    return changes != NULL && changes->type == DOC_LIST ? changes : NULL;
}

int64_t difference_count(const struct doc *difference)
{
    const struct doc *count = doc_find(difference, TEXT_OF("change_count"));
    const struct doc *changes = changes_of(difference);

    if (count != NULL && count->type == DOC_INT)
        return count->integer;
    return changes == NULL ? 0 : (int64_t)changes->list.count;
}

void difference_print_sum(const struct doc *difference, struct builder *b)
{
    const struct doc *changes = changes_of(difference);
    int64_t count = difference_count(difference);
    size_t sums[ARRAY_LENGTH(marks)] = { 0 };
    const char *between = ": ";

    for (size_t i = 0; changes != NULL && i < changes->list.count; i++)
        sums[mark_of(doc_find_text(&changes->list.items[i], TEXT_OF("change"))) - marks]++;
    builder_addf(b, "%lld change%s", (long long)count, count == 1 ? "" : "s");
    for (size_t i = 0; i < ARRAY_LENGTH(marks); i++) {
        if (sums[i] == 0)
            continue;
        builder_addf(b, "%s%zu %.*s", between, sums[i], TEXT_ARGS(marks[i].change));
        between = ", ";
    }
}

void difference_print(const struct doc *difference, struct paint paint, struct builder *b)
{
    const struct printing p = { .paint = paint, .b = b };
    const struct doc *changes = changes_of(difference);
    size_t shown = changes == NULL ? 0 : changes->list.count;

    for (size_t i = 0; i < shown; i++)
        print_change(&p, &changes->list.items[i]);
    if ((int64_t)shown < difference_count(difference))
        builder_addf(b, "  … and %lld more\n",
                     (long long)difference_count(difference) - (long long)shown);
}
