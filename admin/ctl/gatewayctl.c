/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gatewayctl.c - the operator's command: reads its arguments, finds the verb, runs it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/ctl/command.h"
#include "admin/ctl/help.h"
#include "admin/ctl/verb_rows.h"

#define PRINTED_MAX      ((size_t)4 << 20)
#define SENTENCE_CEILING 4096

static void print_help(const struct args *args, FILE *out)
{
    struct builder b;

    builder_init(&b, PRINTED_MAX);
    if (args->verb != NULL)
        help_print_verb(args->verb, &b);
    else if (args->count > 0 && verb_is_prefix(text_of(args->words[0])))
        help_print_group(text_of(args->words[0]), &b);
    else
        help_print_overview(&b);
    (void)fprintf(out, "%.*s", TEXT_ARGS(builder_text(&b)));
    builder_fini(&b);
}

/* Warnings stop nothing. */
static bool read_settings(struct command *c, struct arena *arena)
{
    struct builder warnings;
    struct problems ps;
    bool is_read;

    builder_init(&warnings, SENTENCE_CEILING);
    problems_init(&ps);
    is_read = settings_read(c->args, arena, &ps, &warnings, &c->settings);
    if (!is_read)
        (void)command_complain(&ps);
    if (!text_is_empty(builder_text(&warnings)))
        (void)fprintf(stderr, "gatewayctl: warning: %.*s", TEXT_ARGS(builder_text(&warnings)));
    problems_fini(&ps);
    builder_fini(&warnings);
    return is_read;
}

static enum verb_status run_verb(const struct args *args)
{
    struct command c = { .args = args, .paint = paint_for(STDOUT_FILENO) };
    enum verb_status status = VERB_USAGE;
    struct arena own;

    arena_init(&own, SIZE_MAX);
    arena_init(&c.arena, SIZE_MAX);
    if (args->verb->group == VERB_GROUP_SELF || read_settings(&c, &own))
        status = args->verb->run(&c);
    http_free(&c.http);
    arena_reset(&c.arena);
    arena_reset(&own);
    return status;
}

static enum verb_status run(const struct args *args)
{
    if (args_has(args, OPTION_VERSION))
        return verb_version(NULL);
    if (args_has(args, OPTION_HELP)) {
        print_help(args, stdout);
        return VERB_DONE;
    }
    if (args->verb != NULL)
        return run_verb(args);
    print_help(args, stderr);
    return VERB_USAGE;
}

int main(int argc, char **argv)
{
    enum verb_status status = VERB_USAGE;
    struct builder why;
    struct args args;

    (void)signal(SIGPIPE, SIG_DFL);
    builder_init(&why, SENTENCE_CEILING);
    if (args_parse((const char *const *)argv + 1, argc > 0 ? (size_t)argc - 1 : 0, &args, &why)) {
        status = run(&args);
        args_fini(&args);
    } else
        (void)fprintf(stderr, "gatewayctl: %.*s\n", TEXT_ARGS(builder_text(&why)));
    builder_fini(&why);
    if (fflush(stdout) != 0 && status == VERB_DONE)
        status = VERB_USAGE;
    return (int)status;
}
