/* SPDX-License-Identifier: Apache-2.0 */
/*
 * edits.c - changing header fields: what is removed or set goes away first, then what is set and
 * what is added is put behind.
 */
#include "gatewayd/route/edits.h"

static struct edit edit_of(struct text name, struct text value)
{
    return (struct edit){ header_id_find(name), name, value };
}

struct edits edits_new(const struct route_headers *configured, struct arena *arena)
{
    const struct pairs *set = &configured->set;
    const struct pairs *add = &configured->add;
    struct edits e = { .remove_count = 0 };

    e.remove = arena_zalloc(arena, (configured->remove.count + set->count) * sizeof(*e.remove));
    e.add = arena_zalloc(arena, (set->count + add->count) * sizeof(*e.add));
    for (size_t i = 0; i < configured->remove.count; i++)
        e.remove[e.remove_count++] = edit_of(configured->remove.items[i], TEXT_EMPTY);
    for (size_t i = 0; i < set->count; i++) {
        e.remove[e.remove_count++] = edit_of(set->items[i].name, TEXT_EMPTY);
        e.add[e.add_count++] = edit_of(set->items[i].name, set->items[i].value);
    }
    for (size_t i = 0; i < add->count; i++)
        e.add[e.add_count++] = edit_of(add->items[i].name, add->items[i].value);
    return e;
}

bool edits_apply(const struct edits *e, struct headers *headers)
{
    for (unsigned i = 0; i < e->remove_count; i++) {
        if (e->remove[i].id != HEADER_OTHER)
            headers_remove(headers, e->remove[i].id);
        else
            headers_remove_named(headers, e->remove[i].name);
    }
    for (unsigned i = 0; i < e->add_count; i++) {
        if (!headers_add(headers, e->add[i].id, e->add[i].name, e->add[i].value))
            return false;
    }
    return true;
}
