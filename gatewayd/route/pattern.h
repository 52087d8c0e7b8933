/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pattern.h - regular expressions of routes: PCRE2, compiled with JIT, bounded in what a match may
 * cost. pattern.c is the only file that knows PCRE2.
 *
 * Bytes, not UTF-8; case-sensitive; `$` is the very end. Lifetime: one owner (its rule). Compiled
 * on the control thread, matched by any thread: what a match needs beside the pattern is kept for
 * each thread.
 */
#ifndef GATEWAYD_ROUTE_PATTERN_H
#define GATEWAYD_ROUTE_PATTERN_H

#include "conf/base/builder.h"
#include "conf/base/text.h"

#define PATTERN_LENGTH_MAX  4096
#define PATTERN_MATCH_LIMIT 10000 /* steps of one match */
#define PATTERN_DEPTH_LIMIT 250

struct pattern;

/* NULL when `source` (without the leading '~') does not compile; `why` (may be NULL) then gets a
 * clause such as "missing closing parenthesis at offset 4". */
MUST_USE struct pattern *pattern_new(struct text source, struct builder *why);
void pattern_free(struct pattern **p);

/* What a checks_pattern_fn has to be (conf/checks.h). */
bool pattern_check(struct text source, struct builder *why);

enum pattern_result {
    PATTERN_NO,
    PATTERN_YES,
    PATTERN_GAVE_UP, /* it would have cost more than the limits allow */
};

/* Searches `subject`. */
MUST_USE enum pattern_result pattern_match(const struct pattern *p, struct text subject);

struct text pattern_source(const struct pattern *p); /* as long as the pattern */

/* "10.42 2022-12-11": the library this process runs on. */
const char *pattern_library_version(void);

#endif
