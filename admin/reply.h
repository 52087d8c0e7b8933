/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply.h - how a call is answered. Exactly one of the reply_* that end the call is made; headers
 * come before. Control thread.
 */
#ifndef ADMIN_REPLY_H
#define ADMIN_REPLY_H

#include "admin/call.h"

/* A header of the answer; name is a constant, value is copied. */
void reply_header(struct call *call, const char *name, struct text value);
void reply_headerf(struct call *call, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);

/* JSON that was printed into call->out. */
void reply_json(struct call *call, unsigned status);

/* Anything else that was printed into call->out. */
void reply_content(struct call *call, unsigned status, const char *content_type);

/* JSON, or anything else, that is produced piece by piece. */
void reply_stream(struct call *call, unsigned status, call_produce_fn *produce);
void reply_stream_content(struct call *call, unsigned status, const char *content_type,
                          call_produce_fn *produce);

/* A body `{}`. */
void reply_empty_object(struct call *call, unsigned status);

/* 204, 304 */
void reply_empty(struct call *call);
void reply_not_modified(struct call *call);

/* application/problem+json with a sentence. `type` is the last part of the problem's URI. */
void reply_problem(struct call *call, unsigned status, const char *type, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* The same with a list of names as a further member. */
struct reply_names {
    const char *member; /* "referred_by" */
    const struct text *items;
    size_t count;
};
void reply_problem_names(struct call *call, unsigned status, const char *type,
                         const struct reply_names *names, struct text detail);

/* 422 with one error. */
void reply_invalid(struct call *call, const char *pointer, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* The same with all problems found, each with its pointer (422, 400 …). */
void reply_problems(struct call *call, unsigned status, const char *type, const char *detail,
                    const struct problems *ps);

#endif
