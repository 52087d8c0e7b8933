/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema.h - a table of rows for one struct, and the loops over it: bind, complete, canonicalise,
 * print. Documentation is printed by schema_docs.h. Nothing here knows a field by name.
 */
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

#include "conf/base/problem.h"
#include "conf/doc.h"
#include "conf/field.h"

struct schema_binding;

/* Grows with each field or choice that is added (field.since, field_choice.since): nodes tell each
 * other which one they know, so that nothing is set that one of them would not understand. */
#define SCHEMA_VERSION 1

/* Rules between fields, and members derived from others: called once all rows are bound without a
 * problem of their own (unknown fields do not count). Reports with schema_problem. */
typedef void schema_check_fn(void *object, struct schema_binding *b);

struct schema {
    const char *name; /* "upstream"; of the component in OpenAPI: "Upstream" */
    const char *summary;
    const struct field *fields;
    size_t count;
    size_t size; /* of the struct */
    schema_check_fn *check;
};

/* Binds `doc` (an object) to `object` (schema->size bytes, which are zeroed first). Texts and
 * lists are copied into the arena. `root` says where doc stands in its document (path and pointer,
 * prefixes of those in problems). False if it added a problem; `object` then is not to be used. */
MUST_USE bool schema_bind(const struct schema *schema, const struct doc *doc,
                          const struct place *root, const struct checks *checks,
                          struct arena *arena, struct problems *ps, void *object);

/* For schema_check_fn: a problem at a place relative to the object being checked: "limits/2/name";
 * "" is the object itself. */
void schema_problem(struct schema_binding *b, const char *where, const char *format, ...)
    PRINTF_LIKE(3, 4);
struct arena *schema_arena(struct schema_binding *b);
const struct checks *schema_checks(const struct schema_binding *b);
/* Was the field written in the document (and not null)? */
bool schema_is_set(const struct schema_binding *b, const char *name);

/* What was set, in one form: order of the schema, unknown fields last, no nulls, maps as objects.
 * `doc` must have been bound without problems. Borrows from doc. */
struct doc schema_canonical(const struct schema *schema, const struct doc *doc,
                            struct arena *arena);

/* The same with defaults filled in and secrets hidden. Fields without default that are not set are
 * left out. */
struct doc schema_full(const struct schema *schema, const struct doc *doc, struct arena *arena);

/* The schema version that is needed to understand what is set in `doc`. */
unsigned schema_since(const struct schema *schema, const struct doc *doc);

/* The row, or NULL. */
const struct field *schema_find(const struct schema *schema, struct text name);

/* The name nearest to what somebody wrote, or NULL when none is near. */
const char *schema_nearest(const struct schema *schema, struct text name);

#endif
