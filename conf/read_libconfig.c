/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/read_libconfig.h"

#include <libconfig.h>
#include <math.h>

#include "conf/read_file.h"
#include "conf/read_json.h"
#include "conf/read_libconfig_expand.h"

struct reading {
    struct arena *arena;
    struct problems *ps;
    const struct read_libconfig_expanded *expanded;
};

static struct doc convert(struct reading *r, const config_setting_t *from, unsigned depth);

static struct place place_of(const struct reading *r, const config_setting_t *setting)
{
    unsigned line = config_setting_source_line(setting);

    return read_libconfig_place(r->expanded, line == 0 ? 1 : line);
}

static struct doc convert_members(struct reading *r, const config_setting_t *from, unsigned depth)
{
    struct doc object = doc_object();
    int count = config_setting_length(from);

    for (int i = 0; i < count; i++) {
        const config_setting_t *member = config_setting_get_elem(from, (unsigned)i);
        struct text name = arena_copy(r->arena, text_of(config_setting_name(member)));

        doc_add(&object, r->arena, name, convert(r, member, depth + 1));
    }
    return object;
}

static struct doc convert_items(struct reading *r, const config_setting_t *from, unsigned depth)
{
    struct doc list = doc_list();
    int count = config_setting_length(from);

    for (int i = 0; i < count; i++)
        doc_append(&list, r->arena,
                   convert(r, config_setting_get_elem(from, (unsigned)i), depth + 1));
    return list;
}

