/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kind.h - the kinds of things that verbs speak of: the four of resources, and keys.
 */
#ifndef ADMIN_CTL_KIND_H
#define ADMIN_CTL_KIND_H

#include "conf/base/builder.h"
#include "conf/resource.h"

struct kind {
    const char *plural; /* as in addresses */
    const char *singular;
    const struct schema *schema; /* NULL: keys */
};

#define KIND_COUNT (RESOURCE_KINDS + 1)

/* In the order of enum resource_kind, then keys. */
struct kind kind_get(size_t index);

/* "routes", "route". False and a sentence in `why`, with the nearest one. Keys only where `keys`
 * says so. */
MUST_USE bool kind_parse(struct text name, bool keys, struct kind *kind_out, struct builder *why);

#endif
