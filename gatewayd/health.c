/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health.c - which target is checked when, and what the outcomes mean.
 *
 *   resting --timer--> queued --a place is free--> running --verdict--> resting
 */
#include "gatewayd/health.h"

#include <stdio.h>

#include "conf/base/digest.h"
#include "conf/base/mem.h"
#include "gatewayd/core/log.h"
#include "gatewayd/health_private.h"
#include "gatewayd/net/tls.h"

#define NAME_SIZE 600

struct check {
    struct health *health;
    struct target *target;      /* counted */
    struct resource *resource;  /* of its upstream; counted */
    struct tls_client *tls;     /* counted; NULL: plain */
    uint64_t round;             /* the last health_follow that had it */
    struct loop_timer timer;    /* resting */
    struct list queued;         /* in health->first or health->due */
    struct health_probe *probe; /* running */
    struct resource *asked;     /* whose settings the probe looks at; counted */
    bool is_new;                /* no check of it has ended yet */
    bool is_spread;             /* its place within the interval is drawn */
    unsigned good;              /* in a row */
    unsigned bad;
};

struct health {
    struct loop *loop;
    struct map checks; /* identity of the target → struct check */
    struct list first; /* waiting for a place: new targets */
    struct list due;   /* and the others */
    unsigned running;
    unsigned unsettled;
    uint64_t round;
    struct loop_task settled_task;
    health_settled_fn *settled;
    void *settled_arg;
    struct log_scope scope;
};

static void run_queued(struct health *h);

static const struct upstream *upstream_of(const struct check *c)
{
    return c->resource->upstream;
}

/* ---- what an outcome means ---- */

/* "target api.internal:80 (10.0.0.7:80) of upstream api"; the address unless it is the name. */
static void print_target(const struct target *t, char into[NAME_SIZE])
{
    bool is_literal = text_equals(t->written, t->shown);

    (void)snprintf(into, NAME_SIZE, "target %.*s%s%.*s%s of upstream %.*s", TEXT_ARGS(t->written),
                   is_literal ? "" : " (", TEXT_ARGS(is_literal ? TEXT_EMPTY : t->shown),
                   is_literal ? "" : ")", TEXT_ARGS(t->upstream));
}

static void change_state(struct check *c, enum target_state state, const char *because)
{
    struct target *t = c->target;
    const struct clock *clock = &c->health->loop->clock;
    char name[NAME_SIZE];
    bool was_new = atomic_load_explicit(&t->state, memory_order_relaxed) == TARGET_UNKNOWN;

    if (!target_set_state(t, state, because, (int64_t)clock_ms(clock), clock_wall_ms(clock)))
        return;
    print_target(t, name);
    if (state == TARGET_DOWN)
        log_warn(&c->health->scope, "%s is down because %s", name, because);
    else
        log_info(&c->health->scope, "%s is %s because %s", name, was_new ? "up" : "up again",
                 because);
}

/* The first check of a new target decides alone. */
static void judge(struct check *c, bool is_good, const char *because)
{
    const struct upstream_health *health = upstream_of(c)->health;
    enum target_state state = atomic_load_explicit(&c->target->state, memory_order_relaxed);

    c->good = is_good ? c->good + 1 : 0;
    c->bad = is_good ? 0 : c->bad + 1;
    if (is_good && (state == TARGET_UNKNOWN || c->good >= (unsigned)health->healthy_after))
        change_state(c, TARGET_UP, because);
    if (!is_good && (state != TARGET_UP || c->bad >= (unsigned)health->unhealthy_after))
        change_state(c, TARGET_DOWN, because);
}

static void settle(struct check *c)
{
    struct health *h = c->health;

    if (!c->is_new)
        return;
    c->is_new = false;
    h->unsettled--;
    if (h->unsettled == 0 && h->settled != NULL)
        loop_defer(h->loop, &h->settled_task);
}

/* ---- when ---- */

