/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_libconfig_expand.h - what is done to a libconfig text before libconfig sees it: @include is
 * put in, integers that libconfig 1.5 would spoil are found, and where each line came from is kept.
 */
#ifndef CONF_READ_LIBCONFIG_EXPAND_H
#define CONF_READ_LIBCONFIG_EXPAND_H

#include "conf/base/arena.h"
#include "conf/base/builder.h"
#include "conf/base/problem.h"

/* From line `first` of the expanded text on, lines are those of `file` from `line` on. */
struct read_libconfig_piece {
    unsigned first;
    unsigned line;
    const char *file;
};

/* Lifetime: the arena's, but for the text (read_libconfig_expanded_fini). */
struct read_libconfig_expanded {
    struct builder text;
    struct read_libconfig_piece *pieces;
    size_t count;
    size_t room;
    unsigned line; /* of the expanded text */
};

MUST_USE bool read_libconfig_expand(struct text text, const char *file, struct arena *arena,
                                    struct problems *ps, struct read_libconfig_expanded *e);
void read_libconfig_expanded_fini(struct read_libconfig_expanded *e);

/* Where a line of the expanded text came from. */
struct place read_libconfig_place(const struct read_libconfig_expanded *e, unsigned line);

#endif
