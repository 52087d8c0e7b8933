/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path.h - paths in the one form in which they are compared and sent on.
 *
 * Unreserved characters are decoded, hex digits made upper case, repeated slashes made one, then
 * dot segments resolved, ".." at the root staying there. A normalised path normalises to itself and
 * has no segment "." or "..". Refused: an invalid escape, %00, %5C, "." or ".." followed by ';' (or
 * next to an encoded slash), a control, a space, a backslash, '#' and bytes outside ASCII. Pure.
 */
#ifndef GATEWAYD_HTTP_PATH_H
#define GATEWAYD_HTTP_PATH_H

#include "conf/base/arena.h"
#include "gatewayd/http/refusal.h"

struct path {
    struct text text;       /* `raw` itself where nothing had to change, else in the arena */
    bool has_encoded_slash; /* contains %2F */
};

/* `raw` begins with '/' and has no query. *path_out is untouched unless REFUSAL_NONE is returned.
 * An arena at its ceiling is REFUSAL_TARGET_TOO_LONG. */
MUST_USE enum refusal path_parse(struct text raw, struct arena *arena, struct path *path_out);

/* The path of a route's pattern (without '=' or '~' before it): the same, but a space and UTF-8 are
 * taken and percent-encoded. '{' and '}' stay as they are. */
MUST_USE enum refusal path_parse_pattern(struct text raw, struct arena *arena,
                                         struct path *path_out);

#endif
