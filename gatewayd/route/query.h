/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query.h - parameters of a query, as routes compare them: split at '&' and the first '=', then
 * decoded (%XX, '+' is a space; an invalid escape stands for itself). Pure.
 */
#ifndef GATEWAYD_ROUTE_QUERY_H
#define GATEWAYD_ROUTE_QUERY_H

#include "conf/base/arena.h"

enum query_found {
    QUERY_ABSENT,
    QUERY_FOUND,
    QUERY_NO_ROOM, /* the arena is full */
};

/* The first parameter called `name` (decoded); without '=' its value is empty. The value is a slice
 * of the query where nothing had to be decoded, else in the arena. */
MUST_USE enum query_found query_find(struct text query, struct text name, struct arena *arena,
                                     struct text *value_out);

#endif
