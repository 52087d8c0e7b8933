/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "admin/ctl/outline.h"
#include "admin/ctl/refusal.h"
#include "admin/ctl/url.h"
#include "conf/print_json.h"
#include "conf/read_json.h"

#define PRINTED_MAX  ((size_t)1 << 30)
#define SENTENCE_MAX ((size_t)1 << 16)

/* ---- saying ---- */

void command_flush(struct builder *b)
{
    struct text t = builder_text(b);

    if (t.length > 0)
        (void)fwrite(t.at, 1, t.length, stdout);
    (void)fflush(stdout);
    builder_clear(b);
}

void command_say(const char *format, ...)
{
    va_list args;

    (void)fputs("gatewayctl: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
}

enum verb_status command_misuse(const struct command *c, const char *format, ...)
{
    va_list args;

    (void)fputs("gatewayctl: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fprintf(stderr, "\n`gatewayctl %s --help` says more.\n", c->args->verb->name);
    return VERB_USAGE;
}

enum verb_status command_complain(const struct problems *ps)
{
    struct builder b;

    builder_init(&b, SENTENCE_MAX);
    for (size_t i = 0; i < ps->count; i++) {
        builder_add(&b, TEXT_OF("gatewayctl: "));
        problem_print(&ps->items[i], &b);
        builder_add_byte(&b, '\n');
    }
    (void)fprintf(stderr, "%.*s", TEXT_ARGS(builder_text(&b)));
    builder_fini(&b);
    return VERB_USAGE;
}

void command_print_json(const struct doc *doc)
{
    struct builder b;

    builder_init(&b, PRINTED_MAX);
    print_json_pretty(doc, &b);
    builder_add_byte(&b, '\n');
    command_flush(&b);
    builder_fini(&b);
}

void command_print(struct command *c, const struct doc *doc)
{
    struct builder b;

    if (doc->type == DOC_NULL)
        return;
    if (command_is_json(c)) {
        command_print_json(doc);
        return;
    }
    builder_init(&b, PRINTED_MAX);
    outline_print(doc, c->paint, &b);
    command_flush(&b);
    builder_fini(&b);
}

bool command_ask(struct command *c, const char *question)
{
    int answer;
    int next;

    if (args_has(c->args, OPTION_YES) || isatty(STDIN_FILENO) != 1)
        return true;
    (void)fprintf(stderr, "%s [y/N] ", question);
    answer = getchar();
    for (next = answer; next != '\n' && next != EOF;)
        next = getchar();
    return answer == 'y' || answer == 'Y';
}

/* ---- asking the gateway ---- */

struct text command_take(struct command *c, struct builder *b)
{
    struct text taken = arena_copy(&c->arena, builder_text(b));

    builder_fini(b);
    return taken;
}

void command_add_write_query(struct command *c, struct builder *path)
{
    const struct args *args = c->args;

    if (args_has(args, OPTION_CONFIRM))
        url_add_query(path, "confirm", text_of(args->values[OPTION_CONFIRM]));
    if (args_has(args, OPTION_WAIT))
        url_add_query(path, "wait", TEXT_OF("all"));
    if (args_has(args, OPTION_TIMEOUT))
        url_add_query(path, "timeout", text_of(args->values[OPTION_TIMEOUT]));
    if (args_has(args, OPTION_DRY_RUN))
        url_add_query(path, "dry_run", TEXT_OF("true"));
}

void command_add_conditions(struct command *c, struct http_request *request)
{
    struct text tag = text_of(c->args->values[OPTION_IF_MATCH]);

    if (text_is_empty(tag))
        return;
    if (!text_starts_with(tag, TEXT_OF("\"")) && !text_equals(tag, TEXT_OF("*")))
        tag = arena_print(&c->arena, "\"%.*s\"", TEXT_ARGS(tag));
    MUST(request->header_count < HTTP_HEADERS);
    request->headers[request->header_count++] = (struct http_header){ "If-Match", tag };
}

struct http_request command_write(struct command *c, const char *method, struct text path,
                                  const struct doc *doc)
{
    struct http_request request = { .method = method, .path = path };
    struct builder body;

    if (doc == NULL)
        return request;
    builder_init(&body, PRINTED_MAX);
    print_json(doc, &body);
    request.content_type = "application/json";
    request.body = command_take(c, &body);
    return request;
}

/* A reply's body as a document. False: it is none. */
static bool read_reply(struct command *c, bool is_text, struct command_reply *reply)
{
    struct problems ps;
    bool is_read;

    reply->doc = doc_null();
    if (text_is_empty(reply->answer.body))
        return true;
    if (!text_contains(reply->answer.content_type, TEXT_OF("json")))
        return is_text && reply->answer.status < 300;
    problems_init(&ps);
    is_read = read_json(reply->answer.body, &c->arena, &ps, &reply->doc);
    problems_fini(&ps);
    return is_read;
}

static void print_refusal(struct command *c, const struct command_reply *reply, struct builder *b)
{
    const struct refusal_source source = {
        .file = c->source_file,
        .doc = &c->source,
        .json = c->source_json,
    };

    refusal_print(reply->answer.status, &reply->doc, &source, b);
}

static void refuse(struct command *c, const struct command_reply *reply)
{
    struct builder b;

    builder_init(&b, PRINTED_MAX);
    print_refusal(c, reply, &b);
    (void)fprintf(stderr, "%.*s", TEXT_ARGS(builder_text(&b)));
    builder_fini(&b);
}

static void say_pending(const struct command_reply *reply)
{
    if (reply->answer.pending.length > 0)
        command_say("Accepted, but not yet applied by: %.*s.", TEXT_ARGS(reply->answer.pending));
}

static bool ask(struct command *c, const struct http_request *request, struct builder *why,
                struct command_reply *reply_out)
{
    if (c->http == NULL)
        c->http = http_new(&c->settings);
    *reply_out = (struct command_reply){ 0 };
    if (!http_call(c->http, request, &c->arena, why, &reply_out->answer))
        return false;
    if (request->only_head || read_reply(c, request->is_text, reply_out))
        return true;
    builder_addf(why, "Something answers at %.*s (%u), but not a gateway's admin API.",
                 TEXT_ARGS(c->settings.server), reply_out->answer.status);
    return false;
}

static bool is_success(const struct command_reply *reply)
{
    return reply->answer.status >= 200 && reply->answer.status < 300;
}

bool command_ask_why(struct command *c, const struct http_request *request,
                     struct command_reply *reply_out, struct builder *why)
{
    if (!ask(c, request, why, reply_out))
        return false;
    if (is_success(reply_out))
        return true;
    print_refusal(c, reply_out, why);
    while (why->length > 0 && why->at[why->length - 1] == '\n')
        why->length--;
    return false;
}

bool command_try(struct command *c, const struct http_request *request,
                 struct command_reply *reply_out)
{
    struct builder why;

    builder_init(&why, SENTENCE_MAX);
    bool is_done = command_ask_why(c, request, reply_out, &why);
    builder_fini(&why);
    return is_done;
}

bool command_call(struct command *c, const struct http_request *request,
                  struct command_reply *reply_out, enum verb_status *status_out)
{
    struct builder why;
    bool is_answered;

    builder_init(&why, SENTENCE_MAX);
    is_answered = ask(c, request, &why, reply_out);
    if (!is_answered)
        command_say("%.*s", TEXT_ARGS(builder_text(&why)));
    builder_fini(&why);
    *status_out = is_answered ? VERB_DONE : VERB_UNREACHABLE;
    if (!is_answered)
        return false;
    if (is_success(reply_out)) {
        say_pending(reply_out);
        return true;
    }
    refuse(c, reply_out);
    *status_out = VERB_REFUSED;
    return false;
}

bool command_get(struct command *c, struct text path, struct command_reply *reply_out,
                 enum verb_status *status_out)
{
    const struct http_request request = { .method = "GET", .path = path };

    return command_call(c, &request, reply_out, status_out);
}

/* ---- options ---- */

bool command_number(const struct command *c, enum option_id id, uint64_t max, uint64_t *value_out)
{
    const char *said = c->args->values[id];
    uint64_t value;

    if (said == NULL)
        return true;
    if (text_parse_u64(text_of(said), &value) && value <= max) {
        *value_out = value;
        return true;
    }
    (void)command_misuse(c, "--%s must be a number up to %llu, got \"%s\".", option_rows[id].name,
                         (unsigned long long)max, said);
    return false;
}

bool command_duration(const struct command *c, enum option_id id, int64_t *ms_out)
{
    const char *said = c->args->values[id];

    if (said == NULL || text_parse_duration(text_of(said), ms_out))
        return true;
    (void)command_misuse(c, "--%s must be a duration like 250ms, 2s, 5m, 1h or 30d, got \"%s\".",
                         option_rows[id].name, said);
    return false;
}
