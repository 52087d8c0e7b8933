/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_libconfig_expand.c - a lexer that knows just enough of libconfig: strings, comments, words,
 * numbers, and @include at the start of a line.
 */
#include "conf/read_libconfig_expand.h"

#include <glob.h>
#include <inttypes.h>

#include "conf/base/mem.h"
#include "conf/read_file.h"

#define DEPTH_MAX  10
#define FILES_MAX  10000
#define SIZE_LIMIT (2 * READ_FILE_MAX)

enum state { IN_NOTHING, IN_STRING, IN_LINE_COMMENT, IN_COMMENT };

struct expanding {
    struct arena *arena;
    struct problems *ps;
    struct read_libconfig_expanded *e;
    enum state state;
    unsigned depth;
    unsigned files;
};

/* One file on its way; `at` is the next byte. */
struct source {
    struct text text;
    const char *file;
    unsigned line;
    size_t at;
    size_t copied; /* bytes that are in the expanded text already */
    bool is_line_start;
};

static struct place place_of(const struct source *s)
{
    return (struct place){ .file = s->file, .line = s->line, .pointer = "", .path = "" };
}

static void add_piece(struct expanding *x, const struct source *s)
{
    struct read_libconfig_expanded *e = x->e;

    if (e->count == e->room) {
        e->room = e->room == 0 ? 8 : 2 * e->room;
        e->pieces = mem_resize(e->pieces, e->room * sizeof(*e->pieces));
    }
    e->pieces[e->count++] = (struct read_libconfig_piece){ e->line, s->line, s->file };
}

static char byte_at(const struct source *s, size_t at)
{
    return at < s->text.length ? s->text.at[at] : '\0';
}

static void copy_up_to(struct expanding *x, struct source *s, size_t end)
{
    builder_add(&x->e->text, text_from(s->text.at + s->copied, end - s->copied));
    s->copied = end;
}

/* ---- numbers ---- */

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '*' || c == '-';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void check_integer(struct expanding *x, const struct source *s, struct text digits,
                          bool is_hex, bool is_long)
{
    uint64_t value;
    const char *prefix = is_hex ? "0x" : "";
    bool is_number = is_hex ? text_parse_hex_u64(digits, &value) : text_parse_u64(digits, &value);

    bool is_negative = digits.at > s->text.at && digits.at[-1] == '-';

    if (is_number && value <= (is_long ? INT64_MAX : INT32_MAX + (uint64_t)is_negative))
        return;
    if (is_number && value <= INT64_MAX)
        problems_add(x->ps, place_of(s),
                     "The integer %s%.*s is larger than 2147483647 and must be written with L: "
                     "%s%.*sL.",
                     prefix, TEXT_ARGS(digits), prefix, TEXT_ARGS(digits));
    else
        problems_add(x->ps, place_of(s), "The integer %s%.*s does not fit into 64 bits.", prefix,
                     TEXT_ARGS(text_first(digits, 100)));
}

/* A number at s->at (its sign is skipped already); moves behind it. */
static void scan_number(struct expanding *x, struct source *s)
{
    bool is_hex = byte_at(s, s->at) == '0' && (byte_at(s, s->at + 1) | 0x20) == 'x';
    size_t start = is_hex ? s->at + 2 : s->at;
    size_t end = start;
    char next;

    while (is_digit(byte_at(s, end)) ||
           (is_hex && byte_at(s, end) != '\0' && strchr("abcdefABCDEF", byte_at(s, end)) != NULL))
        end++;
    next = byte_at(s, end);
    s->at = end;
    if (!is_hex && (next == '.' || next == 'e' || next == 'E')) {
        while (byte_at(s, s->at) == '.' || byte_at(s, s->at) == '+' ||
               is_word_byte(byte_at(s, s->at)))
            s->at++;
        return;
    }
    if (end > start)
        check_integer(x, s, text_from(s->text.at + start, end - start), is_hex, next == 'L');
    while (byte_at(s, s->at) == 'L')
        s->at++;
}

static void scan_word(struct source *s)
{
    while (is_word_byte(byte_at(s, s->at)))
        s->at++;
}

/* ---- includes ---- */

static void expand(struct expanding *x, struct text text, const char *file);

static void include_file(struct expanding *x, const struct source *from, const char *file)
{
    const struct place place = place_of(from);
    struct text text;

    if (++x->files > FILES_MAX) {
        problems_add(x->ps, place, "More than %d files are included.", FILES_MAX);
        return;
    }
    if (!read_file(file, &place, x->arena, x->ps, &text))
        return;
    expand(x, text, arena_copy(x->arena, text_of(file)).at);
}

static void include_matching(struct expanding *x, const struct source *from, const char *pattern)
{
    glob_t found;
    int result = glob(pattern, 0, NULL, &found);

    for (size_t i = 0; result == 0 && i < found.gl_pathc; i++)
        include_file(x, from, found.gl_pathv[i]);
    if (result != 0 && result != GLOB_NOMATCH)
        problems_add(x->ps, place_of(from), "The files %s cannot be listed.", pattern);
    globfree(&found);
}

/* Relative to the folder of the including file. */
static const char *resolve(struct expanding *x, const struct source *from, struct text path)
{
    struct text file = text_of(from->file);
    size_t folder = file.length;

    while (folder > 0 && file.at[folder - 1] != '/')
        folder--;
    if (path.at[0] == '/')
        folder = 0;
    return arena_print(x->arena, "%.*s%.*s", (int)folder, file.at == NULL ? "" : file.at,
                       TEXT_ARGS(path))
        .at;
}

