/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_walk.h - all schemas that some schemas hold, each once: for printers of documentation.
 */
#ifndef CONF_SCHEMA_WALK_H
#define CONF_SCHEMA_WALK_H

#include "conf/schema.h"

#define SCHEMA_WALK_MAX 64

struct schema_walk {
    const struct schema *found[SCHEMA_WALK_MAX]; /* each before those it holds */
    size_t count;
};

void schema_walk_init(struct schema_walk *w);
void schema_walk_add(struct schema_walk *w, const struct schema *schema); /* and all below it */

/* The default as JSON text, "" if there is none. */
void schema_walk_print_initial(const struct schema *schema, const struct field *field,
                               struct builder *b);

/* What kind of value it is, for people: "duration", "list of target", … */
void schema_walk_print_type(const struct field *field, struct builder *b);

#endif
