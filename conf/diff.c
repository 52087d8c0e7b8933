/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/diff.h"

struct diffing {
    struct arena *arena;
    struct doc *list;
};

static void compare(struct diffing *d, struct text pointer, const struct doc *before,
                    const struct doc *after);

static struct text pointer_to(struct diffing *d, struct text pointer, struct text name)
{
    struct text child = pointer;
    size_t start = 0;

    for (size_t i = 0; i <= name.length; i++) {
        struct text piece = text_from(name.at + start, i - start);
        const char *escape = i == name.length    ? ""
                             : name.at[i] == '~' ? "~0"
                             : name.at[i] == '/' ? "~1"
                                                 : NULL;

        if (escape == NULL)
            continue;
        child = arena_print(d->arena, "%.*s%s%.*s%s", TEXT_ARGS(child), start == 0 ? "/" : "",
                            TEXT_ARGS(piece), escape);
        start = i + 1;
    }
    return child;
}

static void add_difference(struct diffing *d, struct text pointer, const struct doc *before,
                           const struct doc *after)
{
    struct doc entry = doc_object();

    doc_add(&entry, d->arena, TEXT_OF("pointer"), doc_text(pointer));
    if (before != NULL)
        doc_add(&entry, d->arena, TEXT_OF("before"), *before);
    if (after != NULL)
        doc_add(&entry, d->arena, TEXT_OF("after"), *after);
    doc_append(d->list, d->arena, entry);
}

static void compare_objects(struct diffing *d, struct text pointer, const struct doc *before,
                            const struct doc *after)
{
    for (size_t i = 0; i < before->object.count; i++) {
        const struct doc_member *m = &before->object.members[i];

        compare(d, pointer_to(d, pointer, m->name), &m->value, doc_find(after, m->name));
    }
    for (size_t i = 0; i < after->object.count; i++) {
        const struct doc_member *m = &after->object.members[i];

        if (doc_find(before, m->name) == NULL)
            add_difference(d, pointer_to(d, pointer, m->name), NULL, &m->value);
    }
}

static void compare(struct diffing *d, struct text pointer, const struct doc *before,
                    const struct doc *after)
{
    if (after != NULL && doc_equals(before, after))
        return;
    if (after != NULL && before->type == DOC_OBJECT && after->type == DOC_OBJECT) {
        compare_objects(d, pointer, before, after);
        return;
    }
    if (after == NULL || before->type != DOC_LIST || after->type != DOC_LIST ||
        before->list.count != after->list.count) {
        add_difference(d, pointer, before, after);
        return;
    }
    for (size_t i = 0; i < before->list.count; i++)
        compare(d, arena_print(d->arena, "%.*s/%zu", TEXT_ARGS(pointer), i), &before->list.items[i],
                &after->list.items[i]);
}

void diff_fields(const struct doc *before, const struct doc *after, struct arena *arena,
                 struct doc *list)
{
    struct diffing d = { .arena = arena, .list = list };

    compare(&d, TEXT_OF(""), before, after);
}

struct doc diff_resource(const struct resource *before, const struct resource *after,
                         struct arena *arena)
{
    const struct resource *any = after != NULL ? after : before;
    const char *change = before == NULL ? "added" : after == NULL ? "removed" : "changed";
    struct doc entry = doc_object();
    struct doc fields = doc_list();
    struct doc old;
    struct doc new;

    MUST(any != NULL);
    doc_add(&entry, arena, TEXT_OF("kind"), doc_text(text_of(resource_kind_name(any->kind))));
    doc_add(&entry, arena, TEXT_OF("name"), doc_text(any->name));
    doc_add(&entry, arena, TEXT_OF("change"), doc_text(text_of(change)));
    if (before != NULL) {
        old = resource_doc(before, arena);
        doc_add(&entry, arena, TEXT_OF("before"), old);
    }
    if (after != NULL) {
        new = resource_doc(after, arena);
        doc_add(&entry, arena, TEXT_OF("after"), new);
    }
    if (before != NULL && after != NULL) {
        diff_fields(&old, &new, arena, &fields);
        doc_add(&entry, arena, TEXT_OF("fields"), fields);
    }
    return entry;
}

struct doc diff_resources(const struct resources *before, const struct resources *after,
                          struct arena *arena)
{
    struct resources_difference difference;
    struct doc list = doc_list();
    struct resource *old;
    struct resource *new;

    resources_difference_init(&difference, before, after);
    while (resources_difference_next(&difference, &old, &new)) {
        if (old == NULL || new == NULL || !resource_equals(old, new))
            doc_append(&list, arena, diff_resource(old, new, arena));
    }
    return list;
}
