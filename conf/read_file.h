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

/* What others may do with a file, as bits of a mode. */
#define READ_FILE_SECRET 0027u /* read it, or write it */
#define READ_FILE_RIGHTS 0002u /* write it */

/* The same of a file that may not be open to others in that way. */
MUST_USE bool read_file_closed(const char *file, const struct place *place, unsigned closed,
                               struct arena *arena, struct problems *ps, struct text *text_out);

/* Its permissions, or 0 if there is no such file. */
unsigned read_file_mode(const char *file);

#endif
