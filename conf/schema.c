/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema.c - binding documents to structs: which members there are, what is missing, what is set
 * twice, where it all stands. The values themselves are in schema_value.c.
 */
#include "conf/schema.h"

#include <stdarg.h>
#include <stdio.h>

#include "conf/base/builder.h"
#include "conf/schema_private.h"

#define PLACE_SIZE_MAX    4096
#define SENTENCE_SIZE_MAX 4096
#define HINT_DISTANCE     3
#define SCRATCH_SIZE      2048

static const struct checks strict_checks;

const struct field *schema_find(const struct schema *schema, struct text name)
{
    for (size_t i = 0; i < schema->count; i++) {
        if (text_equals(text_of(schema->fields[i].name), name))
            return &schema->fields[i];
    }
    return NULL;
}

const char *schema_nearest(const struct schema *schema, struct text name)
{
    const char *nearest = NULL;
    unsigned best = HINT_DISTANCE + 1;

    if (name.length < best)
        best = (unsigned)name.length;
    for (size_t i = 0; i < schema->count; i++) {
        unsigned distance = text_distance(name, text_of(schema->fields[i].name), HINT_DISTANCE);

        if (distance < best) {
            best = distance;
            nearest = schema->fields[i].name;
        }
    }
    return nearest;
}

/* ---- places ---- */

static void add_pointer_token(struct builder *b, struct text token)
{
    builder_add_byte(b, '/');
    for (size_t i = 0; i < token.length; i++) {
        if (token.at[i] == '~')
            builder_add(b, TEXT_OF("~0"));
        else if (token.at[i] == '/')
            builder_add(b, TEXT_OF("~1"));
        else
            builder_add_byte(b, token.at[i]);
    }
}

static void add_step(const struct schema_step *step, struct builder *pointer, struct builder *path)
{
    if (step == NULL || step->up == NULL)
        return;
    add_step(step->up, pointer, path);
    if (step->name.at == NULL) {
        builder_addf(pointer, "/%zu", step->index);
        builder_addf(path, "[%zu]", step->index);
        return;
    }
    add_pointer_token(pointer, step->name);
    if (builder_text(path).length > 0)
        builder_add_byte(path, '.');
    builder_add(path, step->name);
}

/* A relative pointer that a check function gave, continued from the step at hand. */
static const struct doc *add_relative(const struct doc *doc, const char *where,
                                      struct builder *pointer, struct builder *path)
{
    struct text rest = text_of(where);
    struct text token;
    uint64_t index;

    while (rest.length > 0 && text_cut(&rest, '/', &token)) {
        char digits[TEXT_NUMBER_SIZE + 1] = "/";
        struct text child;

        add_pointer_token(pointer, token);
        if (text_parse_u64(token, &index)) {
            builder_addf(path, "[%zu]", (size_t)index);
            child = text_print_u64(index, digits + 1);
            child = text_from(digits, child.length + 1);
            if (doc_find_pointer(doc, child) != NULL)
                doc = doc_find_pointer(doc, child);
            continue;
        }
        if (builder_text(path).length > 0)
            builder_add_byte(path, '.');
        builder_add(path, token);
        if (doc_find(doc, token) != NULL)
            doc = doc_find(doc, token);
    }
    return doc;
}

static void add_problem(struct schema_binding *b, const char *where, const char *sentence)
{
    const struct doc *doc = b->step->doc;
    struct builder pointer;
    struct builder path;
    struct place place = *b->root;

    builder_init(&pointer, PLACE_SIZE_MAX);
    builder_init(&path, PLACE_SIZE_MAX);
    builder_add(&pointer, text_of(b->root->pointer));
    builder_add(&path, text_of(b->root->path));
    add_step(b->step, &pointer, &path);
    doc = add_relative(doc, where, &pointer, &path);
    /* A default stands nowhere: then it is what holds it that has a place. */
    for (const struct schema_step *s = b->step; doc->file == NULL && s != NULL; s = s->up)
        doc = s->doc;
    if (doc->file != NULL) {
        place.file = doc->file;
        place.line = doc->line;
    }
    builder_add_byte(&pointer, '\0');
    builder_add_byte(&path, '\0');
    place.pointer = builder_is_full(&pointer) ? "" : builder_text(&pointer).at;
    place.path = builder_is_full(&path) ? "" : builder_text(&path).at;
    problems_add(b->ps, place, "%s", sentence);
    builder_fini(&pointer);
    builder_fini(&path);
}

