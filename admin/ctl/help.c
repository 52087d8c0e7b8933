/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/help.h"

#include "admin/ctl/option.h"

#define WIDTH       79
#define VERB_COLUMN 24
#define NAME_COLUMN 28
#define INDENT      2

static const char intro[] =
    "gatewayctl manages gatewayd gateways through their admin API: any node of a cluster will do.";

static const char start[] =
    "A first look:\n"
    "  export GATEWAYCTL_SERVER=http://127.0.0.1:9080\n"
    "  export GATEWAYCTL_TOKEN=$(cat /etc/gatewayd/admin.token)\n"
    "  gatewayctl status                          # is it ready?\n"
    "  gatewayctl apply resources.conf            # says what would change, asks, changes it\n"
    "  gatewayctl keys create acme                # a key for the consumer acme\n"
    "  gatewayctl explain GET /orders/17          # which route takes this, and why\n";

static const char statuses[] = "Exit status:\n"
                               "  0  done\n"
                               "  1  the gateway refused; it is said why\n"
                               "  2  the command line, or a file it names, is wrong\n"
                               "  3  no gateway could be reached\n";

static const char files[] =
    "Where the gateway is and which token is used, in this order: the options, the environment\n"
    "(GATEWAYCTL_SERVER, GATEWAYCTL_TOKEN), ~/.config/gatewayctl.conf:\n"
    "  server = \"https://gw-a.example.com:9080\";\n"
    "  token_file = \"/home/me/.config/gatewayctl.token\";\n"
    "  cacert = \"/etc/ssl/example-ca.pem\";   # also: token, cert, key, output\n";

static void add_spaces(struct builder *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        builder_add_byte(b, ' ');
}

/* Words in lines of at most WIDTH, each line after the first indented; `column` is where the first
 * word stands. */
static void wrap(struct text t, size_t column, size_t indent, struct builder *b)
{
    struct text word;
    bool is_first = true;

    while (t.at != NULL && text_cut(&t, ' ', &word)) {
        if (!is_first && column + 1 + word.length > WIDTH) {
            builder_add_byte(b, '\n');
            add_spaces(b, indent);
            column = indent;
        } else if (!is_first) {
            builder_add_byte(b, ' ');
            column++;
        }
        builder_add(b, word);
        column += word.length;
        is_first = false;
    }
    builder_add_byte(b, '\n');
}

/* "  NAME      SUMMARY", the summary wrapped in its column. */
static void add_row(struct text name, struct text summary, size_t column, struct builder *b)
{
    add_spaces(b, INDENT);
    builder_add(b, name);
    if (INDENT + name.length + 1 > column) {
        builder_add_byte(b, '\n');
        add_spaces(b, column);
    } else
        add_spaces(b, column - INDENT - name.length);
    wrap(summary, column, column, b);
}

static void add_option(enum option_id id, struct builder *b)
{
    const struct option_row *row = &option_rows[id];
    struct builder name;

    builder_init(&name, 256);
    if (row->letter != '\0')
        builder_addf(&name, "-%c, ", row->letter);
    builder_addf(&name, "--%s", row->name);
    if (row->value != NULL)
        builder_addf(&name, " %s", row->value);
    add_row(builder_text(&name), text_of(row->summary), NAME_COLUMN, b);
    builder_fini(&name);
}

static void add_options(uint64_t options, const char *title, struct builder *b)
{
    if (options == 0)
        return;
    builder_addf(b, "\n%s:\n", title);
    for (size_t i = 0; i < OPTION_IDS; i++) {
        if (option_is_in((enum option_id)i, options))
            add_option((enum option_id)i, b);
    }
}

static void add_paragraphs(struct text t, struct builder *b)
{
    struct text paragraph;

    while (t.at != NULL && text_cut(&t, '\n', &paragraph)) {
        if (text_is_empty(paragraph))
            builder_add_byte(b, '\n');
        else
            wrap(paragraph, 0, 0, b);
    }
}

static const char *space_before(const char *arguments)
{
    return arguments[0] == '\0' ? "" : " ";
}

void help_print_verb(const struct verb *verb, struct builder *b)
{
    builder_addf(b, "gatewayctl %s%s%s%s\n\n", verb->name, space_before(verb->arguments),
                 verb->arguments, verb->options != 0 ? " [options]" : "");
    add_paragraphs(text_of(verb->summary), b);
    if (verb->details != NULL) {
        builder_add_byte(b, '\n');
        add_paragraphs(text_of(verb->details), b);
    }
    add_options(verb->options, "Options", b);
    builder_add(b, TEXT_OF("\nExamples:\n"));
    for (size_t i = 0; i < VERB_EXAMPLES && verb->examples[i].line != NULL; i++)
        builder_addf(b, "  # %s\n  %s\n", verb->examples[i].what, verb->examples[i].line);
    builder_add(b, TEXT_OF("\n`gatewayctl --help` has the options that every verb takes.\n"));
}

static void add_verb_row(const struct verb *verb, struct builder *b)
{
    add_row(text_of(verb->name), text_of(verb->summary), VERB_COLUMN, b);
}

void help_print_overview(struct builder *b)
{
    builder_add(b, TEXT_OF("gatewayctl [options] VERB [arguments] [options]\n\n"));
    wrap(text_of(intro), 0, 0, b);
    for (size_t group = 0; group < VERB_GROUPS; group++) {
        builder_addf(b, "\n%s:\n", verb_group_title((enum verb_group)group));
        for (size_t i = 0; i < verb_count; i++) {
            if (verb_rows[i].group == group)
                add_verb_row(&verb_rows[i], b);
        }
    }
    add_options(option_common, "Options of every verb", b);
    builder_addf(b, "\n%s\n%s\n%s", files, start, statuses);
    builder_add(b, TEXT_OF("\n`gatewayctl VERB --help` teaches a verb with examples; "
                           "`gatewayctl help --all` prints everything.\n"));
}

void help_print_group(struct text word, struct builder *b)
{
    builder_addf(b, "gatewayctl %.*s …\n\n", TEXT_ARGS(word));
    for (size_t i = 0; i < verb_count; i++) {
        struct text name = text_of(verb_rows[i].name);

        if (text_equals(text_first(name, text_find_byte(name, ' ')), word))
            add_verb_row(&verb_rows[i], b);
    }
    builder_addf(b, "\n`gatewayctl %.*s VERB --help` says more.\n", TEXT_ARGS(word));
}

void help_print_all(struct builder *b)
{
    help_print_overview(b);
    for (size_t i = 0; i < verb_count; i++) {
        builder_add(b, TEXT_OF("\n\n"));
        help_print_verb(&verb_rows[i], b);
    }
}
