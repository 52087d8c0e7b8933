/* SPDX-License-Identifier: Apache-2.0 */
/*
 * requests.h - the bodies that are no resources, as schemas: bound, checked and described like
 * those. Lifetime: the arena they were bound in.
 */
#ifndef ADMIN_REQUESTS_H
#define ADMIN_REQUESTS_H

#include "conf/schema.h"

struct call;

/* POST /v1/consumers/{name}/keys */
struct requests_key {
    struct text expires_at; /* as written; empty: never */
    struct texts scopes;
    struct text key; /* empty: a new one */
};

/* PATCH /v1/keys/{id} */
struct requests_key_patch {
    struct text expires_at;
    struct texts scopes;
};

/* A line of POST /v1/keys/import */
struct requests_key_import {
    struct text consumer;
    struct text key;
    struct text sha256;
    struct texts scopes;
    struct text expires_at;
};

/* POST /v1/keys/{id}/rotate */
struct requests_rotate {
    int64_t grace;
};

/* PATCH /v1/upstreams/{name}/targets/{address} */
struct requests_target_patch {
    int64_t weight;
    bool drain;
};

/* POST /v1/explain */
struct requests_explain {
    struct text method;
    struct text url;
    struct pairs headers;
    struct text client;
};

/* POST /v1/drain */
struct requests_drain {
    struct text address;
};

extern const struct schema requests_key_schema;
extern const struct schema requests_key_patch_schema;
extern const struct schema requests_key_import_schema;
extern const struct schema requests_rotate_schema;
extern const struct schema requests_target_patch_schema;
extern const struct schema requests_explain_schema;
extern const struct schema requests_drain_schema;

/* All of them, for the documentation. */
extern const struct schema *const requests_schemas[];
extern const size_t requests_schema_count;

/* The body of the call bound to `object`, an absent one as {}. *doc_out (may be NULL) is the body.
 * False: replied 400 or 422. */
MUST_USE bool requests_bind(struct call *call, const struct schema *schema, void *object,
                            struct doc *doc_out);

/* The time of an expires_at that was bound without problems; 0 for an empty text. */
int64_t requests_time(struct text written);

#endif
