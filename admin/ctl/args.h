/* SPDX-License-Identifier: Apache-2.0 */
/*
 * args.h - a command line, read: the verb, its arguments and its options. No I/O.
 */
#ifndef ADMIN_CTL_ARGS_H
#define ADMIN_CTL_ARGS_H

#include "admin/ctl/option.h"
#include "admin/ctl/verb.h"
#include "conf/base/builder.h"

struct args {
    const struct verb *verb; /* NULL: none was said (then --help or nothing was) */
    const char **words;      /* the arguments of the verb; borrowed from argv */
    size_t count;
    const char *values[OPTION_IDS]; /* NULL: not said; "" of one without value */
    const char **headers;           /* of --header, in order */
    size_t header_count;
};

/* `words` without the program's name. False and a sentence or two in `why`; then there is nothing
 * to free. With --help or --version the number of arguments is not looked at. */
MUST_USE bool args_parse(const char *const *words, size_t count, struct args *args_out,
                         struct builder *why);
void args_fini(struct args *args);

static inline bool args_has(const struct args *args, enum option_id id)
{
    return args->values[id] != NULL;
}

/* NULL when there are fewer. */
static inline const char *args_word(const struct args *args, size_t index)
{
    return index < args->count ? args->words[index] : NULL;
}

#endif
