/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/doc.h"

#define FIRST_ROOM 4

const char *doc_type_name(enum doc_type type)
{
    static const char *const names[] = {
        [DOC_NULL] = "null",        [DOC_BOOL] = "a boolean", [DOC_INT] = "an integer",
        [DOC_REAL] = "a real",      [DOC_TEXT] = "a text",    [DOC_LIST] = "a list",
        [DOC_OBJECT] = "an object",
    };

    MUST((size_t)type < ARRAY_LENGTH(names));
    return names[type];
}

static struct doc_member *find_member(const struct doc *object, struct text name)
{
    for (size_t i = 0; i < object->object.count; i++) {
        if (text_equals(object->object.members[i].name, name))
            return &object->object.members[i];
    }
    return NULL;
}

const struct doc *doc_find(const struct doc *object, struct text name)
{
    struct doc_member *member;

    if (object == NULL || object->type != DOC_OBJECT)
        return NULL;
    member = find_member(object, name);
    return member == NULL ? NULL : &member->value;
}

struct text doc_find_text(const struct doc *object, struct text name)
{
    const struct doc *value = doc_find(object, name);

    if (value == NULL || value->type != DOC_TEXT)
        return TEXT_EMPTY;
    return value->text;
}

/* Does the pointer's token, with its ~0 and ~1, mean this name? */
static bool token_is(struct text token, struct text name)
{
    size_t n = 0;

    for (size_t i = 0; i < token.length; i++, n++) {
        char byte = token.at[i];

        if (byte == '~' && i + 1 < token.length && token.at[i + 1] == '0')
            i++;
        else if (byte == '~' && i + 1 < token.length && token.at[i + 1] == '1') {
            byte = '/';
            i++;
        }
        if (n == name.length || name.at[n] != byte)
            return false;
    }
    return n == name.length;
}

static const struct doc *find_child(const struct doc *doc, struct text token)
{
    uint64_t index;

    if (doc->type == DOC_OBJECT) {
        for (size_t i = 0; i < doc->object.count; i++) {
            if (token_is(token, doc->object.members[i].name))
                return &doc->object.members[i].value;
        }
        return NULL;
    }
    if (doc->type != DOC_LIST || !text_parse_u64(token, &index) || index >= doc->list.count)
        return NULL;
    return &doc->list.items[index];
}

const struct doc *doc_find_pointer(const struct doc *doc, struct text pointer)
{
    struct text token;

    if (pointer.length == 0)
        return doc;
    if (pointer.at[0] != '/')
        return NULL;
    pointer = text_skip(pointer, 1);
    if (pointer.at == NULL)
        pointer.at = "";
    while (doc != NULL && text_cut(&pointer, '/', &token))
        doc = find_child(doc, token);
    return doc;
}

struct doc doc_null(void)
{
    return (struct doc){ .type = DOC_NULL };
}

struct doc doc_bool(bool value)
{
    return (struct doc){ .type = DOC_BOOL, .boolean = value };
}

struct doc doc_int(int64_t value)
{
    return (struct doc){ .type = DOC_INT, .integer = value };
}

struct doc doc_text(struct text value)
{
    return (struct doc){ .type = DOC_TEXT, .text = value };
}

struct doc doc_object(void)
{
    return (struct doc){ .type = DOC_OBJECT };
}

struct doc doc_list(void)
{
    return (struct doc){ .type = DOC_LIST };
}

/* Arrays hold FIRST_ROOM or the next power of two: full exactly at those counts. */
static void *grow(struct arena *arena, void *items, size_t count, size_t item_size)
{
    bool is_full = count == 0 || (count >= FIRST_ROOM && (count & (count - 1)) == 0);
    void *larger;

    if (!is_full)
        return items;
    larger = arena_alloc(arena, (count == 0 ? FIRST_ROOM : 2 * count) * item_size);
    if (count > 0)
        memcpy(larger, items, count * item_size);
    return larger;
}

struct doc *doc_add(struct doc *object, struct arena *arena, struct text name, struct doc value)
{
    struct doc_member *member;

    MUST(object->type == DOC_OBJECT);
    object->object.members =
        grow(arena, object->object.members, object->object.count, sizeof(struct doc_member));
    member = &object->object.members[object->object.count++];
    *member = (struct doc_member){ .name = name, .value = value };
    return &member->value;
}

struct doc *doc_set(struct doc *object, struct arena *arena, struct text name, struct doc value)
{
    struct doc_member *member;

    MUST(object->type == DOC_OBJECT);
    member = find_member(object, name);
    if (member == NULL)
        return doc_add(object, arena, name, value);
    member->value = value;
    return &member->value;
}

struct doc *doc_append(struct doc *list, struct arena *arena, struct doc value)
{
    struct doc *item;

    MUST(list->type == DOC_LIST);
    list->list.items = grow(arena, list->list.items, list->list.count, sizeof(struct doc));
    item = &list->list.items[list->list.count++];
    *item = value;
    return item;
}

bool doc_remove(struct doc *object, struct text name)
{
    struct doc_member *member;
    size_t after;

    MUST(object->type == DOC_OBJECT);
    member = find_member(object, name);
    if (member == NULL)
        return false;
    after = object->object.count - (size_t)(member - object->object.members) - 1;
    memmove(member, member + 1, after * sizeof(*member));
    object->object.count--;
    return true;
}

struct doc doc_copy(const struct doc *from, struct arena *arena)
{
    struct doc copy = *from;

    switch (from->type) {
    case DOC_TEXT:
        copy.text = arena_copy(arena, from->text);
        break;
    case DOC_LIST:
        copy.list.items = NULL;
        copy.list.count = 0;
        for (size_t i = 0; i < from->list.count; i++)
            doc_append(&copy, arena, doc_copy(&from->list.items[i], arena));
        break;
    case DOC_OBJECT:
        copy.object.members = NULL;
        copy.object.count = 0;
        for (size_t i = 0; i < from->object.count; i++) {
            const struct doc_member *m = &from->object.members[i];

            doc_add(&copy, arena, arena_copy(arena, m->name), doc_copy(&m->value, arena));
        }
        break;
    case DOC_NULL:
    case DOC_BOOL:
    case DOC_INT:
    case DOC_REAL:
        break;
    }
    return copy;
}

static bool objects_equal(const struct doc *a, const struct doc *b)
{
    if (a->object.count != b->object.count)
        return false;
    for (size_t i = 0; i < a->object.count; i++) {
        const struct doc *other = doc_find(b, a->object.members[i].name);

        if (other == NULL || !doc_equals(&a->object.members[i].value, other))
            return false;
    }
    return true;
}

static bool lists_equal(const struct doc *a, const struct doc *b)
{
    if (a->list.count != b->list.count)
        return false;
    for (size_t i = 0; i < a->list.count; i++) {
        if (!doc_equals(&a->list.items[i], &b->list.items[i]))
            return false;
    }
    return true;
}

bool doc_equals(const struct doc *a, const struct doc *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case DOC_NULL:
        return true;
    case DOC_BOOL:
        return a->boolean == b->boolean;
    case DOC_INT:
        return a->integer == b->integer;
    case DOC_REAL:
        return a->real == b->real; /* both came from text: no NaN */
    case DOC_TEXT:
        return text_equals(a->text, b->text);
    case DOC_LIST:
        return lists_equal(a, b);
    case DOC_OBJECT:
        return objects_equal(a, b);
    }
    return false;
}
