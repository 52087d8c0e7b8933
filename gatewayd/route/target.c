/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target.c - seats, states and the table of targets.
 */
#include "gatewayd/route/target.h"

#include <stdio.h>

#include "conf/base/builder.h"
#include "conf/base/mem.h"

#define SHARE_MINIMUM 100u /* thousandths: who gets nothing never warms up */
#define SHARE_FULL    1000u

/* ---- seats ---- */

bool target_try_take(struct target *t, unsigned maximum)
{
    unsigned taken = atomic_load_explicit(&t->in_flight, memory_order_relaxed);

    if (maximum == 0) {
        atomic_fetch_add_explicit(&t->in_flight, 1, memory_order_relaxed);
    } else {
        do {
            if (taken >= maximum)
                return false;
        } while (!atomic_compare_exchange_weak_explicit(
            &t->in_flight, &taken, taken + 1, memory_order_relaxed, memory_order_relaxed));
    }
    atomic_fetch_add_explicit(&t->requests, 1, memory_order_relaxed);
    return true;
}

void target_give(struct target *t)
{
    MUST(atomic_fetch_sub_explicit(&t->in_flight, 1, memory_order_relaxed) > 0);
}

struct target *target_ref(struct target *t)
{
    atomic_fetch_add_explicit(&t->count, 1, memory_order_relaxed);
    return t;
}

void target_unref(struct target **t)
{
    if (*t == NULL)
        return;
    MUST(atomic_fetch_sub_explicit(&(*t)->count, 1, memory_order_acq_rel) > 1);
    *t = NULL;
}

/* ---- questions ---- */

bool target_is_ejected(const struct target *t, int64_t now)
{
    return atomic_load_explicit(&t->ejected_until, memory_order_relaxed) > now;
}

bool target_is_serving(const struct target *t, int64_t now)
{
    return atomic_load_explicit(&t->state, memory_order_relaxed) == TARGET_UP &&
           !target_is_ejected(t, now);
}

unsigned target_share(const struct target *t, int64_t now, int64_t slow_start)
{
    int64_t since;
    int64_t ejected;
    unsigned share;

    if (slow_start == 0)
        return SHARE_FULL;
    since = atomic_load_explicit(&t->serving_since, memory_order_relaxed);
    ejected = atomic_load_explicit(&t->ejected_until, memory_order_relaxed);
    if (ejected > since)
        since = ejected;
    if (now - since >= slow_start)
        return SHARE_FULL;
    if (now <= since)
        return SHARE_MINIMUM;
    share = (unsigned)((now - since) * SHARE_FULL / slow_start);
    return share > SHARE_MINIMUM ? share : SHARE_MINIMUM;
}

/* ---- states ---- */

const char *target_state_name(enum target_state state)
{
    static const char *const names[] = {
        [TARGET_UNKNOWN] = "unknown",
        [TARGET_UP] = "up",
        [TARGET_DOWN] = "down",
    };

    return names[state];
}

bool target_set_state(struct target *t, enum target_state state, const char *because, int64_t now,
                      int64_t wall)
{
    enum target_state before = atomic_load_explicit(&t->state, memory_order_relaxed);

    (void)snprintf(t->because, sizeof(t->because), "%s", because);
    if (before == state)
        return false;
    t->since = wall;
    if (state == TARGET_UP)
        atomic_store_explicit(&t->serving_since, now, memory_order_relaxed);
    atomic_store_explicit(&t->state, (unsigned char)state, memory_order_relaxed);
    metrics_set(t->metrics, METRIC_TARGET_HEALTHY, state == TARGET_UP);
    return true;
}

/* ---- the table ---- */

void target_table_init(struct target_table *table)
{
    map_init(&table->by_identity);
    map_init(&table->memories);
}

static void free_target(struct target *t)
{
    metrics_set(t->metrics, METRIC_TARGET_HEALTHY, 0);
    metrics_block_unref(&t->metrics);
    MEM_FREE(&t->identity);
    MEM_FREE(&t);
}

void target_table_fini(struct target_table *table)
{
    struct map_entry *entry;

    for (size_t i = 0; map_next(&table->by_identity, &i, &entry);) {
        struct target *t = entry->value;

        MUST(atomic_load(&t->count) == 1);
        free_target(t);
    }
    map_fini(&table->by_identity);
    target_table_forget(table);
}

/* ---- from process to process ---- */

struct remembered {
    struct target_memory memory;
    char *identity;
};

static void free_remembered(struct remembered *r)
{
    if (r != NULL)
        MEM_FREE(&r->identity);
    MEM_FREE(&r);
}

void target_table_remember(struct target_table *table, struct text identity,
                           const struct target_memory *memory)
{
    struct remembered *r = mem_new(sizeof(*r));

    r->memory = *memory;
    r->identity = mem_copy_text(identity.at, identity.length);
    free_remembered(map_remove(&table->memories, identity));
    (void)map_set(&table->memories, text_from(r->identity, identity.length), r);
}

