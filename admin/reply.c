/* SPDX-License-Identifier: Apache-2.0 */
/* reply.c - see reply.h. */
#include "admin/reply.h"

#include <stdarg.h>
#include <stdio.h>

#include "gatewayd/http/problem_json.h"

#define DETAIL_SIZE 2048

void reply_header(struct call *call, const char *name, struct text value)
{
    bool is_added =
        headers_add_named(&call->reply.headers, text_of(name), arena_copy(&call->arena, value));
    MUST(is_added);
}

void reply_headerf(struct call *call, const char *name, const char *format, ...)
{
    char value[1024];
    va_list args;

    va_start(args, format);
    int length = vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    MUST(length >= 0);
    reply_header(
        call, name,
        text_from(value, (size_t)length < sizeof(value) ? (size_t)length : sizeof(value) - 1));
}

void reply_content(struct call *call, unsigned status, const char *content_type)
{
    MUST(!call->is_replied);
    call->reply.status = status;
    call->reply.framing = BODY_LENGTH;
    call->reply.body_length = call->out.length;
    reply_header(call, "Content-Type", text_of(content_type));
    call_send(call);
}

void reply_json(struct call *call, unsigned status)
{
    builder_add_byte(&call->out, '\n');
    reply_content(call, status, "application/json");
}

void reply_empty_object(struct call *call, unsigned status)
{
    builder_clear(&call->out);
    builder_add(&call->out, TEXT_OF("{}"));
    reply_json(call, status);
}

void reply_stream(struct call *call, unsigned status, call_produce_fn *produce)
{
    reply_stream_content(call, status, "application/json", produce);
}

void reply_stream_content(struct call *call, unsigned status, const char *content_type,
                          call_produce_fn *produce)
{
    MUST(!call->is_replied);
    call->reply.status = status;
    call->reply.framing = BODY_CHUNKED;
    call->produce = produce;
    reply_header(call, "Content-Type", text_of(content_type));
    call_send(call);
}

static void reply_without_body(struct call *call, unsigned status)
{
    MUST(!call->is_replied);
    builder_clear(&call->out);
    call->reply.status = status;
    call->reply.framing = BODY_NONE;
    call_send(call);
}

void reply_empty(struct call *call)
{
    reply_without_body(call, 204);
}

void reply_not_modified(struct call *call)
{
    reply_without_body(call, 304);
}

/* The URN under which the reference explains the problem. */
static struct text problem_type(struct call *call, const char *type)
{
    return arena_print(&call->arena, "urn:gatewayd:problem:%s", type);
}

static void print_problem(struct call *call, const struct problem_json *p)
{
    builder_clear(&call->out);
    problem_json_print(p, &call->out);
    builder_add_byte(&call->out, '\n');
    reply_content(call, p->status, PROBLEM_JSON_TYPE);
}

void reply_problem(struct call *call, unsigned status, const char *type, const char *format, ...)
{
    char detail[DETAIL_SIZE];
    va_list args;

    va_start(args, format);
    int length = vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    MUST(length >= 0);
    struct problem_json p = {
        .type = problem_type(call, type),
        .status = status,
        .detail = text_of(detail),
        .request_id = call->request_id,
    };
    print_problem(call, &p);
}

void reply_problem_names(struct call *call, unsigned status, const char *type,
                         const struct reply_names *names, struct text detail)
{
    struct builder list;

    builder_init(&list, 1 << 20);
    for (size_t i = 0; i < names->count; i++) {
        builder_add_byte(&list, i == 0 ? '[' : ',');
        builder_add_json(&list, names->items[i]);
    }
    builder_add(&list, names->count == 0 ? TEXT_OF("[]") : TEXT_OF("]"));
    struct problem_json_member member = { .name = text_of(names->member),
                                          .json = builder_text(&list) };
    struct problem_json p = {
        .type = problem_type(call, type),
        .status = status,
        .detail = detail,
        .request_id = call->request_id,
        .members = &member,
        .member_count = 1,
    };
    print_problem(call, &p);
    builder_fini(&list);
}

void reply_problems(struct call *call, unsigned status, const char *type, const char *detail,
                    const struct problems *ps)
{
    struct problem_json_error *errors =
        arena_alloc(&call->arena, (ps->count + 1) * sizeof(*errors));

    for (size_t i = 0; i < ps->count; i++) {
        errors[i] = (struct problem_json_error){
            .pointer = text_of(ps->items[i].pointer),
            .message = text_of(ps->items[i].sentence),
        };
    }
    struct problem_json p = {
        .type = problem_type(call, type),
        .status = status,
        .detail = text_of(detail),
        .request_id = call->request_id,
        .errors = errors,
        .error_count = ps->count,
    };
    print_problem(call, &p);
}

void reply_invalid(struct call *call, const char *pointer, const char *format, ...)
{
    char sentence[DETAIL_SIZE];
    struct problems ps;
    va_list args;

    va_start(args, format);
    int length = vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    MUST(length >= 0);
    problems_init(&ps);
    problems_add(&ps, (struct place){ .pointer = pointer, .path = "" }, "%s", sentence);
    reply_problems(call, 422, "invalid", "The body has errors; nothing was done.", &ps);
    problems_fini(&ps);
}
