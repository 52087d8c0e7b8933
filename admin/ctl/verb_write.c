/* SPDX-License-Identifier: Apache-2.0 */
/* verb_write.c - create, put, patch and delete of one resource. */
#include "admin/ctl/assign.h"
#include "admin/ctl/command.h"
#include "admin/ctl/document.h"
#include "admin/ctl/report.h"
#include "admin/ctl/verb_path.h"
#include "admin/ctl/verb_rows.h"

#define SENTENCE_CEILING 4096

/* The resource from --file and the FIELD=VALUE behind the name, into c->source. */
static bool read_resource(struct command *c, const struct kind *kind)
{
    const char *file = c->args->values[OPTION_FILE];
    struct builder why;
    bool is_fine = true;

    if (file != NULL && !document_read(c, file))
        return false;
    if (file == NULL)
        c->source = doc_object();
    if (c->source.type != DOC_OBJECT) {
        (void)command_misuse(c, "%s must hold one %s, an object.", file, kind->singular);
        return false;
    }
    builder_init(&why, SENTENCE_CEILING);
    for (size_t i = 2; i < c->args->count && is_fine; i++)
        is_fine = assign_add(&c->source, kind->schema, text_of(c->args->words[i]), &c->arena, &why);
    if (!is_fine)
        (void)command_misuse(c, "%.*s", TEXT_ARGS(builder_text(&why)));
    builder_fini(&why);
    return is_fine;
}

static struct text what_of(struct command *c, const struct kind *kind, const char *name)
{
    return arena_print(&c->arena, "%s %s", kind->singular, name);
}

static enum verb_status write_resource(struct command *c, const char *method, bool is_new)
{
    const char *name = args_word(c->args, 1);
    struct http_request request;
    struct command_reply reply;
    enum verb_status status;
    struct builder path;
    struct kind kind;

    if (!verb_path_kind(c, false, &kind) || !read_resource(c, &kind))
        return VERB_USAGE;
    verb_path_begin(&path, kind.plural, name);
    command_add_write_query(c, &path);
    request = command_write(c, method, command_take(c, &path), &c->source);
    command_add_conditions(c, &request);
    if (is_new)
        request.headers[request.header_count++] =
            (struct http_header){ "If-None-Match", TEXT_OF("*") };
    if (!command_call(c, &request, &reply, &status)) {
        if (is_new && reply.answer.status == 412)
            command_say("`gatewayctl patch` changes fields of it, `gatewayctl put` replaces it.");
        return status;
    }
    report_change(c, what_of(c, &kind, name).at,
                  reply.answer.status == 201 || is_new ? "created" : "set", &reply);
    return VERB_DONE;
}

enum verb_status verb_create(struct command *c)
{
    return write_resource(c, "PUT", true);
}

enum verb_status verb_put(struct command *c)
{
    return write_resource(c, "PUT", false);
}

enum verb_status verb_patch(struct command *c)
{
    if (c->args->count == 2 && !args_has(c->args, OPTION_FILE))
        return command_misuse(c, "What should change? FIELD=VALUE, or --file with a merge patch.");
    return write_resource(c, "PATCH", false);
}

static enum verb_status delete_one(struct command *c, const struct kind *kind, const char *name)
{
    struct http_request request;
    struct command_reply reply;
    enum verb_status status;
    struct builder path;

    verb_path_begin(&path, kind->plural, name);
    command_add_write_query(c, &path);
    request = command_write(c, "DELETE", command_take(c, &path), NULL);
    command_add_conditions(c, &request);
    if (!command_call(c, &request, &reply, &status))
        return status;
    report_change(c, what_of(c, kind, name).at, "deleted", &reply);
    return VERB_DONE;
}

/* The first that is refused ends it. */
enum verb_status verb_delete(struct command *c)
{
    enum verb_status status = VERB_DONE;
    struct kind kind;

    if (!verb_path_kind(c, false, &kind))
        return VERB_USAGE;
    for (size_t i = 1; i < c->args->count && status == VERB_DONE; i++)
        status = delete_one(c, &kind, c->args->words[i]);
    return status;
}
