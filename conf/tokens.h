/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens.h - the file of admin tokens: lines of NAME ROLE SHA256-OF-TOKEN-IN-HEX.
 *
 * '#' begins a comment. Names may be there several times (a token being replaced), digests not.
 * Lifetime: the owner's. Read-only once read.
 */
#ifndef CONF_TOKENS_H
#define CONF_TOKENS_H

#include "conf/base/arena.h"
#include "conf/base/digest.h"
#include "conf/base/problem.h"

enum tokens_role {
    TOKENS_VIEWER,
    TOKENS_OPERATOR,
    TOKENS_ADMIN
}; /* each may what those before may */

struct token {
    struct text name;
    enum tokens_role role;
    struct digest digest;
};

struct tokens {
    struct arena arena;
    struct token *items;
    size_t count;
};

/* Problems with file and line; an unreadable file is one. On failure *tokens_out is untouched. A
 * file that others may read or write is accepted: it holds digests only. */
MUST_USE bool tokens_read(const char *file, struct problems *ps, struct tokens *tokens_out);
MUST_USE bool tokens_parse(struct text text, const char *file, struct problems *ps,
                           struct tokens *tokens_out);
void tokens_fini(struct tokens *ts);

/* Whose token it is, NULL if nobody's. Takes the same time wherever it is in the file. */
const struct token *tokens_find(const struct tokens *ts, struct text secret);

const char *tokens_role_name(enum tokens_role role);

#endif
