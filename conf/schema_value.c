/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_value.c - one value of a document to one member of a struct, by the type of its row.
 */
#include <inttypes.h>

#include "conf/base/map.h"
#include "conf/print_json.h"
#include "conf/schema_private.h"

#define GOT_SIZE_MAX    80
#define CLAUSE_SIZE_MAX 2048
#define LIST_LENGTH_MAX 10000
#define FEW             16

/* ---- sentences ---- */

/* The value as it was written, shortened; for the end of a sentence. */
static const char *got(const struct doc *doc, struct arena *arena)
{
    struct builder b;
    struct text printed;
    struct text copy;

    builder_init(&b, 1 << 20);
    print_json(doc, &b);
    printed = builder_text(&b);
    if (printed.length <= GOT_SIZE_MAX && !builder_is_full(&b))
        copy = arena_copy(arena, printed);
    else
        copy = arena_print(arena, "%s", doc_type_name(doc->type));
    builder_fini(&b);
    return copy.at;
}

#define COMPLAIN(b, format, ...)                                                                   \
    schema_complain((b), format ", got %s.", __VA_ARGS__, got((b)->step->doc, (b)->scratch))

static void complain_choices(struct schema_binding *b, const struct field *field)
{
    struct builder names;
    bool is_first = true;

    builder_init(&names, CLAUSE_SIZE_MAX);
    for (const struct field_choice *c = field->choices; c->name != NULL; c++) {
        if (c->is_later)
            continue;
        builder_addf(&names, "%s\"%s\"", is_first ? "" : ", ", c->name);
        is_first = false;
    }
    builder_add_byte(&names, '\0');
    COMPLAIN(b, "must be one of %s", builder_text(&names).at);
    builder_fini(&names);
}

/* ---- numbers ---- */

static const char *print_bound(const struct field *field, int64_t value, struct arena *arena)
{
    char number[TEXT_NUMBER_SIZE];

    if (field->type == FIELD_TYPE_DURATION)
        return arena_copy(arena, text_print_duration(value, number)).at;
    return arena_print(arena, "%" PRId64, value).at;
}

static void store_number(struct schema_binding *b, const struct field *field, int64_t value,
                         void *at)
{
    bool has_maximum = field->maximum != 0;

    if (value < field->minimum || (has_maximum && value > field->maximum)) {
        const char *low = print_bound(field, field->minimum, b->scratch);

        if (has_maximum)
            COMPLAIN(b, "must be between %s and %s", low,
                     print_bound(field, field->maximum, b->scratch));
        else
            COMPLAIN(b, "must be at least %s", low);
        return;
    }
    memcpy(at, &value, sizeof(value));
}

static void bind_int(struct schema_binding *b, const struct field *field, void *at)
{
    if (b->step->doc->type != DOC_INT)
        COMPLAIN(b, "must be an integer%s%s", field->unit == NULL ? "" : " of ",
                 field->unit == NULL ? "" : field->unit);
    else
        store_number(b, field, b->step->doc->integer, at);
}

static void bind_duration(struct schema_binding *b, const struct field *field, void *at)
{
    int64_t ms;

    if (b->step->doc->type != DOC_TEXT || !text_parse_duration(b->step->doc->text, &ms))
        COMPLAIN(b,
                 "must be a duration: a text of a whole number and one of the units %s, as in "
                 "\"250ms\" or \"5s\"",
                 "ms, s, m, h, d");
    else
        store_number(b, field, ms, at);
}

static void bind_size(struct schema_binding *b, const struct field *field, void *at)
{
    const struct doc *doc = b->step->doc;
    int64_t bytes = doc->type == DOC_INT ? doc->integer : -1;

    if (doc->type != DOC_INT && !(doc->type == DOC_TEXT && text_parse_size(doc->text, &bytes)))
        COMPLAIN(b,
                 "must be a size: an integer of bytes, or a text of a whole number and one of "
                 "the units %s, as in \"64k\"",
                 "k, M, G");
    else
        store_number(b, field, bytes, at);
}

static void bind_bool(struct schema_binding *b, void *at)
{
    if (b->step->doc->type != DOC_BOOL)
        COMPLAIN(b, "must be %s", "true or false");
    else
        memcpy(at, &b->step->doc->boolean, sizeof(bool));
}

/* ---- texts ---- */

static bool check_text(struct schema_binding *b, const struct field *field, struct text name,
                       struct text value)
{
    struct builder why;
    bool is_good;