/* The length of one well-formed character at the front, 0 if there is none. */
static size_t utf8_length(struct text t)
{
    unsigned char c = (unsigned char)t.at[0];
    size_t length = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

    if (length > t.length)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if (((unsigned char)t.at[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((c == 0xe0 && (unsigned char)t.at[1] < 0xa0) ||
        (c == 0xed && (unsigned char)t.at[1] > 0x9f) ||
        (c == 0xf0 && (unsigned char)t.at[1] < 0x90) ||
        (c == 0xf4 && (unsigned char)t.at[1] > 0x8f))
        return 0;
    return length;
}

static bool is_utf8(struct text t)
{
    while (t.length > 0) {
        size_t length = utf8_length(t);

        if (length == 0)
            return false;
        t = text_skip(t, length);
    }
    return true;
}

static struct doc convert_text(struct reading *r, const config_setting_t *from)
{
    struct text text = text_of(config_setting_get_string(from));

    if (!is_utf8(text))
        problems_add(r->ps, place_of(r, from), "The text is not UTF-8.");
    return doc_text(arena_copy(r->arena, text));
}

static struct doc convert_real(struct reading *r, const config_setting_t *from)
{
    double real = config_setting_get_float(from);

    if (!isfinite(real)) {
        problems_add(r->ps, place_of(r, from), "The number is too large.");
        real = 0;
    }
    return (struct doc){ .type = DOC_REAL, .real = real };
}

static struct doc convert_value(struct reading *r, const config_setting_t *from, unsigned depth)
{
    switch (config_setting_type(from)) {
    case CONFIG_TYPE_GROUP:
        return convert_members(r, from, depth);
    case CONFIG_TYPE_ARRAY:
    case CONFIG_TYPE_LIST:
        return convert_items(r, from, depth);
    case CONFIG_TYPE_STRING:
        return convert_text(r, from);
    case CONFIG_TYPE_BOOL:
        return doc_bool(config_setting_get_bool(from) != 0);
    case CONFIG_TYPE_INT:
        return doc_int(config_setting_get_int(from));
    case CONFIG_TYPE_INT64:
        return doc_int(config_setting_get_int64(from));
    case CONFIG_TYPE_FLOAT:
        return convert_real(r, from);
    default:
        return doc_null();
    }
}

static struct doc convert(struct reading *r, const config_setting_t *from, unsigned depth)
{
    struct place place = place_of(r, from);
    struct doc doc;

    if (depth > DOC_DEPTH_MAX) {
        if (depth == DOC_DEPTH_MAX + 1)
            problems_add(r->ps, place, "The file is nested deeper than %d levels.", DOC_DEPTH_MAX);
        return doc_null();
    }
    doc = convert_value(r, from, depth);
    doc.file = place.file;
    doc.line = place.line;
    return doc;
}

static bool read_expanded(struct reading *r, struct doc *doc_out)
{
    size_t before = r->ps->count + r->ps->dropped;
    config_t config;
    struct doc doc;

    config_init(&config);
    if (config_read_string(&config, builder_text(&r->expanded->text).at) == CONFIG_FALSE) {
        int line = config_error_line(&config);

        problems_add(r->ps, read_libconfig_place(r->expanded, line > 0 ? (unsigned)line : 1),
                     "The file is not libconfig: %s.", config_error_text(&config));
        config_destroy(&config);
        return false;
    }
    doc = convert(r, config_root_setting(&config), 1);
    config_destroy(&config);
    if (r->ps->count + r->ps->dropped != before)
        return false;
    *doc_out = doc;
    return true;
}

bool read_libconfig_text(struct text text, const char *file, struct arena *arena,
                         struct problems *ps, struct doc *doc_out)
{
    struct read_libconfig_expanded expanded;
    struct reading r = { .arena = arena, .ps = ps, .expanded = &expanded };
    bool is_good = read_libconfig_expand(text, file, arena, ps, &expanded);

    if (is_good) {
        builder_add_byte(&expanded.text, '\0');
        is_good = read_expanded(&r, doc_out);
    }
    read_libconfig_expanded_fini(&expanded);
    return is_good;
}

bool read_libconfig(const char *file, struct arena *arena, struct problems *ps, struct doc *doc_out)
{
    struct text text;

    return read_file(file, NULL, arena, ps, &text) &&
           read_libconfig_text(text, file, arena, ps, doc_out);
}

/* JSON has no lines; that all of it is from one file is known at least. */
static void set_file(struct doc *doc, const char *file)
{
    doc->file = file;
    for (size_t i = 0; doc->type == DOC_LIST && i < doc->list.count; i++)
        set_file(&doc->list.items[i], file);
    for (size_t i = 0; doc->type == DOC_OBJECT && i < doc->object.count; i++)
        set_file(&doc->object.members[i].value, file);
}

static bool read_json_file(struct text text, const char *file, struct arena *arena,
                           struct problems *ps, struct doc *doc_out)
{
    const struct place place = { .file = file, .pointer = "", .path = "" };
    struct problems own;
    bool is_good;

    problems_init(&own);
    is_good = read_json(text, arena, &own, doc_out);
    for (size_t i = 0; i < own.count; i++)
        problems_add(ps, place, "%s", own.items[i].sentence);
    problems_fini(&own);
    if (is_good)
        set_file(doc_out, arena_copy(arena, text_of(file)).at);
    return is_good;
}

bool read_libconfig_or_json(const char *file, struct arena *arena, struct problems *ps,
                            struct doc *doc_out)
{
    struct text text;
    size_t start = 0;

    if (!read_file(file, NULL, arena, ps, &text))
        return false;
    while (start < text.length && strchr(" \t\r\n", text.at[start]) != NULL)
        start++;
    if (start < text.length && (text.at[start] == '{' || text.at[start] == '['))
        return read_json_file(text, file, arena, ps, doc_out);
    return read_libconfig_text(text, file, arena, ps, doc_out);
}

#define STRING_OF(x) #x
#define VALUE_OF(x)  STRING_OF(x)

const char *read_libconfig_library_version(void)
{
    return "libconfig " VALUE_OF(LIBCONFIG_VER_MAJOR) "." VALUE_OF(
        LIBCONFIG_VER_MINOR) "." VALUE_OF(LIBCONFIG_VER_REVISION);
}
