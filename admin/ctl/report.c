/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/report.h"

#include "admin/ctl/difference.h"

#define PRINTED_MAX ((size_t)1 << 30)

void report_warnings(const struct doc *answer)
{
    const struct doc *warnings = doc_find(answer, TEXT_OF("warnings"));

    for (size_t i = 0; warnings != NULL && warnings->type == DOC_LIST && i < warnings->list.count;
         i++) {
        const struct doc *one = &warnings->list.items[i];

        if (one->type == DOC_TEXT)
            command_say("warning: %.*s", TEXT_ARGS(one->text));
    }
}

/* How long there is to keep a change made with --confirm. */
static void say_confirm(struct command *c, struct text revision)
{
    const char *after = c->args->values[OPTION_CONFIRM];

    if (after != NULL && revision.length > 0 && !args_has(c->args, OPTION_DRY_RUN))
        command_say("It undoes itself after %s unless you keep it: gatewayctl confirm %.*s", after,
                    TEXT_ARGS(revision));
}

void report_change(struct command *c, const char *what, const char *done,
                   const struct command_reply *reply)
{
    struct text revision = reply->answer.revision;
    bool is_dry = args_has(c->args, OPTION_DRY_RUN);

    report_warnings(&reply->doc);
    if (command_is_json(c)) {
        command_print(c, &reply->doc);
        return;
    }
    if (doc_find(&reply->doc, TEXT_OF("changes")) != NULL) {
        report_difference(c, &reply->doc, is_dry);
        return;
    }
    (void)printf("%s %s%s", what, is_dry ? "would be " : "", done);
    if (revision.length > 0 && !is_dry)
        (void)printf(", revision %.*s", TEXT_ARGS(revision));
    (void)printf("\n");
    (void)fflush(stdout);
    say_confirm(c, revision);
}

static bool has_revision(const struct doc *revision)
{
    return revision != NULL && revision->type == DOC_INT;
}

static void print_sum_line(const struct doc *difference, bool is_dry, struct builder *b)
{
    const struct doc *revision = doc_find(difference, TEXT_OF("revision"));

    if (difference_count(difference) == 0) {
        builder_add(b, TEXT_OF("Nothing differs.\n"));
        return;
    }
    difference_print_sum(difference, b);
    if (is_dry)
        builder_add(b, TEXT_OF("; nothing was done"));
    else if (has_revision(revision))
        builder_addf(b, "; in force with revision %lld", (long long)revision->integer);
    builder_add_byte(b, '\n');
}

static void report(struct command *c, const struct doc *difference, bool is_shown, bool is_dry)
{
    const struct doc *revision = doc_find(difference, TEXT_OF("revision"));
    struct builder b;

    report_warnings(difference);
    if (command_is_json(c)) {
        command_print_json(difference);
        return;
    }
    builder_init(&b, PRINTED_MAX);
    if (!is_shown)
        difference_print(difference, c->paint, &b);
    print_sum_line(difference, is_dry, &b);
    command_flush(&b);
    builder_fini(&b);
    if (!is_dry && has_revision(revision))
        say_confirm(c, arena_print(&c->arena, "%lld", (long long)revision->integer));
}

void report_difference(struct command *c, const struct doc *difference, bool is_dry)
{
    report(c, difference, false, is_dry);
}

void report_done(struct command *c, const struct doc *difference)
{
    report(c, difference, true, false);
}
