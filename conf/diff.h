/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff.h - what differs between two documents, two resources, two sets of them: as documents that
 * print as JSON.
 *
 * [{ kind, name, change: "added" | "removed" | "changed", before, after,
 *    fields: [{ pointer, before, after }] }]
 * before and after are what was set, absent for "added" and "removed" respectively; fields only
 * with "changed". Lists are compared as a whole unless they are as long as each other.
 */
#ifndef CONF_DIFF_H
#define CONF_DIFF_H

#include "conf/resources.h"

/* Appends { pointer, before?, after? } to `list` for each leaf that differs. Borrows from both. */
void diff_fields(const struct doc *before, const struct doc *after, struct arena *arena,
                 struct doc *list);

/* One entry; before NULL: added, after NULL: removed, not both. Borrows from both. */
struct doc diff_resource(const struct resource *before, const struct resource *after,
                         struct arena *arena);

/* All entries of two sets, as a list. */
struct doc diff_resources(const struct resources *before, const struct resources *after,
                          struct arena *arena);

#endif
