/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outline.h - a document for people: a line for each field, what is inside indented.
 */
#ifndef ADMIN_CTL_OUTLINE_H
#define ADMIN_CTL_OUTLINE_H

#include "admin/ctl/paint.h"
#include "conf/doc.h"

void outline_print(const struct doc *doc, struct paint paint, struct builder *b);

/* A value in one line: a text as it is, a list of scalars with commas, anything else as JSON. */
void outline_print_value(const struct doc *doc, struct builder *b);

/* Text whose controls are printed as '?'. */
void outline_print_text(struct text t, struct builder *b);

#endif
