/* SPDX-License-Identifier: Apache-2.0 */
#include "gatewayd/policy/holders.h"

void holders_init(struct holders *hs, const struct credentials *c)
{
    hs->credentials = c;
    hs->count = 0;
    for (size_t i = 0; i < HOLDERS_BUCKETS; i++)
        list_init(&hs->buckets[i]);
}

void holder_init(struct holder *holder, holder_end_fn *on_end)
{
    list_init(&holder->node);
    holder->on_end = on_end;
}

static struct list *bucket_of(struct holders *hs, struct key_handle handle)
{
    return &hs->buckets[handle.slot % HOLDERS_BUCKETS];
}

static bool is_same(struct key_handle a, struct key_handle b)
{
    return a.slot == b.slot && a.generation == b.generation;
}

bool holders_add(struct holders *hs, struct holder *holder, struct key_handle handle, int64_t now)
{
    MUST(list_is_empty(&holder->node));
    if (!credentials_is_live(hs->credentials, handle, now))
        return false;
    holder->handle = handle;
    list_add_last(bucket_of(hs, handle), &holder->node);
    hs->count++;
    return true;
}

void holders_remove(struct holders *hs, struct holder *holder)
{
    if (list_is_empty(&holder->node))
        return;
    list_remove(&holder->node);
    hs->count--;
}

/* Those to be told are set aside first: telling one may remove others. */
size_t holders_end(struct holders *hs, struct key_handle handle)
{
    struct list ending;
    size_t count = 0;
    list_init(&ending);
    LIST_EACH_SAFE (node, following, bucket_of(hs, handle)) {
        struct holder *holder = LIST_ITEM(node, struct holder, node);
        if (!is_same(holder->handle, handle))
            continue;
        list_remove(node);
        list_add_last(&ending, node);
    }
    while (!list_is_empty(&ending)) {
        struct holder *holder = LIST_ITEM(ending.next, struct holder, node);
        holders_remove(hs, holder);
        holder->on_end(holder);
        count++;
    }
    return count;
}
