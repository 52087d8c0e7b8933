/* SPDX-License-Identifier: Apache-2.0 */
/*
 * completion.h - what can stand where the cursor is, for the shell: verbs, options and fields from
 * the tables, names from the gateway.
 */
#ifndef ADMIN_CTL_COMPLETION_H
#define ADMIN_CTL_COMPLETION_H

#include "conf/base/builder.h"

/* Calls `completion_add` for the names of all things of a kind ("routes"). May add none. */
struct completion;
typedef void completion_names_fn(struct completion *completion, const char *plural, void *arg);

/* Words without the program's; the last one is being written (it may be empty). Adds a line for
 * each that fits. Nothing: the shell offers files. `names` may be NULL. */
void completion_print(const char *const *words, size_t count, completion_names_fn *names, void *arg,
                      struct builder *b);

/* One candidate; left out unless it begins with what is written so far. */
void completion_add(struct completion *completion, struct text candidate);

/* The script for bash. */
extern const char completion_bash[];

#endif