    if (field->check == NULL)
        return true;
    builder_init(&why, CLAUSE_SIZE_MAX);
    is_good = field->check(name, value, b->checks, &why);
    if (!is_good) {
        builder_add_byte(&why, '\0');
        schema_complain(b, "%s", builder_is_full(&why) ? "is not valid." : builder_text(&why).at);
    }
    builder_fini(&why);
    return is_good;
}

static bool is_nameable(struct schema_binding *b, struct text text)
{
    if (resource_is_name(text))
        return true;
    COMPLAIN(b,
             "must be a name: 1 to %d lower-case letters, digits, '.', '_' or '-', beginning "
             "with a letter or digit",
             63);
    return false;
}

static void bind_text(struct schema_binding *b, const struct field *field, void *at)
{
    const struct doc *doc = b->step->doc;
    bool is_name = field->type == FIELD_TYPE_NAME || field->type == FIELD_TYPE_REFERENCE;
    struct text copy;

    if (doc->type != DOC_TEXT) {
        COMPLAIN(b, "must be a %s", is_name ? "name" : "text");
        return;
    }
    if (is_name && !is_nameable(b, doc->text))
        return;
    if (field->type == FIELD_TYPE_PATH && doc->text.length == 0) {
        schema_complain(b, "must be the path of a file or folder, got an empty text.");
        return;
    }
    if (!check_text(b, field, TEXT_EMPTY, doc->text))
        return;
    copy = arena_copy(b->arena, doc->text);
    memcpy(at, &copy, sizeof(copy));
}

static const struct field_choice *find_choice(const struct field *field, struct text name)
{
    for (const struct field_choice *c = field->choices; c->name != NULL; c++) {
        if (text_equals(text_of(c->name), name))
            return c;
    }
    return NULL;
}

static const struct field_choice *take_choice(struct schema_binding *b, const struct field *field)
{
    const struct field_choice *choice = NULL;

    if (b->step->doc->type == DOC_TEXT)
        choice = find_choice(field, b->step->doc->text);
    if (choice == NULL) {
        complain_choices(b, field);
        return NULL;
    }
    if (choice->is_later) {
        schema_complain(b, "\"%s\" is not supported by this version.", choice->name);
        return NULL;
    }
    return choice;
}

static void bind_choice(struct schema_binding *b, const struct field *field, void *at)
{
    const struct field_choice *choice = take_choice(b, field);

    if (choice != NULL)
        memcpy(at, &choice->value, sizeof(int));
}

/* ---- lists ---- */

static bool has_length(struct schema_binding *b, const struct field *field, size_t count)
{
    size_t maximum = field->maximum != 0 ? (size_t)field->maximum : LIST_LENGTH_MAX;

    if (count < (size_t)field->minimum) {
        schema_complain(b, "must have at least %zu item%s, got %zu.", (size_t)field->minimum,
                        field->minimum == 1 ? "" : "s", count);
        return false;
    }
    if (count > maximum) {
        schema_complain(b, "must have at most %zu items, got %zu.", maximum, count);
        return false;
    }
    return true;
}

static bool is_list(struct schema_binding *b, const struct field *field, const char *of)
{
    if (b->step->doc->type != DOC_LIST) {
        COMPLAIN(b, "must be a list of %s", of);
        return false;
    }
    return has_length(b, field, b->step->doc->list.count);
}

static void enter_item(struct schema_binding *b, struct schema_step *item, size_t index)
{
    const struct schema_step *list = b->step;

    *item =
        (struct schema_step){ .up = list, .index = index, .doc = &list->doc->list.items[index] };
    b->step = item;
}

static void bind_choices(struct schema_binding *b, const struct field *field, void *at)
{
    const struct schema_step *list = b->step;
    uint32_t bits = 0;

    if (!is_list(b, field, "texts"))
        return;
    for (size_t i = 0; i < list->doc->list.count; i++) {
        const struct field_choice *choice;
        struct schema_step item;

        enter_item(b, &item, i);
        choice = take_choice(b, field);
        if (choice != NULL)
            bits |= (uint32_t)choice->value;
        b->step = list;
    }
    memcpy(at, &bits, sizeof(bits));
}

/* Position of an equal one before items[index], or index. Few are compared one by one. */
static size_t find_equal(const struct text *items, size_t index, struct map *many)
{
    void *before;

    if (index < FEW) {
        for (size_t i = 0; i < index; i++) {
            if (text_equals(items[i], items[index]))
                return i;
        }
        return index;
    }
    for (size_t i = many->count == 0 ? 0 : index; i <= index; i++) {
        before = map_set(many, items[i], (void *)(uintptr_t)(i + 1));
        if (i == index && before != NULL)
            return (size_t)(uintptr_t)before - 1;
    }
    return index;
}

