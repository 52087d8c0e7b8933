/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reference.h - the whole reference of the configuration, printed from the tables.
 */
#ifndef CONF_REFERENCE_H
#define CONF_REFERENCE_H

#include "conf/base/builder.h"

/* What stands between these two lines of conf/README.md is generated. */
#define REFERENCE_BEGIN "<!-- generated from the tables: begin -->\n"
#define REFERENCE_END   "<!-- generated from the tables: end -->\n"

void reference_print_markdown(struct builder *b);

/* `components: schemas:` of upstreams, routes, plans and consumers, at `indent` spaces. */
void reference_print_openapi(unsigned indent, struct builder *b);

void reference_print_man(struct builder *b); /* gatewayd.conf(5) */

#endif
