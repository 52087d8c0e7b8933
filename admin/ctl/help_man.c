/* SPDX-License-Identifier: Apache-2.0 */
/* help_man.c - gatewayctl(1): the same tables with the macros of man(7). */
#include "admin/ctl/help.h"
#include "admin/ctl/option.h"

/* Hyphens and backslashes as they are typed; a line must not begin with a dot. */
static void add_escaped(struct text t, struct builder *b)
{
    for (size_t i = 0; i < t.length; i++) {
        bool is_line_start = i == 0 || t.at[i - 1] == '\n';

        if (is_line_start && (t.at[i] == '.' || t.at[i] == '\''))
            builder_add(b, TEXT_OF("\\&"));
        if (t.at[i] == '\\')
            builder_add(b, TEXT_OF("\\e"));
        else if (t.at[i] == '-')
            builder_add(b, TEXT_OF("\\-"));
        else
            builder_add_byte(b, t.at[i]);
    }
}

static void add_line(const char *t, struct builder *b)
{
    add_escaped(text_of(t), b);
    builder_add_byte(b, '\n');
}

static void add_option(enum option_id id, struct builder *b)
{
    const struct option_row *row = &option_rows[id];

    builder_add(b, TEXT_OF(".TP\n.B "));
    if (row->letter != '\0')
        builder_addf(b, "\\-%c\\fR,\\fB ", row->letter);
    builder_add(b, TEXT_OF("\\-\\-"));
    add_escaped(text_of(row->name), b);
    if (row->value != NULL) {
        builder_add(b, TEXT_OF(" \\fI"));
        add_escaped(text_of(row->value), b);
    }
    builder_add(b, TEXT_OF("\\fR\n"));
    add_line(row->summary, b);
}

static void add_options(uint64_t options, struct builder *b)
{
    for (size_t i = 0; i < OPTION_IDS; i++) {
        if (option_is_in((enum option_id)i, options))
            add_option((enum option_id)i, b);
    }
}

static void add_paragraphs(struct text t, struct builder *b)
{
    struct text line;

    while (t.at != NULL && text_cut(&t, '\n', &line)) {
        if (text_is_empty(line)) {
            builder_add(b, TEXT_OF(".PP\n"));
            continue;
        }
        add_escaped(line, b);
        builder_add_byte(b, '\n');
    }
}

static void add_example(const struct verb_example *example, struct builder *b)
{
    builder_add(b, TEXT_OF(".PP\n"));
    add_line(example->what, b);
    builder_add(b, TEXT_OF(".PP\n.in +4\n.EX\n"));
    add_line(example->line, b);
    builder_add(b, TEXT_OF(".EE\n.in\n"));
}

static void add_verb(const struct verb *verb, struct builder *b)
{
    builder_addf(b, ".SS \"%s %s\"\n", verb->name, verb->arguments);
    add_line(verb->summary, b);
    if (verb->details != NULL) {
        builder_add(b, TEXT_OF(".PP\n"));
        add_paragraphs(text_of(verb->details), b);
    }
    add_options(verb->options, b);
    for (size_t i = 0; i < VERB_EXAMPLES && verb->examples[i].line != NULL; i++)
        add_example(&verb->examples[i], b);
}

void help_print_man(struct builder *b)
{
    builder_add(b, TEXT_OF(".TH GATEWAYCTL 1 \"\" \"gatewayd " GATEWAYD_VERSION "\"\n"
                           ".SH NAME\ngatewayctl \\- manages gatewayd gateways\n"
                           ".SH SYNOPSIS\n.B gatewayctl\n[\\fIoptions\\fR] \\fIVERB\\fR "
                           "[\\fIarguments\\fR] [\\fIoptions\\fR]\n"
                           ".SH DESCRIPTION\nTalks to the admin API of a gateway; any node of a "
                           "cluster will do.\n"
                           ".SH OPTIONS\nEvery verb takes these.\n"));
    add_options(option_common, b);
    for (size_t group = 0; group < VERB_GROUPS; group++) {
        builder_addf(b, ".SH \"%s\"\n", verb_group_title((enum verb_group)group));
        for (size_t i = 0; i < verb_count; i++) {
            if (verb_rows[i].group == group)
                add_verb(&verb_rows[i], b);
        }
    }
    builder_add(b, TEXT_OF(".SH EXIT STATUS\n"
                           ".TP\n.B 0\nDone.\n"
                           ".TP\n.B 1\nThe gateway refused; it is said why.\n"
                           ".TP\n.B 2\nThe command line, or a file it names, is wrong.\n"
                           ".TP\n.B 3\nNo gateway could be reached.\n"
                           ".SH ENVIRONMENT\n"
                           ".TP\n.B GATEWAYCTL_SERVER\nThe gateway's admin address.\n"
                           ".TP\n.B GATEWAYCTL_TOKEN\nThe admin token.\n"
                           ".TP\n.B NO_COLOR\nNo colours, if it is set to anything.\n"
                           ".SH FILES\n"
                           ".TP\n.I ~/.config/gatewayctl.conf\n"
                           "libconfig: server, token, token_file, cacert, cert, key, output.\n"
                           ".SH SEE ALSO\n.BR gatewayd (8)\n"));
}
