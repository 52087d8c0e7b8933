/* SPDX-License-Identifier: Apache-2.0 */
/*
 * named_files.c - looks at the files that a faulty node configuration names.
 */
#include "gatewayd/named_files.h"

#include <errno.h>
#include <libgen.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/base/mem.h"
#include "conf/read_libconfig.h"

/* What holds paths, by the names of its members. */
static const char *const names[] = { "cert",          "key",       "client_ca",
                                     "tokens",        "bootstrap", "secret_file",
                                     "password_file", "ca",        "addresses" };

static bool is_path(struct text name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (text_equals(name, text_of(names[i])))
            return true;
    }
    return false;
}

static void look(const struct doc *value, struct text name, struct problems *ps)
{
    char path[64];

    if (value->type != DOC_TEXT || !is_path(name) || name.length >= sizeof(path))
        return;
    memcpy(path, name.at, name.length);
    path[name.length] = '\0';
    char *file = mem_copy_text(value->text.at, value->text.length);
    if (access(file, R_OK) != 0)
        problems_add(
            ps,
            (struct place){ .file = value->file, .line = value->line, .path = path, .pointer = "" },
            "%s cannot be read: %s.", file, strerror(errno));
    MEM_FREE(&file);
}

/* Documents are at most DOC_DEPTH_MAX deep. */
static void walk(const struct doc *doc, struct problems *ps)
{
    if (doc->type == DOC_LIST) {
        for (size_t i = 0; i < doc->list.count; i++)
            walk(&doc->list.items[i], ps);
    }
    if (doc->type != DOC_OBJECT)
        return;
    for (size_t i = 0; i < doc->object.count; i++) {
        const struct doc_member *m = &doc->object.members[i];
        look(&m->value, m->name, ps);
        walk(&m->value, ps);
    }
}

void named_files_check(const char *file, struct problems *ps)
{
    struct arena arena;
    struct problems known; /* what the reader says was said already */
    struct doc doc;

    arena_init(&arena, SIZE_MAX);
    problems_init(&known);
    if (read_libconfig(file, &arena, &known, &doc))
        walk(&doc, ps);
    problems_fini(&known);
    arena_reset(&arena);
}

/* 0, or why the file cannot be opened for writing, the folder it would be made in included. */
static int why_not_written(const char *file)
{
    struct stat about;

    if (stat(file, &about) == 0) {
        if (S_ISDIR(about.st_mode))
            return EISDIR;
        return access(file, W_OK) == 0 ? 0 : errno;
    }
    if (errno != ENOENT)
        return errno;
    char *copy = mem_copy_text(file, strlen(file));
    int error = access(dirname(copy), W_OK | X_OK) == 0 ? 0 : errno;
    MEM_FREE(&copy);
    return error;
}

bool named_files_check_log(const struct node_config *node, struct problems *ps)
{
    struct text file = node->log.access;

    if (text_equals(file, TEXT_OF("off")) || text_equals(file, TEXT_OF("stdout")))
        return true;
    char *path = mem_copy_text(file.at, file.length);
    int error = why_not_written(path);
    if (error != 0) {
        problems_add(ps, (struct place){ .path = "log.access", .pointer = "" },
                     "%s cannot be written: %s.", path, strerror(error));
        node_locate(node, ps);
    }
    MEM_FREE(&path);
    return error == 0;
}
