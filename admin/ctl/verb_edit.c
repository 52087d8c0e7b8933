/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_edit.c - a resource in an editor: fetched, edited, checked by the gateway, shown as a
 * difference, sent on the condition that it is still the one that was fetched.
 */
#include <unistd.h>

#include "admin/ctl/command.h"
#include "admin/ctl/difference.h"
#include "admin/ctl/document.h"
#include "admin/ctl/editor.h"
#include "admin/ctl/report.h"
#include "admin/ctl/url.h"
#include "admin/ctl/verb_path.h"
#include "admin/ctl/verb_rows.h"
#include "conf/print_json.h"

#define PRINTED_MAX ((size_t)1 << 30)

/* One run of `edit`. */
struct edit {
    struct command *c;
    struct kind kind;
    const char *name;
    struct text etag;
    struct text before; /* the file's text when the editor was last opened */
    char path[EDITOR_PATH_SIZE];
};

static bool fetch(struct edit *e, enum verb_status *status_out)
{
    struct command_reply reply;
    struct builder b;

    verb_path_begin(&b, e->kind.plural, e->name);
    url_add_query(&b, "fields", TEXT_OF("set"));
    if (!command_get(e->c, command_take(e->c, &b), &reply, status_out))
        return false;
    e->etag = reply.answer.etag;
    builder_init(&b, PRINTED_MAX);
    print_json_pretty(&reply.doc, &b);
    builder_add_byte(&b, '\n');
    e->before = command_take(e->c, &b);
    return true;
}

/* Sends what the file says. */
static bool send(struct edit *e, bool is_dry, struct command_reply *reply_out,
                 enum verb_status *status_out)
{
    struct http_request request;
    struct builder path;

    verb_path_begin(&path, e->kind.plural, e->name);
    if (is_dry)
        url_add_query(&path, "dry_run", TEXT_OF("true"));
    else
        command_add_write_query(e->c, &path);
    request = command_write(e->c, "PUT", command_take(e->c, &path), &e->c->source);
    request.headers[request.header_count++] = (struct http_header){ "If-Match", e->etag };
    if (command_call(e->c, &request, reply_out, status_out))
        return true;
    if (reply_out->answer.status == 412)
        command_say("Somebody changed the %s %s meanwhile: edit it again.", e->kind.singular,
                    e->name);
    return false;
}

/* True: what the file says can be done, and does *difference_out. */
static bool check(struct edit *e, struct doc *difference_out, enum verb_status *status_out)
{
    struct command_reply reply;

    *status_out = VERB_USAGE;
    if (!document_read(e->c, e->path))
        return false;
    if (e->c->source.type != DOC_OBJECT) {
        command_say("%s must hold one %s, an object.", e->path, e->kind.singular);
        return false;
    }
    if (!send(e, true, &reply, status_out))
        return false;
    *difference_out = reply.doc;
    return true;
}

static bool wants_again(struct edit *e)
{
    return isatty(STDIN_FILENO) == 1 && command_ask(e->c, "Edit it again?");
}

/* Until it is right, or nobody edits it any more. *difference_out is null when nothing was
 * changed. */
static bool edit_until_right(struct edit *e, struct doc *difference_out,
                             enum verb_status *status_out)
{
    bool is_first = true;

    *difference_out = doc_null();
    for (;;) {
        struct text after;

        *status_out = VERB_USAGE;
        if (!editor_run(e->path) || !document_read_text(e->c, e->path, &after))
            return false;
        if (text_equals(after, e->before))
            return is_first;
        e->before = after;
        is_first = false;
        if (check(e, difference_out, status_out))
            return true;
        if (!wants_again(e))
            return false;
    }
}

static enum verb_status finish(struct edit *e, const struct doc *difference)
{
    struct command_reply reply;
    enum verb_status status;
    struct builder b;

    if (difference_count(difference) == 0) {
        command_say("Nothing was changed.");
        return VERB_DONE;
    }
    if (args_has(e->c->args, OPTION_DRY_RUN)) {
        report_difference(e->c, difference, true);
        return VERB_DONE;
    }
    if (!command_is_json(e->c)) {
        builder_init(&b, PRINTED_MAX);
        difference_print(difference, e->c->paint, &b);
        command_flush(&b);
        builder_fini(&b);
    }
    if (!command_ask(e->c, "Apply?")) {
        command_say("Nothing was done.");
        return VERB_DONE;
    }
    if (!send(e, false, &reply, &status))
        return status;
    report_change(e->c, arena_print(&e->c->arena, "%s %s", e->kind.singular, e->name).at, "set",
                  &reply);
    return VERB_DONE;
}

enum verb_status verb_edit(struct command *c)
{
    struct edit e = { .c = c, .name = args_word(c->args, 1) };
    enum verb_status status;
    struct doc difference;

    if (!verb_path_kind(c, false, &e.kind))
        return VERB_USAGE;
    if (!fetch(&e, &status))
        return status;
    if (!editor_make_file(e.before, ".json", e.path))
        return VERB_USAGE;
    bool is_right = edit_until_right(&e, &difference, &status);
    if (is_right)
        status = finish(&e, &difference);
    if (is_right && status == VERB_DONE)
        (void)unlink(e.path);
    else
        command_say("What you wrote is kept in %s.", e.path);
    return status;
}