/* The quoted path of an @include whose line is `rest`; false if it is not that. */
static bool parse_include(struct text rest, struct text *path_out)
{
    struct text path = text_trim(rest);
    size_t end;

    if (path.length < 2 || path.at[0] != '"')
        return false;
    path = text_skip(path, 1);
    end = text_find_byte(path, '"');
    if (end == 0 || end == path.length || text_find_byte(path, '\\') < path.length)
        return false;
    *path_out = text_first(path, end);
    path = text_trim(text_skip(path, end + 1));
    return path.length == 0 || path.at[0] == '#' || text_starts_with(path, TEXT_OF("//"));
}

static void include(struct expanding *x, struct source *s)
{
    const size_t start = s->at;
    size_t end = start + text_find_byte(text_skip(s->text, start), '\n');
    struct text line = text_from(s->text.at + start, end - start);
    const char *path;
    struct text written;

    if (line.length > 0 && line.at[line.length - 1] == '\r')
        line.length--;
    copy_up_to(x, s, start);
    s->copied = end;
    s->at = end;
    if (!parse_include(text_skip(line, strlen("@include")), &written)) {
        problems_add(x->ps, place_of(s),
                     "@include must be followed by a path in quotes, and "
                     "nothing else in its line.");
        return;
    }
    if (x->depth >= DEPTH_MAX) {
        problems_add(x->ps, place_of(s),
                     "@include is nested deeper than %d files; does a file "
                     "include itself?",
                     DEPTH_MAX);
        return;
    }
    path = resolve(x, s, written);
    if (strpbrk(path, "*?[") != NULL)
        include_matching(x, s, path);
    else
        include_file(x, s, path);
    add_piece(x, s);
}

/* ---- the lexer ---- */

static void count_line(struct expanding *x, struct source *s)
{
    s->line++;
    x->e->line++;
}

static void scan_outside(struct expanding *x, struct source *s)
{
    char c = byte_at(s, s->at);
    char next = byte_at(s, s->at + 1);

    if (c == '@' && s->is_line_start &&
        text_starts_with(text_skip(s->text, s->at), TEXT_OF("@include"))) {
        include(x, s);
        return;
    }
    if (c == '"')
        x->state = IN_STRING;
    else if (c == '#' || (c == '/' && next == '/'))
        x->state = IN_LINE_COMMENT;
    else if (c == '/' && next == '*') {
        x->state = IN_COMMENT;
        s->at++;
    } else if (is_digit(c)) {
        scan_number(x, s);
        return;
    } else if (is_word_byte(c) && c != '-') {
        scan_word(s);
        return;
    }
    s->at++;
}

static void scan_inside(struct expanding *x, struct source *s)
{
    char c = byte_at(s, s->at);

    if (x->state == IN_STRING && c == '\\' && byte_at(s, s->at + 1) != '\n')
        s->at++;
    else if (x->state == IN_STRING && c == '"')
        x->state = IN_NOTHING;
    else if (x->state == IN_COMMENT && c == '*' && byte_at(s, s->at + 1) == '/') {
        x->state = IN_NOTHING;
        s->at++;
    }
    s->at++;
}

static void expand(struct expanding *x, struct text text, const char *file)
{
    struct source s = { .text = text, .file = file, .line = 1, .is_line_start = true };

    x->depth++;
    add_piece(x, &s);
    while (s.at < text.length) {
        char c = byte_at(&s, s.at);

        if (c == '\n') {
            if (x->state == IN_LINE_COMMENT)
                x->state = IN_NOTHING;
            count_line(x, &s);
            s.is_line_start = true;
            s.at++;
            continue;
        }
        if (x->state == IN_NOTHING)
            scan_outside(x, &s);
        else
            scan_inside(x, &s);
        s.is_line_start = s.is_line_start && (c == ' ' || c == '\t');
    }
    if (s.copied < text.length)
        copy_up_to(x, &s, text.length);
    if (x->depth > 1) {
        builder_add_byte(&x->e->text, '\n');
        x->e->line++;
        if (x->state == IN_LINE_COMMENT)
            x->state = IN_NOTHING;
    }
    x->depth--;
}

bool read_libconfig_expand(struct text text, const char *file, struct arena *arena,
                           struct problems *ps, struct read_libconfig_expanded *e)
{
    struct expanding x = { .arena = arena, .ps = ps, .e = e };
    const struct place place = { .file = file, .pointer = "", .path = "" };
    size_t before = ps->count + ps->dropped;

    *e = (struct read_libconfig_expanded){ .line = 1 };
    builder_init(&e->text, SIZE_LIMIT);
    expand(&x, text, arena_copy(arena, text_of(file)).at);
    if (builder_is_full(&e->text))
        problems_add(ps, place, "With what it includes the file is longer than %zu bytes.",
                     SIZE_LIMIT);
    else if (text_find_byte(builder_text(&e->text), '\0') < builder_text(&e->text).length)
        problems_add(ps, place, "There is a NUL byte in the file; it must be text.");
    return ps->count + ps->dropped == before;
}

void read_libconfig_expanded_fini(struct read_libconfig_expanded *e)
{
    builder_fini(&e->text);
    MEM_FREE(&e->pieces);
}

struct place read_libconfig_place(const struct read_libconfig_expanded *e, unsigned line)
{
    struct place place = { .pointer = "", .path = "" };
    size_t low = 0;
    size_t high = e->count;

    MUST(e->count > 0);
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (e->pieces[middle].first <= line)
            low = middle;
        else
            high = middle;
    }
    place.file = e->pieces[low].file;
    place.line = e->pieces[low].line + (line - e->pieces[low].first);
    return place;
}
