/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_markdown.h - schemas as tables of a reference in Markdown.
 */
#ifndef CONF_SCHEMA_MARKDOWN_H
#define CONF_SCHEMA_MARKDOWN_H

#include "conf/base/builder.h"

struct schema;

/* A heading of `level` for the schema, its table, and one level below the same for each group in
 * it. `title` may be NULL: the name of the schema. */
void schema_markdown_print(const struct schema *schema, const char *title, unsigned level,
                           struct builder *b);

#endif
