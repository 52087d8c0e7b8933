/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/kind.h"

#include "conf/schema.h"

#define NEAR 2

struct kind kind_get(size_t index)
{
    enum resource_kind kind = (enum resource_kind)index;

    MUST(index < KIND_COUNT);
    if (index == RESOURCE_KINDS)
        return (struct kind){ .plural = "keys", .singular = "key" };
    return (struct kind){
        .plural = resource_kind_name(kind),
        .singular = resource_kind_singular(kind),
        .schema = resource_kind_schema(kind),
    };
}

bool kind_parse(struct text name, bool keys, struct kind *kind_out, struct builder *why)
{
    size_t count = keys ? KIND_COUNT : RESOURCE_KINDS;
    const char *nearest = NULL;
    unsigned best = NEAR + 1;

    for (size_t i = 0; i < count; i++) {
        struct kind kind = kind_get(i);
        unsigned distance = text_distance(name, text_of(kind.plural), NEAR);

        if (distance == 0 || text_equals(name, text_of(kind.singular))) {
            *kind_out = kind;
            return true;
        }
        if (distance < best) {
            best = distance;
            nearest = kind.plural;
        }
    }
    builder_addf(why, "There are upstreams, routes, plans%s, but no %.*s.",
                 keys ? ", consumers and keys" : " and consumers", TEXT_ARGS(name));
    if (nearest != NULL)
        builder_addf(why, " Is %s meant?", nearest);
    return false;
}
