/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template.h - text with {names} in it, split once: rewrite.path and redirect.location.
 *
 * Lifetime: the arena it was made in. Immutable.
 */
#ifndef GATEWAYD_ROUTE_TEMPLATE_H
#define GATEWAYD_ROUTE_TEMPLATE_H

#include "conf/base/arena.h"
#include "conf/base/text.h"

struct template_piece {
    struct text text; /* literal, or the name without braces */
    bool is_variable;
};

struct template
{
    struct template_piece *pieces;
    unsigned count;
};

/* Braces that hold no name ([A-Za-z_][A-Za-z0-9_]*) stand for themselves. Copies. */
struct template template_parse(struct text source, struct arena *arena);

/* The value of a name; false: it has none, and nothing is put in its place. */
typedef bool template_value_fn(void *arg, struct text name, struct text *value_out);

/* False when the arena is full. */
MUST_USE bool template_print(const struct template *t, template_value_fn *value, void *arg,
                             struct arena *arena, struct text *text_out);

#endif
