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
#include "conf/resource.h"
#include "conf/tokens.h"
#include "gatewayd/http/message.h"

struct call;

typedef void operation_fn(struct call *call);

enum operation_body {
    OPERATION_NO_BODY,    /* one that comes is not read */
    OPERATION_JSON,       /* read whole before the handler is called; absent: an empty text */
    OPERATION_LARGE_JSON, /* the same, up to CALL_BODY_MAX: the handler reads it in slices */
    OPERATION_JSON_LINES  /* streamed: the handler sets call->on_lines */
};

/* Parameters of the query: bits of operation.queries, rows of operation_parameters. */
enum operation_parameter {
    OPERATION_LIMIT = 1 << 0,
    OPERATION_AFTER = 1 << 1,
    OPERATION_FIELDS = 1 << 2,
    OPERATION_CONSUMER = 1 << 3,
    OPERATION_DRY_RUN = 1 << 4,
    OPERATION_CONFIRM = 1 << 5,
    OPERATION_WAIT = 1 << 6,
    OPERATION_TIMEOUT = 1 << 7,
    OPERATION_BEFORE = 1 << 8,
    OPERATION_AFTER_REVISION = 1 << 9,
    OPERATION_WAIT_FOR = 1 << 10,
    OPERATION_ADDRESS = 1 << 11,
    OPERATION_NODES = 1 << 12,
};

/* Of everything that makes a revision. */
#define OPERATION_WRITES (OPERATION_CONFIRM | OPERATION_WAIT | OPERATION_TIMEOUT)

struct operation_parameter_row {
    unsigned bit;
    const char *name;
    const char *schema; /* of the OpenAPI document, one line of YAML */
    const char *summary;
};
extern const struct operation_parameter_row operation_parameters[];
extern const size_t operation_parameter_count;

struct operation {
    enum method method;
    const char *path;      /* "/v1/upstreams/{name}" */
    enum tokens_role role; /* the least that may */
    bool is_open;          /* needs no token */
    bool is_signed;        /* by another node (cluster/peer_sign.h), instead of a token */
    bool is_for_starting;  /* is served while the store is being loaded, too */
    bool has_conditions;   /* takes If-Match and If-None-Match */
    bool is_change;        /* for the audit log */
    enum resource_kind kind;
    enum operation_body body;
    unsigned queries; /* bits of those accepted; others are refused */
    operation_fn *handle;
    const char *id; /* operationId */
    const char *tag;
    const char *summary;
    const char *request; /* component of the OpenAPI document, or NULL */
    const char *success; /* statuses with their components: "200 Route|Difference, 201 Route" */
    const char *type;    /* of the answer, when it is not application/json */
};

extern const struct operation operation_rows[];
extern const size_t operation_count;

/* What a path leads to. Segments are as they stand in the path (still encoded). */
struct operation_match {
    const struct operation *operation; /* NULL: no such path, or not with this method */
    bool has_path;                     /* some method is served here */
    unsigned allowed;                  /* bits 1 << enum method */
};
struct operation_match operation_find(enum method method, struct text path);

/* The segment of `path` that stands for {name} in the operation's path; empty if there is none. */
struct text operation_variable(const struct operation *o, struct text path, const char *name);

/* The parameter of that name if the operation takes it, or NULL. */
const struct operation_parameter_row *operation_find_parameter(const struct operation *o,
                                                               struct text name);

#endif
