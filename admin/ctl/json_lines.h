/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_lines.h - in which line of a JSON text something stands that a pointer points to.
 */
#ifndef ADMIN_CTL_JSON_LINES_H
#define ADMIN_CTL_JSON_LINES_H

#include "conf/base/text.h"

/* The line (from 1) of what the RFC 6901 pointer points to, or of the nearest thing above it that
 * is there. `json` must be well-formed; of anything else the answer is some line or 0. */
unsigned json_lines_find(struct text json, struct text pointer);

#endif