PRINTF_LIKE(4, 0)
static void add_formatted(struct schema_binding *b, const char *where, bool is_named,
                          const char *format, va_list args)
{
    char sentence[SENTENCE_SIZE_MAX];
    size_t used = 0;

    if (is_named && b->step->name.at != NULL)
        used = (size_t)snprintf(sentence, sizeof(sentence), "%.*s ",
                                TEXT_ARGS(text_first(b->step->name, 200)));
    else if (is_named && b->step->up != NULL && b->step->up->name.at != NULL)
        used = (size_t)snprintf(sentence, sizeof(sentence), "%.*s[%zu] ",
                                TEXT_ARGS(text_first(b->step->up->name, 200)), b->step->index);
    (void)vsnprintf(sentence + used, sizeof(sentence) - used, format, args);
    add_problem(b, where, sentence);
}

void schema_complain(struct schema_binding *b, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_formatted(b, "", true, format, args);
    va_end(args);
}

void schema_problem(struct schema_binding *b, const char *where, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_formatted(b, where, false, format, args);
    va_end(args);
}

struct arena *schema_arena(struct schema_binding *b)
{
    return b->arena;
}

const struct checks *schema_checks(const struct schema_binding *b)
{
    return b->checks;
}

static size_t row_of(const struct schema *schema, const char *name)
{
    const struct field *field = schema_find(schema, text_of(name));

    MUST(field != NULL);
    return (size_t)(field - schema->fields);
}

bool schema_is_set(const struct schema_binding *b, const char *name)
{
    return (b->set >> row_of(b->schema, name) & 1) != 0;
}

/* ---- objects ---- */

static void complain_unknown(struct schema_binding *b, struct text name)
{
    const char *nearest = schema_nearest(b->schema, name);
    char where[256];

    b->unknown++;
    (void)snprintf(where, sizeof(where), "%.*s", TEXT_ARGS(text_first(name, 200)));
    if (nearest != NULL)
        schema_problem(b, where, "There is no field %s in %s; did you mean %s?", where,
                       b->schema->name, nearest);
    else
        schema_problem(b, where, "There is no field %s in %s.", where, b->schema->name);
}

static void bind_member(struct schema_binding *b, size_t row, struct text name,
                        const struct doc *value, char *object)
{
    const struct schema_step *up = b->step;
    struct schema_step step = { .up = up, .name = name, .doc = value };

    b->step = &step;
    schema_value_bind(b, &b->schema->fields[row], object + b->schema->fields[row].offset);
    b->step = up;
}

/* Members mostly come in the order of the rows, so the search goes on behind the last one found. */
static size_t find_row(const struct schema *schema, struct text name, size_t expected)
{
    for (size_t i = 0; i < schema->count; i++) {
        size_t row = expected + i < schema->count ? expected + i : expected + i - schema->count;
        const char *candidate = schema->fields[row].name;

        if (strncmp(candidate, name.at == NULL ? "" : name.at, name.length) == 0 &&
            candidate[name.length] == '\0')
            return row;
    }
    return schema->count;
}

static void bind_written(struct schema_binding *b, const struct doc *doc, char *object)
{
    size_t row = 0;

    for (size_t i = 0; i < doc->object.count; i++) {
        const struct doc_member *m = &doc->object.members[i];
        size_t found = find_row(b->schema, m->name, row);

        if (found == b->schema->count) {
            if (!b->checks->lenient)
                complain_unknown(b, m->name);
            continue;
        }
        row = found + 1;
        if (m->value.type == DOC_NULL)
            continue;
        b->set |= 1UL << found;
        bind_member(b, found, m->name, &m->value, object);
    }
}

