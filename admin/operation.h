/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operation.h - what the admin API can do, one row each: method, path, who may, what it takes.
 *
 * The rows are read by the dispatcher, by the OpenAPI document and by the reference. A path is made
 * of literal segments and {variables}; a literal beats a variable. Constant; any thread.
 */
#ifndef ADMIN_OPERATION_H
#define ADMIN_OPERATION_H

#include "conf/base/text.h"
#include "conf/tokens.h"
#include "gatewayd/http/message.h"

struct call;

typedef void operation_fn(struct call *call);

enum operation_body {
    OPERATION_NO_BODY,   /* one that comes is read and dropped */
    OPERATION_JSON,      /* read whole before the handler is called; absent: an empty text */
    OPERATION_JSON_LINES /* streamed: the handler sets call->on_lines */
};

#define OPERATION_QUERIES 6

struct operation_query {
    const char *name;
    const char *summary;
};

struct operation {
    enum method method;
    const char *path;      /* "/v1/{kind}/{name}" */
    enum tokens_role role; /* the least that may */
    bool is_open;          /* needs no token */
    enum operation_body body;
    operation_fn *handle;
    const char *id; /* operationId */
    const char *summary;
    const char *answer; /* schema of the 2xx body for the OpenAPI document, or NULL */
    struct operation_query queries[OPERATION_QUERIES]; /* those accepted; others are refused */
};

extern const struct operation operations[];
extern const size_t operation_count;

#define OPERATION_SEGMENTS 8

/* What a path leads to. Segments are as they stand in the path (still encoded). */
struct operation_match {
    const struct operation *operation; /* NULL: no such path, or not with this method */
    bool has_path;                     /* some method is served here */
    unsigned allowed;                  /* bits 1 << enum method */
};
struct operation_match operation_find(enum method method, struct text path);

/* The segment of `path` that stands for {name} in the operation's path; empty if there is none. */
struct text operation_variable(const struct operation *o, struct text path, const char *name);

#endif
