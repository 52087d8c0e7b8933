/* SPDX-License-Identifier: Apache-2.0 */
/*
 * references.h - dangling references in a document that has other errors, too, so that all of them
 * are reported at once. (What is well formed is checked by the store, against what will be there.)
 */
#ifndef ADMIN_REFERENCES_H
#define ADMIN_REFERENCES_H

#include "conf/base/problem.h"
#include "conf/doc.h"
#include "conf/resource.h"

typedef bool references_exists_fn(void *arg, enum resource_kind kind, struct text name);

/* Adds a problem for each field of `doc` that names a resource which does not exist. `pointer` is
 * where doc stands. */
void references_check(const struct schema *schema, const struct doc *doc, const char *pointer,
                      references_exists_fn *exists, void *arg, struct problems *ps);

#endif