/* 0 to `most` */
static int64_t draw(int64_t most)
{
    uint64_t random;

    digest_random(&random, sizeof(random));
    return (int64_t)(random % ((uint64_t)most + 1));
}

/* After the first check at a random moment, so that checks spread; then a tenth around the
 * interval, so that they stay spread. */
static void rest(struct check *c)
{
    int64_t interval = upstream_of(c)->health->interval;
    int64_t pause = interval - interval / 10 + draw(interval / 5);

    if (!c->is_spread)
        pause = draw(interval);
    c->is_spread = true;
    loop_timer_start(&c->timer, (uint64_t)pause);
}

static void end_probe(struct check *c)
{
    c->probe = NULL;
    c->health->running--;
    resource_unref(&c->asked);
}

/* Nothing is known of the target: what was known holds, a new one stays new. */
static void note_shortage(const struct check *c, const char *because)
{
    metrics_add(metrics_node(), METRIC_CONNECTS_NO_RESOURCE, 1);
    log_debug(&c->health->scope, "target %.*s could not be checked: %s",
              TEXT_ARGS(c->target->shown), because);
}

static void on_verdict(void *arg, enum health_verdict verdict, const char *because)
{
    struct check *c = arg;
    struct health *h = c->health;

    end_probe(c);
    if (verdict == HEALTH_NONE) {
        note_shortage(c, because);
    } else {
        judge(c, verdict == HEALTH_GOOD, because);
        settle(c);
    }
    rest(c);
    run_queued(h);
}

static void run(struct check *c)
{
    const struct upstream *upstream = upstream_of(c);
    struct health_question question = {
        .type = upstream->health->type == UPSTREAM_HEALTH_TCP ? &health_tcp : &health_http,
        .target = c->target,
        .health = upstream->health,
        .tls = c->tls,
        .server_name = c->target->host,
    };

    if (upstream->tls != NULL && upstream->tls->server_name.length > 0)
        question.server_name = upstream->tls->server_name;
    c->health->running++;
    c->asked = resource_ref(c->resource);
    c->probe = health_probe_start(c->health->loop, &question, on_verdict, c);
}

static void run_queued(struct health *h)
{
    while (h->running < HEALTH_AT_ONCE) {
        struct list *queue = list_is_empty(&h->first) ? &h->due : &h->first;
        struct check *c;

        if (list_is_empty(queue))
            return;
        c = LIST_ITEM(queue->next, struct check, queued);
        list_remove(&c->queued);
        run(c);
    }
}

static void on_due(void *arg)
{
    struct check *c = arg;

    list_add_last(c->is_new ? &c->health->first : &c->health->due, &c->queued);
    run_queued(c->health);
}

/* ---- what is checked ---- */

static void stop(struct check *c)
{
    if (c->probe != NULL) {
        health_probe_stop(&c->probe);
        end_probe(c);
    }
    loop_timer_stop(&c->timer);
    list_remove(&c->queued);
}

static void free_check(struct check *c)
{
    stop(c);
    settle(c);
    (void)map_remove(&c->health->checks, text_of(c->target->identity));
    if (c->tls != NULL)
        tls_client_unref(&c->tls);
    resource_unref(&c->resource);
    target_unref(&c->target);
    MEM_FREE(&c);
}

static struct check *make_check(struct health *h, struct target *target)
{
    struct check *c = mem_new(sizeof(*c));

    c->health = h;
    c->target = target_ref(target);
    c->is_new = atomic_load_explicit(&target->state, memory_order_relaxed) == TARGET_UNKNOWN;
    h->unsettled += c->is_new;
    list_init(&c->queued);
    loop_timer_init(&c->timer, h->loop, on_due, c);
    (void)map_set(&h->checks, text_of(target->identity), c);
    return c;
}

static bool has_same_expect(const struct texts *a, const struct texts *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!text_equals(a->items[i], b->items[i]))
            return false;
    }
    return true;
}

