/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/read_json.h"

#include <jansson.h>

static bool convert(const json_t *from, struct arena *arena, unsigned depth, struct doc *doc_out);

static bool convert_list(const json_t *from, struct arena *arena, unsigned depth,
                         struct doc *doc_out)
{
    *doc_out = doc_list();
    for (size_t i = 0; i < json_array_size(from); i++) {
        struct doc item;

        if (!convert(json_array_get(from, i), arena, depth + 1, &item))
            return false;
        doc_append(doc_out, arena, item);
    }
    return true;
}

static bool convert_object(json_t *from, struct arena *arena, unsigned depth, struct doc *doc_out)
{
    *doc_out = doc_object();
    for (void *at = json_object_iter(from); at != NULL; at = json_object_iter_next(from, at)) {
        const char *name = json_object_iter_key(at);
        struct doc value;

        if (!convert(json_object_iter_value(at), arena, depth + 1, &value))
            return false;
        doc_add(doc_out, arena, arena_copy(arena, text_of(name)), value);
    }
    return true;
}

/* False when nested too deep. */
static bool convert(const json_t *from, struct arena *arena, unsigned depth, struct doc *doc_out)
{
    if (depth > DOC_DEPTH_MAX)
        return false;
    switch (json_typeof(from)) {
    case JSON_NULL:
        *doc_out = doc_null();
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        *doc_out = doc_bool(json_is_true(from));
        return true;
    case JSON_INTEGER:
        *doc_out = doc_int(json_integer_value(from));
        return true;
    case JSON_REAL:
        *doc_out = (struct doc){ .type = DOC_REAL, .real = json_real_value(from) };
        return true;
    case JSON_STRING:
        *doc_out = doc_text(
            arena_copy(arena, text_from(json_string_value(from), json_string_length(from))));
        return true;
    case JSON_ARRAY:
        return convert_list(from, arena, depth, doc_out);
    case JSON_OBJECT:
        return convert_object((json_t *)(uintptr_t)from, arena, depth, doc_out);
    }
    return false;
}

static struct place nowhere(void)
{
    return (struct place){ .pointer = "", .path = "" };
}

/* jansson counts from where its part of the text starts. */
static void add_syntax_problem(struct text json, size_t start, const json_error_t *error,
                               struct problems *ps)
{
    unsigned line = (unsigned)(error->line > 0 ? error->line : 1);
    unsigned column = (unsigned)(error->column > 0 ? error->column : 1);
    size_t line_start = 0;

    for (size_t i = 0; i < start; i++) {
        if (json.at[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    }
    if (error->line <= 1)
        column += (unsigned)(start - line_start);
    problems_add(ps, nowhere(), "The document is not JSON: %s at line %u, column %u.",
                 strstr(error->text, "ALLOW_NUL") != NULL ? "\\u0000 is not allowed" : error->text,
                 line, column);
}

/* Loads from `start` to the end of the text, or one value of it. */
static bool load(struct text json, size_t start, size_t flags, struct arena *arena,
                 struct problems *ps, size_t *length_out, struct doc *doc_out)
{
    json_error_t error;
    json_t *loaded;
    bool is_shallow;

    loaded = json_loadb(json.at + start, json.length - start, flags, &error);
    if (loaded == NULL) {
        add_syntax_problem(json, start, &error, ps);
        return false;
    }
    *length_out = (size_t)error.position;
    is_shallow = convert(loaded, arena, 1, doc_out);
    json_decref(loaded);
    if (!is_shallow)
        problems_add(ps, nowhere(), "The document is nested deeper than %u levels.", DOC_DEPTH_MAX);
    return is_shallow;
}

bool read_json(struct text json, struct arena *arena, struct problems *ps, struct doc *doc_out)
{
    struct doc doc;
    size_t length;

    if (json.at == NULL)
        json = TEXT_OF("");
    if (!load(json, 0, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, arena, ps, &length, &doc))
        return false;
    *doc_out = doc;
    return true;
}

bool read_json_value(struct text json, size_t *at, struct arena *arena, struct problems *ps,
                     struct doc *doc_out)
{
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK;
    struct doc doc;
    size_t length;

    MUST(*at <= json.length);
    if (!load(json, *at, flags, arena, ps, &length, &doc))
        return false;
    *at += length;
    *doc_out = doc;
    return true;
}

const char *read_json_library_version(void)
{
    return "jansson " JANSSON_VERSION;
}
