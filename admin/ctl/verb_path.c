/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/verb_path.h"

#include "admin/ctl/url.h"

#define PATH_CEILING     ((size_t)1 << 16)
#define SENTENCE_CEILING 1024

void verb_path_begin(struct builder *path, const char *collection, const char *name)
{
    builder_init(path, PATH_CEILING);
    builder_add(path, TEXT_OF("/v1"));
    url_add_segment(path, text_of(collection));
    if (name != NULL)
        url_add_segment(path, text_of(name));
}

bool verb_path_kind(const struct command *c, bool keys, struct kind *kind_out)
{
    struct builder why;
    bool is_known;

    builder_init(&why, SENTENCE_CEILING);
    is_known = kind_parse(text_of(args_word(c->args, 0)), keys, kind_out, &why);
    if (!is_known)
        (void)command_misuse(c, "%.*s", TEXT_ARGS(builder_text(&why)));
    builder_fini(&why);
    return is_known;
}
