/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template.c - splitting once, putting together for each request.
 */
#include "gatewayd/route/template.h"

static bool is_name_byte(char c, bool is_first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!is_first && c >= '0' && c <= '9');
}

/* The name in the braces that `t` begins with; false if there is none. */
static bool parse_name(struct text t, struct text *name_out)
{
    size_t end = 1;

    while (end < t.length && is_name_byte(t.at[end], end == 1))
        end++;
    if (end == 1 || end >= t.length || t.at[end] != '}')
        return false;
    *name_out = text_from(t.at + 1, end - 1);
    return true;
}

static void add_piece(struct template *t, struct text text, bool is_variable)
{
    if (text.length > 0)
        t->pieces[t->count++] = (struct template_piece){ text, is_variable };
}

struct template template_parse(struct text source, struct arena *arena)
{
    struct text copy = arena_copy(arena, source);
    struct template t = { .count = 0 };
    struct text name;
    size_t braces = 0;
    size_t start = 0;

    for (size_t i = 0; i < copy.length; i++)
        braces += copy.at[i] == '{';
    t.pieces = arena_zalloc(arena, (2 * braces + 1) * sizeof(*t.pieces));
    for (size_t i = 0; i < copy.length; i++) {
        if (copy.at[i] != '{' || !parse_name(text_skip(copy, i), &name))
            continue;
        add_piece(&t, text_from(copy.at + start, i - start), false);
        add_piece(&t, name, true);
        i += name.length + 1;
        start = i + 1;
    }
    add_piece(&t, text_skip(copy, start), false);
    return t;
}

bool template_print(const struct template *t, template_value_fn *value, void *arg,
                    struct arena *arena, struct text *text_out)
{
    struct text found;
    size_t length = 0;
    char *into;
    char *at;

    for (unsigned i = 0; i < t->count; i++) {
        found = t->pieces[i].text;
        if (!t->pieces[i].is_variable || value(arg, t->pieces[i].text, &found))
            length += found.length;
    }
    into = arena_try_alloc(arena, length + 1);
    if (into == NULL)
        return false;
    at = into;
    for (unsigned i = 0; i < t->count; i++) {
        found = t->pieces[i].text;
        if (t->pieces[i].is_variable && !value(arg, t->pieces[i].text, &found))
            continue;
        if (found.length > 0)
            memcpy(at, found.at, found.length);
        at += found.length;
    }
    *at = '\0';
    *text_out = text_from(into, length);
    return true;
}
