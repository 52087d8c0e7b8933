/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checks.h - how strictly documents are bound, and what higher rooms check for us.
 */
#ifndef CONF_CHECKS_H
#define CONF_CHECKS_H

#include "conf/base/builder.h"
#include "conf/base/text.h"

/* True if the regular expression (without its leading '~') compiles; else false and what is wrong,
 * a clause such as "missing ) at offset 4", in `why`. Thread of the caller. */
typedef bool checks_pattern_fn(struct text pattern, struct builder *why);

/* Lifetime: the caller's. NULL in place of one means { strict, no pattern hook }. */
struct checks {
    /* False: fields that are not known are kept and not looked at (documents of the store, which a
     * newer node may have written). True: each is a problem (documents of people). */
    bool lenient;
    checks_pattern_fn *pattern; /* NULL: regular expressions are not compiled */
};

#endif