static bool take_list_text(struct schema_binding *b, const struct field *field,
                           struct text *text_out)
{
    const struct doc *doc = b->step->doc;

    if (doc->type != DOC_TEXT) {
        COMPLAIN(b, "must be a %s", "text");
        return false;
    }
    if (!check_text(b, field, TEXT_EMPTY, doc->text))
        return false;
    *text_out = arena_copy(b->arena, doc->text);
    return true;
}

static void bind_texts(struct schema_binding *b, const struct field *field, void *at)
{
    const struct schema_step *list = b->step;
    struct texts texts = { NULL, 0 };
    struct text *items;
    struct map many;

    if (!is_list(b, field, "texts"))
        return;
    map_init(&many);
    items = arena_zalloc(b->arena, (list->doc->list.count + 1) * sizeof(*items));
    for (size_t i = 0; i < list->doc->list.count; i++) {
        struct schema_step item;
        size_t equal;

        enter_item(b, &item, i);
        if (take_list_text(b, field, &items[i]) && (field->flags & FIELD_REPEATS) == 0) {
            equal = find_equal(items, i, &many);
            if (equal != i)
                schema_complain(b, "repeats %s of item %zu.", got(item.doc, b->scratch), equal);
        }
        b->step = list;
    }
    map_fini(&many);
    texts.items = items;
    texts.count = list->doc->list.count;
    memcpy(at, &texts, sizeof(texts));
}

static void bind_groups(struct schema_binding *b, const struct field *field, void *at)
{
    const struct schema_step *list = b->step;
    struct {
        char *items;
        size_t count;
    } groups = { NULL, 0 };

    if (!is_list(b, field, "objects"))
        return;
    groups.count = list->doc->list.count;
    if (groups.count > 0)
        groups.items = arena_zalloc(b->arena, groups.count * field->schema->size);
    for (size_t i = 0; i < groups.count; i++) {
        struct schema_step item;

        enter_item(b, &item, i);
        schema_bind_object(b, field->schema, groups.items + i * field->schema->size);
        b->step = list;
    }
    memcpy(at, &groups, sizeof(groups));
}

static void bind_optional(struct schema_binding *b, const struct field *field, void *at)
{
    void *object = arena_zalloc(b->arena, field->schema->size);

    schema_bind_object(b, field->schema, object);
    memcpy(at, &object, sizeof(object));
}

/* ---- maps ---- */

size_t schema_value_map_count(const struct doc *map)
{
    return map->type == DOC_OBJECT ? map->object.count : map->list.count;
}

bool schema_value_map_entry(const struct doc *map, size_t index, struct pair *pair_out)
{
    const struct doc *item;
    const struct doc *name;
    const struct doc *value;

    if (map->type == DOC_OBJECT) {
        const struct doc_member *m = &map->object.members[index];

        if (m->value.type != DOC_TEXT)
            return false;
        *pair_out = (struct pair){ .name = m->name, .value = m->value.text };
        return true;
    }
    item = &map->list.items[index];
    name = doc_find(item, TEXT_OF("name"));
    value = doc_find(item, TEXT_OF("value"));
    if (name == NULL || value == NULL || item->object.count != 2 || name->type != DOC_TEXT ||
        value->type != DOC_TEXT)
        return false;
    *pair_out = (struct pair){ .name = name->text, .value = value->text };
    return true;
}

bool schema_value_map_repeats(const struct doc *map)
{
    struct pair a;
    struct pair b;

    if (map->type == DOC_OBJECT)
        return false;
    for (size_t i = 0; i < map->list.count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (schema_value_map_entry(map, i, &a) && schema_value_map_entry(map, j, &b) &&
                text_equals(a.name, b.name))
                return true;
        }
    }
    return false;
}

static void enter_map_entry(struct schema_binding *b, struct schema_step *entry, size_t index)
{
    const struct doc *map = b->step->doc;

    if (map->type == DOC_LIST) {
        enter_item(b, entry, index);
        return;
    }
    *entry = (struct schema_step){ .up = b->step,
                                   .name = map->object.members[index].name,
                                   .doc = &map->object.members[index].value };
    if (entry->name.at == NULL)
        entry->name = TEXT_OF("");
    b->step = entry;
}

