/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merge.h - JSON Merge Patch (RFC 7396).
 */
#ifndef CONF_MERGE_H
#define CONF_MERGE_H

#include "conf/doc.h"

/* `target` (NULL: nothing was there) with `patch` merged into it. New nodes are in the arena;
 * unchanged ones are borrowed from target and patch. */
struct doc merge_patch(const struct doc *target, const struct doc *patch, struct arena *arena);

#endif
