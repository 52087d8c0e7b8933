/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history.c - a ring of entries, and a list of waiters that a task at the end of the turn serves.
 */
#include "cluster/history.h"

#include "conf/base/mem.h"

struct history_slot {
    struct entry_head head; /* texts are in `texts` */
    char *texts;
    enum store_confirmation confirmation;
    int64_t until;
};

/* ---- waiters ---- */

/* Those that have what they waited for are taken out before any is called. */
static void on_wake(void *arg)
{
    struct history *h = arg;
    struct list due;
    list_init(&due);
    LIST_EACH_SAFE (node, following, &h->waiters) {
        struct store_waiter *w = LIST_ITEM(node, struct store_waiter, node);
        if (w->after < history_newest(h)) {
            list_remove(node);
            list_add_last(&due, node);
        }
    }
    while (!list_is_empty(&due)) {
        struct store_waiter *w = LIST_ITEM(due.next, struct store_waiter, node);
        list_remove(&w->node);
        w->fn(w->arg);
    }
}

static void wake_later(struct history *h)
{
    if (!list_is_empty(&h->waiters))
        loop_defer(h->loop, &h->wake);
}

void history_wait(struct history *h, struct store_waiter *w, uint64_t after)
{
    list_remove(&w->node);
    w->after = after;
    list_add_last(&h->waiters, &w->node);
    if (after < history_newest(h))
        wake_later(h);
}

void history_init(struct history *h, size_t most, struct loop *loop)
{
    *h = (struct history){ .most = most == 0 ? 1 : most, .loop = loop };
    list_init(&h->waiters);
    loop_task_init(&h->wake, on_wake, h);
}

static struct history_slot *slot_of(const struct history *h, uint64_t revision)
{
    return &h->slots[revision & (h->room - 1)];
}

static void drop_first(struct history *h)
{
    MEM_FREE(&slot_of(h, h->first)->texts);
    h->first++;
    h->count--;
}

void history_clear(struct history *h)
{
    while (h->count > 0)
        drop_first(h);
}

void history_fini(struct history *h)
{
    history_clear(h);
    MEM_FREE(&h->slots);
    loop_task_cancel(&h->wake);
    LIST_EACH_SAFE (node, following, &h->waiters) {
        list_remove(node);
    }
}

static void grow(struct history *h)
{
    size_t room = h->room == 0 ? 64 : h->room * 2;
    struct history_slot *slots = mem_new_array(room, sizeof(*slots));
    for (uint64_t r = h->first; r < h->first + h->count; r++)
        slots[r & (room - 1)] = *slot_of(h, r);
    MEM_FREE(&h->slots);
    h->slots = slots;
    h->room = room;
}

static struct history_slot slot_from(const struct entry_head *head, int64_t until)
{
    struct history_slot slot = { .head = *head, .until = until };
    slot.confirmation = until == 0 ? STORE_NOT_ASKED : STORE_PENDING;
    slot.texts = mem_new(head->author.length + head->summary.length);
    if (head->author.length > 0)
        memcpy(slot.texts, head->author.at, head->author.length);
    if (head->summary.length > 0)
        memcpy(slot.texts + head->author.length, head->summary.at, head->summary.length);
    slot.head.author.at = slot.texts;
    slot.head.summary.at = slot.texts + head->author.length;
    return slot;
}

static void trim(struct history *h)
{
    while (h->count > h->most && slot_of(h, h->first)->confirmation != STORE_PENDING)
        drop_first(h);
}

/* ---- entries ---- */

void history_add(struct history *h, const struct entry_head *head, int64_t until)
{
    if (h->count == 0)
        h->first = head->revision;
    MUST(head->revision == h->first + h->count);
    if (h->count == h->room)
        grow(h);
    *slot_of(h, head->revision) = slot_from(head, until);
    h->count++;
    trim(h);
    wake_later(h);
}

uint64_t history_oldest(const struct history *h)
{
    return h->count == 0 ? 0 : h->first;
}

uint64_t history_newest(const struct history *h)
{
    return h->count == 0 ? 0 : h->first + h->count - 1;
}

static bool is_kept(const struct history *h, uint64_t revision)
{
    return h->count > 0 && revision >= h->first && revision - h->first < h->count;
}

static struct store_entry entry_of(const struct history_slot *slot)
{
    return (struct store_entry){ slot->head, slot->confirmation, slot->until };
}

bool history_find(const struct history *h, uint64_t revision, struct store_entry *out)
{
    if (!is_kept(h, revision))
        return false;
    *out = entry_of(slot_of(h, revision));
    return true;
}

size_t history_list(const struct history *h, uint64_t before, size_t size,
                    struct store_entry *entries_out)
{
    uint64_t revision = history_newest(h);
    if (before != 0 && before <= revision)
        revision = before - 1;
    size_t n = 0;
    for (; n < size && is_kept(h, revision); revision--)
        entries_out[n++] = entry_of(slot_of(h, revision));
    return n;
}

bool history_settle(struct history *h, uint64_t revision, enum store_confirmation confirmation)
{
    if (!is_kept(h, revision))
        return false;
    slot_of(h, revision)->confirmation = confirmation;
    trim(h);
    return true;
}

bool history_find_pending(const struct history *h, struct store_entry *out)
{
    bool is_found = false;
    for (uint64_t r = history_oldest(h); is_kept(h, r); r++) {
        const struct history_slot *slot = slot_of(h, r);
        if (slot->confirmation != STORE_PENDING || (is_found && slot->until >= out->confirm_until))
            continue;
        *out = entry_of(slot);
        is_found = true;
    }
    return is_found;
}
