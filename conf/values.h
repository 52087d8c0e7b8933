/* SPDX-License-Identifier: Apache-2.0 */
/*
 * values.h - lists of texts and of name-value pairs, as configured structs hold them.
 *
 * Lifetime: the struct that holds them (its arena). Never modified after binding.
 */
#ifndef CONF_VALUES_H
#define CONF_VALUES_H

#include "conf/base/text.h"

struct texts {
    const struct text *items;
    size_t count;
};

struct pair {
    struct text name;
    struct text value;
};

/* In the order written. Names are unique unless the field says otherwise (headers to add). */
struct pairs {
    const struct pair *items;
    size_t count;
};

#endif
