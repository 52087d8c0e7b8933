/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop_timer.c - a hierarchical wheel of deadlines, five levels of 64 slots, one millisecond fine.
 *
 * A timer that is postponed stays where it is; when its slot comes up it is placed again by its
 * real deadline. So a connection that is busy all the time costs one look per timeout, and a
 * request costs none.
 */
#include <event2/event.h>

#include "gatewayd/core/loop_private.h"

#define LEVEL_BITS 6
#define SLOT_MASK  (LOOP_WHEEL_SLOTS - 1)

/* In no slot: being fired. */
#define LEVEL_NONE LOOP_WHEEL_LEVELS

void loop_wheel_init(struct loop *loop)
{
    loop->wheel_ms = loop_now_ms(loop);
    loop->wake_at = UINT64_MAX;
    for (int level = 0; level < LOOP_WHEEL_LEVELS; level++)
        for (int slot = 0; slot < LOOP_WHEEL_SLOTS; slot++)
            list_init(&loop->wheel[level][slot]);
}

static unsigned level_of(uint64_t distance)
{
    unsigned level = 0;
    while (level < LOOP_WHEEL_LEVELS - 1 && distance >> (LEVEL_BITS * (level + 1)) != 0)
        level++;
    return level;
}

static void leave_slot(struct loop_timer *t)
{
    list_remove(&t->node);
    if (t->level == LEVEL_NONE)
        return;
    if (list_is_empty(&t->loop->wheel[t->level][t->slot]))
        t->loop->wheel_filled[t->level] &= ~(UINT64_C(1) << t->slot);
}

static void enter_slot(struct loop_timer *t)
{
    struct loop *loop = t->loop;
    const uint64_t farthest = (UINT64_C(1) << (LEVEL_BITS * LOOP_WHEEL_LEVELS)) - 1;
    uint64_t at = t->due_ms > loop->wheel_ms ? t->due_ms : loop->wheel_ms + 1;
    if (at - loop->wheel_ms > farthest)
        at = loop->wheel_ms + farthest;

    unsigned level = level_of(at - loop->wheel_ms);
    uint64_t look = at >> (LEVEL_BITS * level);
    t->level = (unsigned char)level;
    t->slot = (unsigned char)(look & SLOT_MASK);
    t->placed_ms = at;
    list_add_last(&loop->wheel[level][t->slot], &t->node);
    loop->wheel_filled[level] |= UINT64_C(1) << t->slot;

    look <<= LEVEL_BITS * level;
    if (look < loop->wake_at) {
        loop->wake_at = look;
        loop->wake_is_stale = true;
    }
}

/* The first time after .wheel_ms at which a filled slot comes up. */
static uint64_t next_look(const struct loop *loop)
{
    uint64_t next = UINT64_MAX;
    for (unsigned level = 0; level < LOOP_WHEEL_LEVELS; level++) {
        uint64_t filled = loop->wheel_filled[level];
        if (filled == 0)
            continue;
        uint64_t now = loop->wheel_ms >> (LEVEL_BITS * level);
        unsigned from = (unsigned)(now + 1) & SLOT_MASK;
        uint64_t turned = from == 0 ? filled : filled >> from | filled << (LOOP_WHEEL_SLOTS - from);
        uint64_t look = (now + 1 + (unsigned)__builtin_ctzll(turned)) << (LEVEL_BITS * level);
        if (look < next)
            next = look;
    }
    return next;
}

static void fire(struct loop_timer *t)
{
    list_remove(&t->node);
    t->is_started = false;
    t->fn(t->arg);
}

/* Firing one may stop or restart any other, so they are taken from the front one by one. */
static void empty_slot(struct loop *loop, unsigned level, unsigned slot)
{
    struct list *slot_list = &loop->wheel[level][slot];
    if (list_is_empty(slot_list))
        return;

    struct list taken;
    list_add_after(slot_list, &taken);
    list_remove(slot_list);
    loop->wheel_filled[level] &= ~(UINT64_C(1) << slot);
    LIST_EACH (node, &taken)
        LIST_ITEM(node, struct loop_timer, node)->level = LEVEL_NONE;

    while (!list_is_empty(&taken)) {
        struct loop_timer *t = LIST_ITEM(taken.next, struct loop_timer, node);
        if (t->due_ms <= loop->wheel_ms) {
            fire(t);
            continue;
        }
        list_remove(&t->node);
        enter_slot(t);
    }
}

static void look_at(struct loop *loop, uint64_t ms)
{
    loop->wheel_ms = ms;
    for (unsigned level = LOOP_WHEEL_LEVELS; level-- > 0;) {
        uint64_t look = ms >> (LEVEL_BITS * level);
        if (look << (LEVEL_BITS * level) == ms)
            empty_slot(loop, level, (unsigned)look & SLOT_MASK);
    }
}

void loop_wheel_advance(struct loop *loop)
{
    uint64_t now = loop_now_ms(loop);
    if (LIKELY(now < loop->wake_at)) {
        /* Nothing comes up until then, so nothing is skipped. */
        loop->wheel_ms = now;
        return;
    }
    for (uint64_t look = next_look(loop); look <= now; look = next_look(loop))
        look_at(loop, look);
    loop->wheel_ms = now;
    loop->wake_at = next_look(loop);
    loop->wake_is_stale = true;
}

void loop_timer_init(struct loop_timer *t, struct loop *loop, loop_fn *fn, void *arg)
{
    *t = (struct loop_timer){ .loop = loop, .fn = fn, .arg = arg };
    list_init(&t->node);
}

void loop_timer_place(struct loop_timer *t)
{
    if (t->is_started)
        leave_slot(t);
    t->is_started = true;
    enter_slot(t);
}

void loop_timer_stop(struct loop_timer *t)
{
    if (!t->is_started)
        return;
    t->is_started = false;
    leave_slot(t);
}
