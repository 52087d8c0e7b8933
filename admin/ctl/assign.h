/* SPDX-License-Identifier: Apache-2.0 */
/*
 * assign.h - FIELD=VALUE on a command line, put into a document as the field's row wants it.
 *
 *   balance=hash  connect_timeout=250ms  max_connections=100  slow_start=
 *   match.paths=/a,/b            a list: its items with commas
 *   targets=10.0.0.1:80,10.0.0.2:80   a list of groups: the first field of each
 *   health.path=/up  targets.0.weight=5  metadata.team=core
 *   match.headers={"X-A":"b"}    anything as JSON
 *
 * An empty value is null: nothing was set. In a merge patch this takes the field away.
 */
#ifndef ADMIN_CTL_ASSIGN_H
#define ADMIN_CTL_ASSIGN_H

#include "conf/base/builder.h"
#include "conf/doc.h"
#include "conf/schema.h"

/* False and a sentence in `why`. The value and names are copied to the arena. */
MUST_USE bool assign_add(struct doc *object, const struct schema *schema, struct text assignment,
                         struct arena *arena, struct builder *why);

#endif
