/* SPDX-License-Identifier: Apache-2.0 */
/*
 * folder.h - a state.dir of a test's own, and what tests do to the files in it.
 */
#ifndef TESTS_UNIT_CLUSTER_FOLDER_H
#define TESTS_UNIT_CLUSTER_FOLDER_H

#include <stddef.h>

#include "conf/base/text.h"

/* A new empty folder below TMPDIR; the path is the caller's, folder_remove deletes all. */
char *folder_new(void);
void folder_remove(char **path);

/* The bytes of a file in it, NUL-terminated, to be freed; NULL when there is none. */
char *folder_read(const char *path, const char *name, size_t *length_out);
void folder_write(const char *path, const char *name, struct text bytes); /* mode 0600 */

#endif
