/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_keys.c - keys: create, change, revoke, rotate, import. A key that is brought along comes
 * from a file or standard input, never from the command line.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "admin/ctl/command.h"
#include "admin/ctl/document.h"
#include "admin/ctl/report.h"
#include "admin/ctl/url.h"
#include "admin/ctl/verb_path.h"
#include "admin/ctl/verb_rows.h"

#define IMPORT_SECONDS 600

static int64_t now_ms(void)
{
    struct timespec ts;

    MUST(clock_gettime(CLOCK_REALTIME, &ts) == 0);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --expires: a time as it is, a duration from now on. */
static bool add_expires(struct command *c, struct doc *body)
{
    struct text said = text_of(c->args->values[OPTION_EXPIRES]);
    char time[TEXT_NUMBER_SIZE];
    int64_t ms;

    if (text_is_empty(said))
        return true;
    if (text_parse_duration(said, &ms))
        said = arena_copy(&c->arena, text_print_time(now_ms() + ms, time));
    else if (!text_parse_time(said, &ms)) {
        (void)command_misuse(c,
                             "--expires is a time like 2027-01-31T00:00:00Z or a duration from now "
                             "on like 30d, got \"%.*s\".",
                             TEXT_ARGS(said));
        return false;
    }
    doc_add(body, &c->arena, TEXT_OF("expires_at"), doc_text(said));
    return true;
}

static void add_scopes(struct command *c, struct doc *body)
{
    struct text rest = text_of(c->args->values[OPTION_SCOPES]);
    struct doc list = doc_list();
    struct text scope;

    if (!args_has(c->args, OPTION_SCOPES))
        return;
    while (rest.length > 0 && text_cut(&rest, ',', &scope))
        doc_append(&list, &c->arena, doc_text(text_trim(scope)));
    doc_add(body, &c->arena, TEXT_OF("scopes"), list);
}

static bool add_given_key(struct command *c, struct doc *body)
{
    const char *file = c->args->values[OPTION_KEY_FILE];
    struct text key;

    if (file == NULL)
        return true;
    if (!document_read_text(c, file, &key))
        return false;
    while (key.length > 0 && strchr(" \t\r\n", key.at[key.length - 1]) != NULL)
        key.length--;
    doc_add(body, &c->arena, TEXT_OF("key"), doc_text(text_trim(key)));
    return true;
}

/* The new key; this is the only time it can be seen. */
static void print_new_key(struct command *c, const struct doc *key)
{
    struct text secret = doc_find_text(key, TEXT_OF("key"));

    if (args_has(c->args, OPTION_QUIET)) {
        if (secret.length > 0)
            (void)printf("%.*s\n", TEXT_ARGS(secret));
        (void)fflush(stdout);
        return;
    }
    command_print(c, key);
    if (secret.length > 0 && !command_is_json(c))
        command_say("The key is shown this once; only a digest of it is kept.");
}

enum verb_status verb_keys_create(struct command *c)
{
    struct doc body = doc_object();
    struct http_request request;
    struct command_reply reply;
    enum verb_status status;
    struct builder path;

    if (!add_expires(c, &body) || !add_given_key(c, &body))
        return VERB_USAGE;
    add_scopes(c, &body);
    verb_path_begin(&path, "consumers", args_word(c->args, 0));
    url_add_segment(&path, TEXT_OF("keys"));
    command_add_write_query(c, &path);
    request = command_write(c, "POST", command_take(c, &path), &body);
    if (!command_call(c, &request, &reply, &status))
        return status;
    print_new_key(c, &reply.doc);
    return VERB_DONE;
}

enum verb_status verb_keys_change(struct command *c)
{
    const char *id = args_word(c->args, 0);
    struct doc body = doc_object();
    struct http_request request;
    struct command_reply reply;
    enum verb_status status;
    struct builder path;

    if (!add_expires(c, &body))
        return VERB_USAGE;
    add_scopes(c, &body);
    if (body.object.count == 0)
        return command_misuse(c, "What should change? --expires WHEN, --scopes A,B.");
    verb_path_begin(&path, "keys", id);
    command_add_write_query(c, &path);
    request = command_write(c, "PATCH", command_take(c, &path), &body);
    command_add_conditions(c, &request);
    if (!command_call(c, &request, &reply, &status))
        return status;
    report_change(c, arena_print(&c->arena, "key %s", id).at, "changed", &reply);
    return VERB_DONE;
}

static enum verb_status revoke_one(struct command *c, const char *id)
{
    struct http_request request;
    struct command_reply reply;
    enum verb_status status;
    struct builder path;

    verb_path_begin(&path, "keys", id);
    command_add_write_query(c, &path);
    request = command_write(c, "DELETE", command_take(c, &path), NULL);
    command_add_conditions(c, &request);
    if (!command_call(c, &request, &reply, &status))
        return status;
    report_change(c, arena_print(&c->arena, "key %s", id).at, "revoked", &reply);
    return VERB_DONE;
}

enum verb_status verb_keys_revoke(struct command *c)
{
    enum verb_status status = VERB_DONE;

    for (size_t i = 0; i < c->args->count && status == VERB_DONE; i++)
        status = revoke_one(c, c->args->words[i]);
    return status;
}

enum verb_status verb_keys_rotate(struct command *c)
{
    struct doc body = doc_object();
    struct http_request request;
    struct command_reply reply;
    enum verb_status status;
    struct builder path;

    if (args_has(c->args, OPTION_GRACE))
        doc_add(&body, &c->arena, TEXT_OF("grace"),
                doc_text(text_of(c->args->values[OPTION_GRACE])));
    verb_path_begin(&path, "keys", args_word(c->args, 0));
    url_add_segment(&path, TEXT_OF("rotate"));
    command_add_write_query(c, &path);
    request = command_write(c, "POST", command_take(c, &path), &body);
    if (!command_call(c, &request, &reply, &status))
        return status;
    print_new_key(c, &reply.doc);
    return VERB_DONE;
}

static enum verb_status import(struct command *c, FILE *upload)
{
    struct http_request request = {
        .method = "POST",
        .content_type = "application/x-ndjson",
        .upload = upload,
        .seconds = IMPORT_SECONDS,
    };
    const struct doc *count;
    struct command_reply reply;
    enum verb_status status;
    struct builder path;

    verb_path_begin(&path, "keys", "import");
    command_add_write_query(c, &path);
    request.path = command_take(c, &path);
    if (!command_call(c, &request, &reply, &status))
        return status;
    count = doc_find(&reply.doc, TEXT_OF("imported"));
    report_change(
        c,
        arena_print(&c->arena, "%lld keys",
                    count != NULL && count->type == DOC_INT ? (long long)count->integer : 0)
            .at,
        "imported", &reply);
    return VERB_DONE;
}

enum verb_status verb_keys_import(struct command *c)
{
    const char *file = args_word(c->args, 0);
    bool is_stdin = strcmp(file, "-") == 0;
    FILE *upload = is_stdin ? stdin : fopen(file, "r");
    enum verb_status status;

    if (upload == NULL)
        return command_misuse(c, "%s cannot be read: %s.", file, strerror(errno));
    status = import(c, upload);
    if (!is_stdin)
        (void)fclose(upload);
    return status;
}