void target_table_forget(struct target_table *table)
{
    struct map_entry *entry;

    for (size_t i = 0; map_next(&table->memories, &i, &entry);) {
        free_remembered(entry->value);
    }
    map_fini(&table->memories);
    map_init(&table->memories);
}

struct target_memory target_memorise(const struct target *t)
{
    struct target_memory m = {
        .state = atomic_load_explicit(&t->state, memory_order_relaxed),
        .since = t->since,
        .serving_since = atomic_load_explicit(&t->serving_since, memory_order_relaxed),
        .ejected_until = atomic_load_explicit(&t->ejected_until, memory_order_relaxed),
    };

    memcpy(m.because, t->because, sizeof(m.because));
    return m;
}

static void recall(const struct target_table *table, struct target *t, struct text identity)
{
    const struct remembered *r = map_find(&table->memories, identity);
    const struct target_memory *m = r == NULL ? NULL : &r->memory;

    if (m == NULL)
        return;
    atomic_store(&t->serving_since, m->serving_since);
    atomic_store(&t->ejected_until, m->ejected_until);
    /* Without checks it is up, whatever checks said. */
    if (atomic_load(&t->state) != TARGET_UNKNOWN || m->state == TARGET_UNKNOWN)
        return;
    atomic_store(&t->state, (unsigned char)m->state);
    t->since = m->since;
    memcpy(t->because, m->because, sizeof(t->because));
    metrics_set(t->metrics, METRIC_TARGET_HEALTHY, m->state == TARGET_UP);
}

static void add_tls(struct builder *b, const struct upstream_tls *tls)
{
    if (tls == NULL)
        return;
    builder_addf(b, "\n%d", tls->verify);
    builder_add_json(b, tls->server_name);
    builder_add_json(b, tls->ca);
    builder_add_json(b, tls->cert);
    builder_add_json(b, tls->key);
}

/* One block of text: the identity, then what the target shows, each with a NUL. Other TLS settings
 * make another target, so that no connection made under the old ones is used again. */
static struct text print_identity(const struct target_facts *facts, struct text shown,
                                  struct builder *b)
{
    builder_init(b, 1024 * 1024);
    builder_addf(b, "%.*s\n%.*s\n%.*s", TEXT_ARGS(facts->upstream->name),
                 TEXT_ARGS(facts->configured->address), TEXT_ARGS(shown));
    add_tls(b, facts->upstream->tls);
    return builder_text(b);
}

/* The texts of a target are parts of its identity. */
static struct target *make(const struct target_facts *facts, struct text identity,
                           struct text shown)
{
    struct target *t = mem_new(sizeof(*t));
    struct text rest;
    struct text labels[2];

    t->identity = mem_copy_text(identity.at, identity.length);
    rest = text_from(t->identity, identity.length);
    MUST(text_cut(&rest, '\n', &t->upstream) && text_cut(&rest, '\n', &t->written));
    t->shown = text_first(rest, shown.length);
    t->host = facts->configured->at.host;
    t->host.at = t->written.at + (facts->configured->at.host.at - facts->configured->address.at);
    t->address = *facts->address;
    t->seed = text_hash_stable(identity);
    labels[0] = t->upstream;
    labels[1] = t->shown;
    t->metrics = metrics_block_new(METRICS_TARGET, labels);
    t->since = facts->wall;
    atomic_init(&t->count, 1);
    atomic_init(&t->serving_since, facts->now);
    atomic_init(&t->state, facts->upstream->health == NULL ? TARGET_UP : TARGET_UNKNOWN);
    metrics_set(t->metrics, METRIC_TARGET_HEALTHY, facts->upstream->health == NULL);
    return t;
}

struct target *target_table_take(struct target_table *table, const struct target_facts *facts)
{
    char into[ADDRESS_TEXT_SIZE];
    struct text shown = address_print(facts->address, into);
    struct builder b;
    struct text identity = print_identity(facts, shown, &b);
    struct target *t = map_find(&table->by_identity, identity);

    if (t == NULL) {
        t = make(facts, identity, shown);
        recall(table, t, identity);
        (void)map_set(&table->by_identity, text_from(t->identity, identity.length), t);
    }
    builder_fini(&b);
    return target_ref(t);
}

void target_table_sweep(struct target_table *table)
{
    struct target **dead = mem_new_array(table->by_identity.count + 1, sizeof(*dead));
    struct map_entry *entry;
    size_t count = 0;

    for (size_t i = 0; map_next(&table->by_identity, &i, &entry);) {
        struct target *t = entry->value;

        if (atomic_load_explicit(&t->count, memory_order_acquire) == 1)
            dead[count++] = t;
    }
    for (size_t i = 0; i < count; i++) {
        (void)map_remove(&table->by_identity, text_of(dead[i]->identity));
        free_target(dead[i]);
    }
    MEM_FREE(&dead);
}
