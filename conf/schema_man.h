/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_man.h - schemas as sections of a manual page (man(7) macros).
 */
#ifndef CONF_SCHEMA_MAN_H
#define CONF_SCHEMA_MAN_H

#include "conf/base/builder.h"

struct schema;

/* .SH for the schema, .SS for each group in it, a paragraph for each field. */
void schema_man_print(const struct schema *schema, const char *title, struct builder *b);

/* Text of the page: backslashes, leading dots and `code` are taken care of. */
void schema_man_print_text(const char *text, struct builder *b);

#endif