static bool has_same_settings(const struct upstream_health *a, const struct upstream_health *b)
{
    return a->type == b->type && text_equals(a->path, b->path) && text_equals(a->host, b->host) &&
           a->interval == b->interval && a->timeout == b->timeout &&
           has_same_expect(&a->expect, &b->expect);
}

/* Other settings apply at once; when it is something else of the upstream that changed, the rhythm
 * goes on. */
static void configure(struct check *c, const struct fleet *fleet)
{
    struct resource *before = c->resource;

    if (before == fleet->resource && c->tls == fleet->tls)
        return;
    c->resource = resource_ref(fleet->resource);
    if (before == NULL || c->tls != fleet->tls ||
        !has_same_settings(before->upstream->health, fleet->upstream->health)) {
        stop(c);
        c->is_spread = false;
        loop_timer_start(&c->timer, 0);
    }
    if (c->tls != NULL)
        tls_client_unref(&c->tls);
    c->tls = fleet->tls == NULL ? NULL : tls_client_ref(fleet->tls);
    if (before != NULL)
        resource_unref(&before);
}

static void follow_fleet(struct health *h, const struct fleet *fleet)
{
    for (unsigned i = 0; i < fleet->member_count; i++) {
        struct target *t = fleet->members[i].target;
        struct check *c = map_find(&h->checks, text_of(t->identity));

        if (c == NULL)
            c = make_check(h, t);
        c->round = h->round;
        configure(c, fleet);
    }
}

/* Without checks there is no reason to think badly of anybody. */
static void trust_fleet(struct health *h, const struct fleet *fleet)
{
    const struct clock *clock = &h->loop->clock;

    for (unsigned i = 0; i < fleet->member_count; i++)
        (void)target_set_state(fleet->members[i].target, TARGET_UP, "", (int64_t)clock_ms(clock),
                               clock_wall_ms(clock));
}

static void drop_others(struct health *h)
{
    struct check **gone = mem_new_array(h->checks.count + 1, sizeof(struct check *));
    struct map_entry *entry;
    size_t count = 0;

    for (size_t i = 0; map_next(&h->checks, &i, &entry);) {
        struct check *c = entry->value;

        if (c->round != h->round)
            gone[count++] = c;
    }
    for (size_t i = 0; i < count; i++)
        free_check(gone[i]);
    MEM_FREE(&gone);
}

void health_follow(struct health *h, const struct snapshot *snapshot)
{
    h->round++;
    for (size_t i = 0; i < snapshot->fleet_slots; i++) {
        const struct fleet *fleet = snapshot->fleets[i];

        if (fleet == NULL)
            continue;
        if (fleet->upstream->health != NULL)
            follow_fleet(h, fleet);
        else
            trust_fleet(h, fleet);
    }
    drop_others(h);
    run_queued(h);
}

bool health_is_settled(const struct health *h)
{
    return h->unsettled == 0;
}

void health_on_settled(struct health *h, health_settled_fn *fn, void *arg)
{
    h->settled = fn;
    h->settled_arg = arg;
}

static void say_settled(void *arg)
{
    struct health *h = arg;

    if (h->unsettled == 0 && h->settled != NULL)
        h->settled(h->settled_arg);
}

/* ---- life ---- */

struct health *health_new(struct loop *loop)
{
    struct health *h = mem_new(sizeof(*h));

    h->loop = loop;
    h->scope.subject = LOG_SUBJECT_health;
    map_init(&h->checks);
    list_init(&h->first);
    list_init(&h->due);
    loop_task_init(&h->settled_task, say_settled, h);
    return h;
}

void health_free(struct health **h)
{
    if (*h == NULL)
        return;
    (*h)->round++;
    (*h)->settled = NULL;
    drop_others(*h);
    loop_task_cancel(&(*h)->settled_task);
    map_fini(&(*h)->checks);
    MEM_FREE(h);
}
