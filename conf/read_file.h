/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_file.h - a whole file as text. Blocks: not for a worker.
 */
#ifndef CONF_READ_FILE_H
#define CONF_READ_FILE_H

#include "conf/base/arena.h"
#include "conf/base/problem.h"

#define READ_FILE_MAX ((size_t)1 << 30)

/* The bytes in the arena, followed by a NUL. False and a problem at `place` (NULL: at the file
 * itself) when it cannot be read or is longer than READ_FILE_MAX. */
MUST_USE bool read_file(const char *file, const struct place *place, struct arena *arena,
                        struct problems *ps, struct text *text_out);

#endif
