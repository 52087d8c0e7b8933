/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list.h - doubly linked lists through a member of the listed struct. One thread.
 *
 * A node that is in no list points to itself (list_init) so that list_remove is always safe.
 */
#ifndef CONF_BASE_LIST_H
#define CONF_BASE_LIST_H

#include <stdbool.h>

#include "conf/base/must.h"

struct list {
    struct list *next;
    struct list *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l;
    l->prev = l;
}

static inline bool list_is_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_add_after(struct list *place, struct list *node)
{
    node->next = place->next;
    node->prev = place;
    place->next->prev = node;
    place->next = node;
}

static inline void list_add_first(struct list *l, struct list *node)
{
    list_add_after(l, node);
}

static inline void list_add_last(struct list *l, struct list *node)
{
    list_add_after(l->prev, node);
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* for (struct list *n = l.next; n != &l; n = n->next): LIST_ITEM(n, struct thing, member) */
#define LIST_ITEM(node, type, member) CONTAINER_OF(node, type, member)
#define LIST_EACH(node, list_at)                                                                   \
    for (struct list *node = (list_at)->next; node != (list_at); node = node->next)
#define LIST_EACH_SAFE(node, following, list_at)                                                   \
    for (struct list *node = (list_at)->next, *following = node->next; node != (list_at);          \
         node = following, following = node->next)

#endif
