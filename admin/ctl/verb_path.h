/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_path.h - the addresses that verbs ask for.
 */
#ifndef ADMIN_CTL_VERB_PATH_H
#define ADMIN_CTL_VERB_PATH_H

#include "admin/ctl/command.h"
#include "admin/ctl/kind.h"

/* Begins "/v1/COLLECTION" or, with a name, "/v1/COLLECTION/NAME" in a fresh builder. */
void verb_path_begin(struct builder *path, const char *collection, const char *name);

/* The kind that is the first argument. False: it has been said what is wrong. */
MUST_USE bool verb_path_kind(const struct command *c, bool keys, struct kind *kind_out);

#endif
