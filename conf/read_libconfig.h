/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_libconfig.h - a libconfig file to a document. The only file that knows libconfig.
 *
 * Integers past 2^31-1 without L are refused before libconfig sees them (1.5 would turn them into
 * other numbers). @include "FILE" is read relative to the including file, "DIR/x*.conf" in the
 * order of the names; at most 10 levels. The first syntax error ends reading. Reads files: not for
 * a worker.
 */
#ifndef CONF_READ_LIBCONFIG_H
#define CONF_READ_LIBCONFIG_H

#include "conf/base/problem.h"
#include "conf/doc.h"

/* The file as one object. Nodes know their file and line (the names are in the arena). */
MUST_USE bool read_libconfig(const char *file, struct arena *arena, struct problems *ps,
                             struct doc *doc_out);

/* The same from memory; `file` is what problems call it and what @include is relative to. */
MUST_USE bool read_libconfig_text(struct text text, const char *file, struct arena *arena,
                                  struct problems *ps, struct doc *doc_out);

/* Either language: JSON if the first byte that is no white space is '{' or '[', else
 * libconfig. */
MUST_USE bool read_libconfig_or_json(const char *file, struct arena *arena, struct problems *ps,
                                     struct doc *doc_out);

/* "libconfig 1.5.0". Static. */
const char *read_libconfig_library_version(void);

#endif
