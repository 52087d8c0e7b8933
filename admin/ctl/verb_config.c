/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_config.c - the whole configuration: apply, config export, config diff.
 *
 * apply asks the gateway what the document would change, shows it, and sends it on the condition
 * that the configuration is still the one that was compared with.
 */
#include "admin/ctl/command.h"
#include "admin/ctl/difference.h"
#include "admin/ctl/document.h"
#include "admin/ctl/kind.h"
#include "admin/ctl/report.h"
#include "admin/ctl/url.h"
#include "admin/ctl/verb_path.h"
#include "admin/ctl/verb_rows.h"

#define WRITE_SECONDS    600 /* a document of a million consumers takes its time */
#define SENTENCE_CEILING 4096

/* ---- the document ---- */

/* Resources of `present` that the document does not name are put into it. */
static void keep_kind(struct command *c, const struct doc *present, struct text kind)
{
    const struct doc *old = doc_find(present, kind);
    struct doc *list = (struct doc *)doc_find(&c->source, kind);

    if (list == NULL)
        list = doc_add(&c->source, &c->arena, kind, doc_list());
    for (size_t i = 0; old != NULL && old->type == DOC_LIST && i < old->list.count; i++) {
        struct text name = doc_find_text(&old->list.items[i], TEXT_OF("name"));
        bool is_named = false;

        for (size_t j = 0; list->type == DOC_LIST && j < list->list.count && !is_named; j++)
            is_named = text_equals(doc_find_text(&list->list.items[j], TEXT_OF("name")), name);
        if (!is_named && list->type == DOC_LIST)
            doc_append(list, &c->arena, old->list.items[i]);
    }
}

static void keep_others(struct command *c, const struct doc *present)
{
    for (size_t i = 0; i < RESOURCE_KINDS; i++)
        keep_kind(c, present, text_of(kind_get(i).plural));
}

static const char *file_of(const struct command *c)
{
    const char *file = args_word(c->args, 0);

    return file != NULL ? file : c->args->values[OPTION_FILE];
}

static bool read_config(struct command *c)
{
    const char *file = file_of(c);

    if (file == NULL || (args_word(c->args, 0) != NULL && args_has(c->args, OPTION_FILE))) {
        (void)command_misuse(c, "Say one file.");
        return false;
    }
    if (!document_read(c, file))
        return false;
    if (c->source.type == DOC_OBJECT)
        return true;
    (void)command_misuse(c, "%s must hold an object: { upstreams, routes, plans, consumers }.",
                         file);
    return false;
}

/* ---- asking ---- */

/* The configuration's entity tag, and with --keep all of it. */
static bool look_at_present(struct command *c, struct text *etag_out, enum verb_status *status_out)
{
    bool is_kept = args_has(c->args, OPTION_KEEP);
    const struct http_request request = {
        .method = "GET",
        .path = TEXT_OF("/v1/config?fields=set"),
        .only_head = !is_kept,
        .seconds = WRITE_SECONDS,
    };
    struct command_reply reply;

    if (!command_call(c, &request, &reply, status_out))
        return false;
    *etag_out = reply.answer.etag;
    if (is_kept)
        keep_others(c, &reply.doc);
    return true;
}

static bool send(struct command *c, bool is_dry, struct text etag, struct command_reply *reply_out,
                 enum verb_status *status_out)
{
    struct http_request request;
    struct builder path;

    verb_path_begin(&path, "config", NULL);
    if (is_dry)
        url_add_query(&path, "dry_run", TEXT_OF("true"));
    else
        command_add_write_query(c, &path);
    request = command_write(c, "PUT", command_take(c, &path), &c->source);
    request.seconds = WRITE_SECONDS;
    if (args_has(c->args, OPTION_IF_MATCH))
        command_add_conditions(c, &request);
    else if (etag.length > 0)
        request.headers[request.header_count++] = (struct http_header){ "If-Match", etag };
    if (command_call(c, &request, reply_out, status_out))
        return true;
    if (reply_out->answer.status == 412 && !args_has(c->args, OPTION_IF_MATCH))
        command_say("Somebody changed the configuration meanwhile: run it again.");
    return false;
}

static void show(struct command *c, const struct doc *difference)
{
    struct builder b;

    if (command_is_json(c))
        return;
    builder_init(&b, (size_t)1 << 30);
    difference_print(difference, c->paint, &b);
    command_flush(&b);
    builder_fini(&b);
}

static bool agree(struct command *c, const struct doc *difference)
{
    struct builder question;
    bool is_agreed;

    builder_init(&question, SENTENCE_CEILING);
    difference_print_sum(difference, &question);
    builder_add(&question, TEXT_OF(". Apply?"));
    builder_add_byte(&question, '\0');
    is_agreed = command_ask(c, builder_text(&question).at);
    builder_fini(&question);
    return is_agreed;
}

enum verb_status verb_apply(struct command *c)
{
    struct command_reply reply;
    enum verb_status status;
    struct text etag;

    if (!read_config(c))
        return VERB_USAGE;
    if (!look_at_present(c, &etag, &status) || !send(c, true, etag, &reply, &status))
        return status;
    if (args_has(c->args, OPTION_DRY_RUN) || difference_count(&reply.doc) == 0) {
        report_difference(c, &reply.doc, true);
        return VERB_DONE;
    }
    show(c, &reply.doc);
    if (!agree(c, &reply.doc)) {
        command_say("Nothing was done.");
        return VERB_DONE;
    }
    if (!send(c, false, etag, &reply, &status))
        return status;
    report_done(c, &reply.doc);
    return VERB_DONE;
}

enum verb_status verb_config_diff(struct command *c)
{
    struct command_reply reply;
    enum verb_status status = VERB_DONE;
    struct text etag = TEXT_EMPTY;

    if (!read_config(c))
        return VERB_USAGE;
    if (args_has(c->args, OPTION_KEEP) && !look_at_present(c, &etag, &status))
        return status;
    if (!send(c, true, etag, &reply, &status))
        return status;
    report_difference(c, &reply.doc, true);
    return VERB_DONE;
}

enum verb_status verb_config_export(struct command *c)
{
    struct http_request request = { .method = "GET", .seconds = WRITE_SECONDS };
    struct command_reply reply;
    enum verb_status status;
    struct builder path;

    verb_path_begin(&path, "config", NULL);
    if (!args_has(c->args, OPTION_DEFAULTS))
        url_add_query(&path, "fields", TEXT_OF("set"));
    request.path = command_take(c, &path);
    if (!command_call(c, &request, &reply, &status))
        return status;
    command_print_json(&reply.doc);
    return VERB_DONE;
}
