/* SPDX-License-Identifier: Apache-2.0 */
#include "gatewayd/policy/turns.h"

#include <stdlib.h>
#include <string.h>

#include "conf/base/mem.h"

struct turns_retired {
    turns_free_fn *free_fn;
    void *owner;
    uint64_t what;
};

struct turns *turns_new(size_t threads)
{
    struct turns *turns = mem_new(sizeof(*turns));
    size_t size = (threads + 1) * sizeof(struct turn);
    turns->each = aligned_alloc(_Alignof(struct turn), size);
    MUST(turns->each != NULL);
    memset(turns->each, 0, size);
    turns->count = threads;
    return turns;
}

void turns_free(struct turns **turns)
{
    if (*turns == NULL)
        return;
    free((*turns)->each);
    MEM_FREE(turns);
}

void turns_watch(struct turns *turns, size_t thread, const _Atomic uint64_t *counter)
{
    turns_get(turns, thread)->watched = counter;
}

static uint64_t count_of(const struct turn *turn)
{
    return atomic_load(turn->watched != NULL ? turn->watched : &turn->count);
}

void turns_queue_init(struct turns_queue *q, struct turns *turns)
{
    *q = (struct turns_queue){ .turns = turns };
    q->seen = mem_new_array(turns->count + 1, sizeof(*q->seen));
}

static struct turns_retired take_first(struct turns_queue *q)
{
    struct turns_retired item = q->items[q->first];
    q->first = (q->first + 1) & (q->size - 1);
    q->count--;
    return item;
}

void turns_queue_fini(struct turns_queue *q)
{
    while (q->count > 0) {
        struct turns_retired item = take_first(q);
        item.free_fn(item.owner, item.what);
    }
    MEM_FREE(&q->items);
    MEM_FREE(&q->seen);
}

static void grow(struct turns_queue *q)
{
    size_t size = q->size == 0 ? 64 : q->size * 2;
    struct turns_retired *items = mem_new_array(size, sizeof(*items));
    for (size_t i = 0; i < q->count; i++)
        items[i] = q->items[(q->first + i) & (q->size - 1)];
    MEM_FREE(&q->items);
    q->items = items;
    q->size = size;
    q->first = 0;
}

void turns_retire(struct turns_queue *q, turns_free_fn *free_fn, void *owner, uint64_t what)
{
    if (q->count == q->size)
        grow(q);
    q->items[(q->first + q->count) & (q->size - 1)] =
        (struct turns_retired){ free_fn, owner, what };
    q->count++;
}

static void close_batch(struct turns_queue *q)
{
    for (size_t i = 0; i < q->turns->count; i++)
        q->seen[i] = count_of(&q->turns->each[i]);
    q->batch = q->count;
}

/* A thread that was outside a turn, or has ended the one it was in, can see nothing of the batch.
 */
static bool batch_has_passed(struct turns_queue *q)
{
    for (size_t i = 0; i < q->turns->count; i++) {
        if ((q->seen[i] & 1) == 0)
            continue;
        if (count_of(&q->turns->each[i]) == q->seen[i])
            return false;
        q->seen[i] = 0;
    }
    return true;
}

size_t turns_tidy(struct turns_queue *q, size_t most)
{
    while (q->count > 0 && most > 0) {
        if (q->batch == 0)
            close_batch(q);
        if (!batch_has_passed(q))
            break;
        for (; q->batch > 0 && most > 0; q->batch--, most--) {
            struct turns_retired item = take_first(q);
            item.free_fn(item.owner, item.what);
        }
    }
    return q->count;
}
