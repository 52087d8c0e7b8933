/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node_locate.c - where in a node file a field stands, for problems that were found after it was
 * read: a certificate that cannot be used, a folder that is not there.
 */
#include <stdio.h>
#include <string.h>

#include "conf/base/mem.h"
#include "conf/node.h"

/* What is left of `path` behind `word` and the dot after it. False: it does not begin with it. */
static bool skip_word(struct text path, struct text word, struct text *rest_out)
{
    if (!text_starts_with(path, word))
        return false;
    struct text rest = text_skip(path, word.length);
    if (rest.length > 0 && rest.at[0] != '.' && rest.at[0] != '[')
        return false;
    *rest_out = rest.length > 0 && rest.at[0] == '.' ? text_skip(rest, 1) : rest;
    return true;
}

static const struct doc *step_into_object(const struct doc *doc, struct text *path)
{
    for (size_t i = 0; i < doc->object.count; i++) {
        if (skip_word(*path, doc->object.members[i].name, path))
            return &doc->object.members[i].value;
    }
    return NULL;
}

/* By its place, "[2]", or by its name; a name may hold dots, so the longest that fits is meant. */
static const struct doc *step_into_list(const struct doc *doc, struct text *path)
{
    const struct doc *found = NULL;
    struct text rest = *path;
    size_t longest = 0;
    char place[32];

    for (size_t i = 0; i < doc->list.count; i++) {
        const struct doc *item = &doc->list.items[i];
        struct text name = doc_find_text(item, TEXT_OF("name"));

        (void)snprintf(place, sizeof(place), "[%zu]", i);
        if (skip_word(*path, text_of(place), &rest)) {
            *path = rest;
            return item;
        }
        if (name.length > longest && skip_word(*path, name, &rest)) {
            found = item;
            longest = name.length;
        }
    }
    if (found != NULL) {
        bool is_there = skip_word(*path, text_first(*path, longest), path);
        MUST(is_there);
    }
    return found;
}

/* The deepest part of `path` that is there. */
static const struct doc *find(const struct doc *doc, struct text path)
{
    const struct doc *inner = doc;

    while (inner != NULL && path.length > 0) {
        doc = inner;
        inner = NULL;
        if (doc->type == DOC_OBJECT)
            inner = step_into_object(doc, &path);
        else if (doc->type == DOC_LIST)
            inner = step_into_list(doc, &path);
    }
    return inner == NULL ? doc : inner;
}

void node_locate(const struct node_config *node, struct problems *ps)
{
    for (size_t i = 0; i < ps->count; i++) {
        struct problem *p = &ps->items[i];
        const struct doc *doc = p->file == NULL ? find(&node->set, text_of(p->path)) : NULL;

        if (doc == NULL || doc->file == NULL)
            continue;
        p->file = mem_copy_text(doc->file, strlen(doc->file));
        p->line = doc->line;
    }
}
