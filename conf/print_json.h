/* SPDX-License-Identifier: Apache-2.0 */
/*
 * print_json.h - a document as JSON text (RFC 8259), in the order of its members.
 *
 * Documents that schema_canonical made print canonically: the same bytes for the same settings.
 * What is printed reads back as the same document.
 */
#ifndef CONF_PRINT_JSON_H
#define CONF_PRINT_JSON_H

#include "conf/base/builder.h"
#include "conf/doc.h"

void print_json(const struct doc *doc, struct builder *b);        /* no spaces, one line */
void print_json_pretty(const struct doc *doc, struct builder *b); /* two spaces a level */

#endif
