/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_ring.c - bytes from one thread to the writer.
 */
#include <pthread.h>

#include "conf/base/mem.h"
#include "gatewayd/core/log_private.h"

static const size_t sizes[LOG_RING_KINDS] = {
    [LOG_RING_LINES] = 64 * 1024,
    [LOG_RING_ACCESS] = 512 * 1024,
};

static _Atomic(struct log_ring *) first;
static __thread struct log_ring *mine[LOG_RING_KINDS];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_thread_end;

static void on_thread_end(void *unused)
{
    for (int kind = 0; kind < LOG_RING_KINDS; kind++) {
        if (mine[kind] != NULL)
            atomic_store_explicit(&mine[kind]->is_owned, false, memory_order_release);
        mine[kind] = NULL;
    }
}

static void make_key(void)
{
    MUST(pthread_key_create(&at_thread_end, on_thread_end) == 0);
}

static struct log_ring *find_unowned(enum log_ring_kind kind)
{
    for (struct log_ring *r = log_ring_first(); r != NULL; r = r->next) {
        bool owned = false;
        if (r->kind == kind && atomic_compare_exchange_strong(&r->is_owned, &owned, true))
            return r;
    }
    return NULL;
}

static struct log_ring *make_ring(enum log_ring_kind kind)
{
    struct log_ring *r = mem_new(sizeof(*r) + sizes[kind]);
    r->kind = kind;
    r->size = sizes[kind];
    atomic_init(&r->is_owned, true);
    r->next = atomic_load(&first);
    while (!atomic_compare_exchange_weak(&first, &r->next, r))
        continue;
    return r;
}

struct log_ring *log_ring_get(enum log_ring_kind kind)
{
    if (LIKELY(mine[kind] != NULL))
        return mine[kind];
    struct log_ring *r = find_unowned(kind);
    if (r == NULL)
        r = make_ring(kind);
    mine[kind] = r;
    MUST(pthread_once(&once, make_key) == 0);
    MUST(pthread_setspecific(at_thread_end, r) == 0);
    return r;
}

struct log_ring *log_ring_first(void)
{
    return atomic_load_explicit(&first, memory_order_acquire);
}

bool log_ring_try_write(struct log_ring *r, struct text line)
{
    uint64_t written = atomic_load_explicit(&r->written, memory_order_relaxed);
    uint64_t taken = atomic_load_explicit(&r->taken, memory_order_acquire);
    if (line.length > r->size - (written - taken))
        return false;

    size_t at = written & (r->size - 1);
    size_t until_end = r->size - at;
    size_t head = line.length < until_end ? line.length : until_end;
    memcpy(r->bytes + at, line.at, head);
    memcpy(r->bytes, line.at + head, line.length - head);
    /* In one order with the writer's falling asleep (log_writer.c). */
    atomic_store(&r->written, written + line.length);
    return true;
}

size_t log_ring_peek(struct log_ring *r, struct text pieces[2])
{
    uint64_t written = atomic_load(&r->written);
    uint64_t taken = atomic_load_explicit(&r->taken, memory_order_relaxed);
    size_t bytes = written - taken;
    size_t at = taken & (r->size - 1);
    size_t until_end = r->size - at;
    size_t head = bytes < until_end ? bytes : until_end;
    pieces[0] = text_from(r->bytes + at, head);
    pieces[1] = text_from(r->bytes, bytes - head);
    return bytes;
}

void log_ring_remove(struct log_ring *r, size_t bytes)
{
    uint64_t taken = atomic_load_explicit(&r->taken, memory_order_relaxed);
    atomic_store_explicit(&r->taken, taken + bytes, memory_order_release);
}