static void copy_number(const struct schema *schema, const char *from, size_t to, char *object)
{
    size_t row = row_of(schema, from);

    MUST(schema->fields[row].type == schema->fields[to].type);
    memcpy(object + schema->fields[to].offset, object + schema->fields[row].offset,
           sizeof(int64_t));
}

static void set_unset(const struct field *field, char *object)
{
    const int64_t unset = FIELD_UNSET;

    if (field->type == FIELD_TYPE_INT || field->type == FIELD_TYPE_DURATION ||
        field->type == FIELD_TYPE_SIZE)
        memcpy(object + field->offset, &unset, sizeof(unset));
}

static void bind_default(struct schema_binding *b, size_t row, char *object)
{
    const struct field *field = &b->schema->fields[row];
    const struct doc nothing = doc_object();
    struct doc initial;

    if (field->only_with != NULL && !schema_is_set(b, field->only_with)) {
        set_unset(field, object);
        return;
    }
    if (field->type == FIELD_TYPE_GROUP)
        bind_member(b, row, text_of(field->name), &nothing, object);
    else if (field->initial_like != NULL)
        copy_number(b->schema, field->initial_like, row, object);
    else if (schema_value_initial(field, b->scratch, &initial))
        bind_member(b, row, text_of(field->name), &initial, object);
    else
        set_unset(field, object);
}

static void bind_missing(struct schema_binding *b, char *object)
{
    for (size_t row = 0; row < b->schema->count; row++) {
        const struct field *field = &b->schema->fields[row];
        bool is_set = (b->set >> row & 1) != 0;

        if (is_set && field->only_with != NULL && !schema_is_set(b, field->only_with))
            schema_problem(b, field->name, "%s belongs to %s, which is not set.", field->name,
                           field->only_with);
        if (is_set)
            continue;
        if ((field->flags & FIELD_REQUIRED) != 0)
            schema_problem(b, "", "%s is missing; it is required in %s.", field->name,
                           b->schema->name);
        else
            bind_default(b, row, object);
    }
}

/* Problems that leave the object unfit for the rules between its fields. */
static size_t count_bad(const struct schema_binding *b)
{
    return b->ps->count + b->ps->dropped - b->unknown;
}

void schema_bind_object(struct schema_binding *b, const struct schema *schema, void *object)
{
    const struct schema *schema_above = b->schema;
    unsigned long set_above = b->set;
    size_t bad_before = count_bad(b);

    MUST(schema->count <= SCHEMA_FIELDS_MAX);
    memset(object, 0, schema->size);
    if (b->step->doc->type != DOC_OBJECT) {
        schema_complain(b, "must be an object with the fields of %s, got %s.", schema->name,
                        doc_type_name(b->step->doc->type));
        return;
    }
    b->schema = schema;
    b->set = 0;
    bind_written(b, b->step->doc, object);
    bind_missing(b, object);
    if (schema->check != NULL && count_bad(b) == bad_before)
        schema->check(object, b);
    b->schema = schema_above;
    b->set = set_above;
}

bool schema_bind(const struct schema *schema, const struct doc *doc, const struct place *root,
                 const struct checks *checks, struct arena *arena, struct problems *ps,
                 void *object)
{
    const struct place nowhere = { .pointer = "", .path = "" };
    const struct schema_step step = { .doc = doc };
    char lent[SCRATCH_SIZE];
    struct arena scratch;
    struct schema_binding b = {
        .schema = schema,
        .root = root != NULL ? root : &nowhere,
        .checks = checks != NULL ? checks : &strict_checks,
        .arena = arena,
        .scratch = &scratch,
        .ps = ps,
        .step = &step,
    };
    size_t before = ps->count + ps->dropped;

    arena_init(&scratch, SIZE_MAX);
    arena_lend(&scratch, lent, sizeof(lent));
    schema_bind_object(&b, schema, object);
    arena_reset(&scratch);
    return ps->count + ps->dropped == before;
}
