/* SPDX-License-Identifier: Apache-2.0 */
/* verb_self.c - gatewayctl itself: help, completion, version. */
#include <stdio.h>

#include "admin/ctl/command.h"
#include "admin/ctl/completion.h"
#include "admin/ctl/help.h"
#include "admin/ctl/verb_path.h"
#include "admin/ctl/verb_rows.h"

#define PRINTED_MAX      ((size_t)4 << 20)
#define COMPLETE_SECONDS 2
#define COMPLETE_LIMIT   "?limit=1000"

/* ---- help ---- */

static bool print_about(struct command *c, struct builder *b)
{
    const struct verb *verb;
    size_t used;

    if (c->args->count == 0) {
        help_print_overview(b);
        return true;
    }
    verb = verb_find(c->args->words, c->args->count, &used);
    if (verb != NULL)
        help_print_verb(verb, b);
    else if (verb_is_prefix(text_of(c->args->words[0])))
        help_print_group(text_of(c->args->words[0]), b);
    return b->length > 0;
}

enum verb_status verb_help(struct command *c)
{
    struct builder b;
    bool is_known = true;

    builder_init(&b, PRINTED_MAX);
    if (args_has(c->args, OPTION_MAN))
        help_print_man(&b);
    else if (args_has(c->args, OPTION_ALL))
        help_print_all(&b);
    else
        is_known = print_about(c, &b);
    command_flush(&b);
    builder_fini(&b);
    return is_known ? VERB_DONE : command_misuse(c, "There is no verb \"%s\".", c->args->words[0]);
}

/* ---- completion ---- */

/* Quietly: a shell that completes wants no sentences, and no long waits. */
static void add_names(struct completion *completion, const char *plural, void *arg)
{
    struct command *c = arg;
    struct http_request request = { .method = "GET", .seconds = COMPLETE_SECONDS };
    struct command_reply reply;
    const struct doc *items;
    struct builder path;

    verb_path_begin(&path, plural, NULL);
    builder_add(&path, TEXT_OF(COMPLETE_LIMIT));
    request.path = command_take(c, &path);
    if (!command_try(c, &request, &reply))
        return;
    items = doc_find(&reply.doc, TEXT_OF("items"));
    for (size_t i = 0; items != NULL && items->type == DOC_LIST && i < items->list.count; i++)
        completion_add(completion, doc_find_text(&items->list.items[i], strcmp(plural, "keys") == 0
                                                                            ? TEXT_OF("id")
                                                                            : TEXT_OF("name")));
}

static bool can_ask(struct command *c)
{
    struct builder warnings;
    struct problems ps;
    bool is_read;

    builder_init(&warnings, PRINTED_MAX);
    problems_init(&ps);
    is_read = settings_read(c->args, &c->arena, &ps, &warnings, &c->settings);
    problems_fini(&ps);
    builder_fini(&warnings);
    return is_read;
}

enum verb_status verb_completion(struct command *c)
{
    const char *what = args_word(c->args, 0);
    struct builder b;

    if (strcmp(what, "bash") == 0) {
        (void)fputs(completion_bash, stdout);
        return VERB_DONE;
    }
    if (strcmp(what, "words") != 0)
        return command_misuse(c, "There is completion for bash, but not for %s.", what);
    builder_init(&b, PRINTED_MAX);
    completion_print(c->args->words + 1, c->args->count - 1, can_ask(c) ? add_names : NULL, c, &b);
    command_flush(&b);
    builder_fini(&b);
    return VERB_DONE;
}

enum verb_status verb_version(struct command *c)
{
    (void)c;
    (void)printf("gatewayctl %s (%s)\n", GATEWAYD_VERSION, http_library_version());
    return VERB_DONE;
}
