/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openapi.h - the description of the admin API, printed from the operations and the schemas: the
 * OpenAPI 3.1 document, and the tables of admin/README.md. Any thread.
 */
#ifndef ADMIN_OPENAPI_H
#define ADMIN_OPENAPI_H

#include "conf/base/builder.h"

/* What stands between these two lines of admin/README.md is generated. */
#define OPENAPI_BEGIN "<!-- generated from the tables: begin -->\n"
#define OPENAPI_END   "<!-- generated from the tables: end -->\n"

void openapi_print(struct builder *b);          /* YAML */
void openapi_print_markdown(struct builder *b); /* with the two lines */

#endif
