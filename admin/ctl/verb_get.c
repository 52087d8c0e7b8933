/* SPDX-License-Identifier: Apache-2.0 */
/* verb_get.c - get: lists, and one thing of any kind. */
#include "admin/ctl/command.h"
#include "admin/ctl/kind.h"
#include "admin/ctl/listing.h"
#include "admin/ctl/url.h"
#include "admin/ctl/verb_path.h"
#include "admin/ctl/verb_rows.h"

#define LIMIT_MOST 100000000

static enum verb_status get_list(struct command *c, const struct kind *kind)
{
    const char *consumer = c->args->values[OPTION_CONSUMER];
    enum verb_status status;
    struct builder path;
    struct doc items;
    uint64_t limit = 0;

    if (!command_number(c, OPTION_LIMIT, LIMIT_MOST, &limit))
        return VERB_USAGE;
    verb_path_begin(&path, kind->plural, NULL);
    if (args_has(c->args, OPTION_SET))
        url_add_query(&path, "fields", TEXT_OF("set"));
    if (consumer != NULL)
        url_add_query(&path, "consumer", text_of(consumer));
    if (!listing_read(c, command_take(c, &path), "after", limit, &items, &status))
        return status;
    listing_print(c, kind, &items);
    return VERB_DONE;
}

static enum verb_status get_one(struct command *c, const struct kind *kind, const char *name)
{
    struct command_reply reply;
    enum verb_status status;
    struct builder path;

    verb_path_begin(&path, kind->plural, name);
    if (args_has(c->args, OPTION_SET))
        url_add_query(&path, "fields", TEXT_OF("set"));
    if (!command_get(c, command_take(c, &path), &reply, &status))
        return status;
    command_print(c, &reply.doc);
    return VERB_DONE;
}

enum verb_status verb_get(struct command *c)
{
    const char *name = args_word(c->args, 1);
    struct kind kind;

    if (!verb_path_kind(c, true, &kind))
        return VERB_USAGE;
    if (kind.schema == NULL && args_has(c->args, OPTION_SET))
        return command_misuse(c, "--set is for resources: a key has no defaults.");
    if (kind.schema != NULL && args_has(c->args, OPTION_CONSUMER))
        return command_misuse(c, "--consumer is for keys.");
    return name == NULL ? get_list(c, &kind) : get_one(c, &kind, name);
}

enum verb_status verb_keys_list(struct command *c)
{
    const struct kind keys = kind_get(RESOURCE_KINDS);

    return get_list(c, &keys);
}

enum verb_status verb_keys_get(struct command *c)
{
    const struct kind keys = kind_get(RESOURCE_KINDS);

    return get_one(c, &keys, args_word(c->args, 0));
}