static bool is_repeated(const struct field *field, const struct pair *items, size_t index)
{
    if ((field->flags & FIELD_REPEATS) != 0)
        return false;
    for (size_t i = 0; i < index; i++) {
        bool is_same = (field->flags & FIELD_NOCASE) != 0
                           ? text_equals_nocase(items[i].name, items[index].name)
                           : text_equals(items[i].name, items[index].name);

        if (is_same)
            return true;
    }
    return false;
}

static void bind_map_entry(struct schema_binding *b, const struct field *field,
                           const struct doc *map, struct pair *items, size_t index)
{
    struct pair pair;

    if (!schema_value_map_entry(map, index, &pair)) {
        if (map->type == DOC_OBJECT)
            COMPLAIN(b, "must be a %s", "text");
        else
            COMPLAIN(b, "must be %s", "an object of name and value, both texts");
        return;
    }
    if (!check_text(b, field, pair.name, pair.value))
        return;
    items[index].name = arena_copy(b->arena, pair.name);
    items[index].value = arena_copy(b->arena, pair.value);
    if (is_repeated(field, items, index))
        schema_complain(b, "repeats the name \"%.*s\"; each may be there once.",
                        TEXT_ARGS(pair.name));
}

static void bind_map(struct schema_binding *b, const struct field *field, void *at)
{
    const struct schema_step *map = b->step;
    struct pairs pairs = { NULL, 0 };
    struct pair *items;

    if (map->doc->type != DOC_OBJECT && map->doc->type != DOC_LIST) {
        COMPLAIN(b, "must be an object of names and texts, or %s",
                 "a list of objects of name and value");
        return;
    }
    pairs.count = schema_value_map_count(map->doc);
    if (!has_length(b, field, pairs.count) || pairs.count == 0)
        return;
    items = arena_zalloc(b->arena, pairs.count * sizeof(*items));
    for (size_t i = 0; i < pairs.count; i++) {
        struct schema_step entry;

        enter_map_entry(b, &entry, i);
        bind_map_entry(b, field, map->doc, items, i);
        b->step = map;
    }
    pairs.items = items;
    memcpy(at, &pairs, sizeof(pairs));
}

/* ---- all of them ---- */

void schema_value_bind(struct schema_binding *b, const struct field *field, void *at)
{
    switch (field->type) {
    case FIELD_TYPE_TEXT:
    case FIELD_TYPE_NAME:
    case FIELD_TYPE_REFERENCE:
    case FIELD_TYPE_PATH:
        bind_text(b, field, at);
        break;
    case FIELD_TYPE_INT:
        bind_int(b, field, at);
        break;
    case FIELD_TYPE_DURATION:
        bind_duration(b, field, at);
        break;
    case FIELD_TYPE_SIZE:
        bind_size(b, field, at);
        break;
    case FIELD_TYPE_BOOL:
        bind_bool(b, at);
        break;
    case FIELD_TYPE_CHOICE:
        bind_choice(b, field, at);
        break;
    case FIELD_TYPE_CHOICES:
        bind_choices(b, field, at);
        break;
    case FIELD_TYPE_TEXTS:
        bind_texts(b, field, at);
        break;
    case FIELD_TYPE_GROUP:
        schema_bind_object(b, field->schema, at);
        break;
    case FIELD_TYPE_OPTIONAL:
        bind_optional(b, field, at);
        break;
    case FIELD_TYPE_GROUPS:
        bind_groups(b, field, at);
        break;
    case FIELD_TYPE_MAP:
        bind_map(b, field, at);
        break;
    }
}

/* ---- defaults ---- */

static struct doc initial_list(const char *initial, struct arena *arena)
{
    struct doc list = doc_list();
    struct text rest = text_of(initial);
    struct text piece;

    while (rest.length > 0 && text_cut(&rest, ' ', &piece))
        doc_append(&list, arena, doc_text(piece));
    return list;
}

bool schema_value_initial(const struct field *field, struct arena *arena, struct doc *doc_out)
{
    struct text initial = text_of(field->initial);
    int64_t number;

    if (field->initial == NULL)
        return false;
    if (field->type == FIELD_TYPE_TEXTS || field->type == FIELD_TYPE_CHOICES)
        *doc_out = initial_list(field->initial, arena);
    else if (field->type == FIELD_TYPE_BOOL)
        *doc_out = doc_bool(text_equals(initial, TEXT_OF("true")));
    else if (field->type == FIELD_TYPE_INT && text_parse_i64(initial, &number))
        *doc_out = doc_int(number);
    else
        *doc_out = doc_text(initial);
    return true;
}
