/* SPDX-License-Identifier: Apache-2.0 */
/*
 * edits.h - changes of header fields (request_headers, response_headers), names numbered once.
 *
 * Lifetime: the arena they were made in; names and values live as long as the route. Immutable.
 */
#ifndef GATEWAYD_ROUTE_EDITS_H
#define GATEWAYD_ROUTE_EDITS_H

#include "conf/route.h"
#include "gatewayd/http/headers.h"

struct edit {
    enum header_id id;
    struct text name;
    struct text value; /* not of a removal */
};

/* In this order. A name that is set is in `remove` too. */
struct edits {
    struct edit *remove;
    unsigned remove_count;
    struct edit *add; /* what is set, then what is added */
    unsigned add_count;
};

struct edits edits_new(const struct route_headers *configured, struct arena *arena);

static inline bool edits_is_empty(const struct edits *e)
{
    return e->remove_count == 0 && e->add_count == 0;
}

/* False when the headers are full. */
MUST_USE bool edits_apply(const struct edits *e, struct headers *headers);

#endif
