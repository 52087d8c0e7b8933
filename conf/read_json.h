/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_json.h - JSON text to a document. The only file that knows jansson.
 *
 * Strict: UTF-8, no duplicate keys, no NUL in strings, integers of 64 bits, at most DOC_DEPTH_MAX
 * levels. Any thread.
 */
#ifndef CONF_READ_JSON_H
#define CONF_READ_JSON_H

#include "conf/base/problem.h"
#include "conf/doc.h"

/* The whole of `json` is one value. False and one problem, "… at line 3, column 7", when it is
 * not JSON (an answer of 400, not 422). */
MUST_USE bool read_json(struct text json, struct arena *arena, struct problems *ps,
                        struct doc *doc_out);

/* One value that starts at *at in `json` (white space may precede); *at is moved past it. Places
 * in problems count from the start of `json`. */
MUST_USE bool read_json_value(struct text json, size_t *at, struct arena *arena,
                              struct problems *ps, struct doc *doc_out);

/* "jansson 2.14". Static. */
const char *read_json_library_version(void);

#endif
