/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/json_lines.h"

#define SEGMENT_SIZE 256

struct walk {
    struct text json;
    size_t at;
};

static char look(const struct walk *w)
{
    return w->at < w->json.length ? w->json.at[w->at] : '\0';
}

static void skip_space(struct walk *w)
{
    while (w->at < w->json.length && strchr(" \t\r\n", w->json.at[w->at]) != NULL)
        w->at++;
}

/* Stands at the opening quote; moves behind the closing one and gives what is between. */
static struct text skip_string(struct walk *w)
{
    size_t begin = ++w->at;

    while (w->at < w->json.length && look(w) != '"')
        w->at += look(w) == '\\' ? 2 : 1;
    if (w->at > w->json.length)
        w->at = w->json.length;
    w->at++;
    return text_from(w->json.at + begin, w->at - 1 - begin);
}

/* Moves behind the value that stands here. */
static void skip_value(struct walk *w)
{
    size_t depth = 0;

    do {
        skip_space(w);
        switch (look(w)) {
        case '"':
            (void)skip_string(w);
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (depth == 0)
                return;
            depth--;
            break;
        case ',':
            if (depth == 0)
                return;
            break;
        default:
            break;
        }
        w->at++;
        if (depth == 0 && strchr(",}] \t\r\n", look(w)) != NULL)
            return;
    } while (w->at < w->json.length);
}

/* A pointer's segment with ~1 and ~0 undone. */
static struct text unescape(struct text segment, char into[SEGMENT_SIZE])
{
    size_t length = 0;

    for (size_t i = 0; i < segment.length && length < SEGMENT_SIZE; i++) {
        char c = segment.at[i];

        if (c == '~' && i + 1 < segment.length)
            c = segment.at[++i] == '1' ? '/' : '~';
        into[length++] = c;
    }
    return text_from(into, length);
}

/* Stands at the value of the member, or false. Names with escapes are not found. */
static bool enter_member(struct walk *w, struct text name)
{
    w->at++;
    for (skip_space(w); look(w) == '"'; skip_space(w)) {
        bool is_it = text_equals(skip_string(w), name);

        skip_space(w);
        w->at++; /* the colon */
        skip_space(w);
        if (is_it)
            return true;
        skip_value(w);
        skip_space(w);
        if (look(w) != ',')
            return false;
        w->at++;
    }
    return false;
}

static bool enter_item(struct walk *w, struct text segment)
{
    uint64_t index;

    if (!text_parse_u64(segment, &index))
        return false;
    w->at++;
    for (skip_space(w); look(w) != ']' && w->at < w->json.length; skip_space(w)) {
        if (index-- == 0)
            return true;
        skip_value(w);
        skip_space(w);
        if (look(w) != ',')
            return false;
        w->at++;
    }
    return false;
}

static unsigned line_at(struct text json, size_t at)
{
    unsigned line = 1;

    for (size_t i = 0; i < at && i < json.length; i++)
        line += json.at[i] == '\n';
    return line;
}

unsigned json_lines_find(struct text json, struct text pointer)
{
    struct walk w = { .json = json };
    struct text rest = text_skip(pointer, 1);
    struct text segment;
    size_t found;
    char name[SEGMENT_SIZE];

    skip_space(&w);
    found = w.at;
    while (pointer.length > 0 && rest.at != NULL && text_cut(&rest, '/', &segment)) {
        bool is_there = false;

        if (look(&w) == '{')
            is_there = enter_member(&w, unescape(segment, name));
        else if (look(&w) == '[')
            is_there = enter_item(&w, segment);
        if (!is_there)
            break;
        found = w.at;
    }
    return json.length == 0 ? 0 : line_at(json, found);
}
