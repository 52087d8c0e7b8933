/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/document.h"

#include <stdio.h>

#include "conf/read_file.h"
#include "conf/read_json.h"
#include "conf/read_libconfig.h"

#define PIECE 65536

static bool is_stdin(const char *file)
{
    return strcmp(file, "-") == 0;
}

static struct text read_stdin(struct command *c)
{
    struct builder b;
    char piece[PIECE];
    size_t length;

    builder_init(&b, READ_FILE_MAX);
    while ((length = fread(piece, 1, sizeof(piece), stdin)) > 0)
        builder_add(&b, text_from(piece, length));
    return command_take(c, &b);
}

bool document_read_text(struct command *c, const char *file, struct text *text_out)
{
    struct problems ps;
    bool is_read = true;

    problems_init(&ps);
    if (is_stdin(file))
        *text_out = read_stdin(c);
    else
        is_read = read_file(file, NULL, &c->arena, &ps, text_out);
    if (!is_read)
        (void)command_complain(&ps);
    problems_fini(&ps);
    return is_read;
}

static bool is_json(struct text t)
{
    size_t at = 0;

    while (at < t.length && strchr(" \t\r\n", t.at[at]) != NULL)
        at++;
    return at < t.length && (t.at[at] == '{' || t.at[at] == '[');
}

/* JSON knows no file: the place is put before the sentence here. */
static bool read_as_json(struct command *c, struct text text, struct problems *ps)
{
    struct problems found;
    struct place place = { .file = c->source_file };
    bool is_read;

    problems_init(&found);
    is_read = read_json(text, &c->arena, &found, &c->source);
    for (size_t i = 0; i < found.count; i++)
        problems_add(ps, place, "%s", found.items[i].sentence);
    problems_fini(&found);
    c->source_json = text;
    return is_read;
}

bool document_read(struct command *c, const char *file)
{
    struct problems ps;
    struct text text;
    bool is_read;

    if (!document_read_text(c, file, &text))
        return false;
    problems_init(&ps);
    c->source_file = is_stdin(file) ? "standard input" : file;
    if (is_json(text))
        is_read = read_as_json(c, text, &ps);
    else if (is_stdin(file))
        is_read = read_libconfig_text(text, "standard input", &c->arena, &ps, &c->source);
    else
        is_read = read_libconfig(file, &c->arena, &ps, &c->source);
    if (!is_read)
        (void)command_complain(&ps);
    problems_fini(&ps);
    return is_read;
}
