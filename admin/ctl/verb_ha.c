/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_ha.c - ha config: what the nodes of a site need to hold its virtual addresses, made from
 * answers. Asks no gateway.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/ctl/command.h"
#include "admin/ctl/document.h"
#include "admin/ctl/site.h"
#include "admin/ctl/site_ask.h"
#include "admin/ctl/verb_rows.h"

#define PRINTED_MAX ((size_t)1 << 20)

/* What is made for one node, and where it belongs. */
static const struct made {
    const char *file;
    const char *place;
    void (*print)(const struct site *site, size_t node, struct builder *b);
} made[] = {
    { "keepalived.conf", "/etc/keepalived/keepalived.conf", site_print_keepalived },
    { "ha.addresses", "/etc/gatewayd/ha.addresses", site_print_addresses },
};

/* ---- the answers ---- */

static bool read_answers(struct command *c, struct site *site_out)
{
    const char *file = args_word(c->args, 0);
    struct problems ps;
    bool is_good;

    if (file == NULL && isatty(STDIN_FILENO) != 1) {
        (void)command_misuse(c, "Say a file of answers, or ask on a terminal.");
        return false;
    }
    if (file != NULL && !document_read(c, file))
        return false;
    if (file == NULL && !site_ask(stdin, stderr, &c->arena, &c->source)) {
        command_say("Nothing was done.");
        return false;
    }
    problems_init(&ps);
    is_good = site_bind(&c->source, c->source_file, &c->arena, &ps, site_out);
    if (!is_good)
        (void)command_complain(&ps);
    problems_fini(&ps);
    return is_good;
}

/* From `first` on `count` of the nodes are made for: the one of --node, or all. */
static bool choose_nodes(const struct command *c, const struct site *site, size_t *first_out,
                         size_t *count_out)
{
    const char *name = c->args->values[OPTION_NODE];

    *first_out = 0;
    *count_out = site->nodes.count;
    if (name == NULL)
        return true;
    *first_out = site_find_node(site, text_of(name));
    *count_out = 1;
    if (*first_out < site->nodes.count)
        return true;
    (void)command_misuse(c, "There is no node %s in the answers.", name);
    return false;
}

/* ---- printing ---- */

static void print_text(const struct site *site, size_t node, struct builder *b)
{
    for (size_t i = 0; i < ARRAY_LENGTH(made); i++) {
        builder_addf(b, "# ==== %s: %s ====\n", site->nodes.items[node].name.at, made[i].place);
        made[i].print(site, node, b);
        builder_add_byte(b, '\n');
    }
}

/* {"gw-a": {"/etc/keepalived/keepalived.conf": "…", …}, …} */
static void print_json(struct command *c, const struct site *site, size_t first, size_t count)
{
    struct doc all = doc_object();

    for (size_t node = first; node < first + count; node++) {
        struct doc files = doc_object();

        for (size_t i = 0; i < ARRAY_LENGTH(made); i++) {
            struct builder b;

            builder_init(&b, PRINTED_MAX);
            made[i].print(site, node, &b);
            (void)doc_add(&files, &c->arena, text_of(made[i].place), doc_text(command_take(c, &b)));
        }
        (void)doc_add(&all, &c->arena, site->nodes.items[node].name, files);
    }
    command_print_json(&all);
}

static void print_all(struct command *c, const struct site *site, size_t first, size_t count)
{
    struct builder b;

    if (command_is_json(c)) {
        print_json(c, site, first, count);
        return;
    }
    builder_init(&b, PRINTED_MAX);
    for (size_t node = first; node < first + count; node++)
        print_text(site, node, &b);
    command_flush(&b);
    builder_fini(&b);
}

/* ---- writing ---- */

static bool make_folder(const char *path)
{
    if (mkdir(path, 0755) == 0 || errno == EEXIST)
        return true;
    command_say("%s cannot be made: %m.", path);
    return false;
}

static bool write_file(const char *path, const struct builder *b)
{
    FILE *file = fopen(path, "w");
    struct text t = builder_text(b);
    bool is_written = file != NULL && fwrite(t.at, 1, t.length, file) == t.length;

    if (file != NULL && fclose(file) != 0)
        is_written = false;
    if (!is_written)
        command_say("%s cannot be written: %m.", path);
    return is_written;
}

static bool write_node(struct command *c, const struct site *site, size_t node, const char *folder)
{
    bool is_written = true;

    for (size_t i = 0; i < ARRAY_LENGTH(made) && is_written; i++) {
        const char *path = arena_print(&c->arena, "%s/%s", folder, made[i].file).at;
        struct builder b;

        builder_init(&b, PRINTED_MAX);
        made[i].print(site, node, &b);
        is_written = write_file(path, &b);
        builder_fini(&b);
        if (is_written)
            (void)printf("%s  ->  %s:%s\n", path, site->nodes.items[node].name.at, made[i].place);
    }
    return is_written;
}

/* What was asked is kept beside it, to be changed and used again. */
static bool write_answers(struct command *c, const struct site *site, const char *folder)
{
    const char *path = arena_print(&c->arena, "%s/ha.conf", folder).at;
    struct builder b;
    bool is_written;

    builder_init(&b, PRINTED_MAX);
    site_print(site, &b);
    is_written = write_file(path, &b);
    builder_fini(&b);
    if (is_written)
        (void)printf("%s  holds the answers: gatewayctl ha config %s\n", path, path);
    return is_written;
}

/* One node: into the folder itself; all of them: each into one of its own. */
static bool write_all(struct command *c, const struct site *site, size_t first, size_t count)
{
    const char *out = c->args->values[OPTION_OUT];
    bool is_written = make_folder(out);

    for (size_t node = first; node < first + count && is_written; node++) {
        const char *folder = out;

        if (count > 1)
            folder = arena_print(&c->arena, "%s/%s", out, site->nodes.items[node].name.at).at;
        is_written = make_folder(folder) && write_node(c, site, node, folder);
    }
    return is_written && (args_word(c->args, 0) != NULL || write_answers(c, site, out));
}

static void say_what_next(const struct site *site)
{
    (void)fprintf(stderr,
                  "\nOn each node: put its two files where they belong, and into gatewayd.conf\n"
                  "    ha = { addresses = \"/etc/gatewayd/ha.addresses\"; folder = \"%s\"; };\n"
                  "then, on one node after the other:\n"
                  "    gatewayd -t && unshare --pid --fork keepalived -t &&\n"
                  "        systemctl restart gatewayd && systemctl enable --now gatewayd-hold "
                  "gatewayd-watch keepalived\n"
                  "and where they run already:\n"
                  "    systemctl reload keepalived gatewayd-watch gatewayd-hold && gatewayctl "
                  "upgrade\n",
                  site->folder.at);
}

enum verb_status verb_ha_config(struct command *c)
{
    struct site site;
    size_t first;
    size_t count;

    if (!read_answers(c, &site) || !choose_nodes(c, &site, &first, &count))
        return VERB_USAGE;
    if (!args_has(c->args, OPTION_OUT)) {
        print_all(c, &site, first, count);
        return VERB_DONE;
    }
    if (!write_all(c, &site, first, count))
        return VERB_USAGE;
    say_what_next(&site);
    return VERB_DONE;
}
