/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_private.h - what the files schema*.c share: where the binder stands, and its parsers.
 */
#ifndef CONF_SCHEMA_PRIVATE_H
#define CONF_SCHEMA_PRIVATE_H

#include "conf/schema.h"

/* One step from the root of the document to the node at hand; lives on the stack. */
struct schema_step {
    const struct schema_step *up; /* NULL: the root */
    struct text name;             /* of a member; at NULL: an item of a list */
    size_t index;
    const struct doc *doc; /* the node; of a default, its document */
};

struct schema_binding {
    const struct schema *schema; /* of the object at hand */
    const struct place *root;
    const struct checks *checks;
    struct arena *arena;
    struct arena *scratch; /* until schema_bind returns: defaults as documents, sentences */
    struct problems *ps;
    const struct schema_step *step;
    unsigned long set; /* bits of the rows of `schema` that were written */
    size_t unknown;    /* problems that were unknown fields */
};

#define SCHEMA_FIELDS_MAX 64

/* A problem at the step at hand: "NAME CLAUSE". */
void schema_complain(struct schema_binding *b, const char *format, ...) PRINTF_LIKE(2, 3);

/* Binds an object to `object`, both at b->step. */
void schema_bind_object(struct schema_binding *b, const struct schema *schema, void *object);

/* Binds the value at b->step to the member at `at`; reports what is wrong with it. */
void schema_value_bind(struct schema_binding *b, const struct field *field, void *at);

/* The default of a field as a document, from its text. Returns false when it has none. */
bool schema_value_initial(const struct field *field, struct arena *arena, struct doc *doc_out);

/* The entries of a map, whichever way it was written; false when it is no pair of texts. */
bool schema_value_map_entry(const struct doc *map, size_t index, struct pair *pair_out);
size_t schema_value_map_count(const struct doc *map);
bool schema_value_map_repeats(const struct doc *map);

#endif
