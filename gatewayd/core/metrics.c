/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.c - cells, and the blocks they live in.
 */
#include "gatewayd/core/metrics.h"

#include <pthread.h>

#include "conf/base/builder.h"
#include "conf/base/map.h"
#include "conf/base/mem.h"
#include "gatewayd/core/metrics_private.h"

#define CELLS_PER_LINE 8 /* of the cache: threads do not share one */
#define SOURCES_MAX    32
#define VECTORS_MAX    32
#define LABELS_MAX     4096

const struct metrics_scope_row metrics_scopes[METRICS_SCOPE_COUNT] = {
#define SCOPE(name) .first = METRICS_##name##_FIRST_, .end = METRICS_##name##_END_
    [METRICS_NODE] = { SCOPE(NODE), .max_blocks = 1 },
    [METRICS_LISTENER] = { SCOPE(LISTENER), .max_blocks = 256, .labels = { "listener" } },
    [METRICS_ADDRESS] = { SCOPE(ADDRESS), .max_blocks = 256, .labels = { "address" } },
    [METRICS_ROUTE] = { SCOPE(ROUTE), .max_blocks = 2000, .labels = { "route" } },
    [METRICS_UPSTREAM] = { SCOPE(UPSTREAM), .max_blocks = 2000, .labels = { "upstream" } },
    [METRICS_TARGET] = { SCOPE(TARGET), .max_blocks = 5000, .labels = { "upstream", "target" } },
#undef SCOPE
};

const struct metrics_row metrics_rows[] = {
#define SCOPE_BEGIN(s)
#define SCOPE_END(s)
#define COUNTER(id, n, l, h)      { METRICS_COUNTER, METRIC_##id, 1, n, l, h },
#define GAUGE(id, n, l, h)        { METRICS_GAUGE, METRIC_##id, 1, n, l, h },
#define HISTOGRAM(id, n, l, h)    { METRICS_HISTOGRAM, METRIC_##id, METRICS_HISTOGRAM_CELLS, n, l, h },
#define VECTOR(id, n, l, size, h) { METRICS_VECTOR, METRIC_##id, size, n, l, h },
#include "gatewayd/core/metrics.def"
#undef SCOPE_BEGIN
#undef SCOPE_END
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
#undef VECTOR
};
const size_t metrics_row_count = ARRAY_LENGTH(metrics_rows);

const uint64_t metrics_bounds[METRICS_BOUND_COUNT] = METRICS_BOUNDS;

__thread unsigned metrics_slot;

static struct {
    unsigned slots;
    struct metrics_block *blocks[METRICS_SCOPE_COUNT];
    unsigned block_counts[METRICS_SCOPE_COUNT];
    struct map by_labels[METRICS_SCOPE_COUNT];
    struct metrics_block *node;
    struct {
        metrics_source_fn *fn;
        void *arg;
    } sources[SOURCES_MAX];
    unsigned source_count;
    struct {
        unsigned cell;
        unsigned count;
        const char *const *names;
    } vectors[VECTORS_MAX];
    unsigned vector_count;
    pthread_mutex_t lock;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

void metrics_lock(void)
{
    pthread_mutex_lock(&all.lock);
}

void metrics_unlock(void)
{
    pthread_mutex_unlock(&all.lock);
}

/* ---- blocks --------------------------------------------------------------------------------- */

static struct metrics_block *make_block(enum metrics_scope scope, struct text labels)
{
    const struct metrics_scope_row *row = &metrics_scopes[scope];
    struct metrics_block *b = mem_new(sizeof(*b));
    b->scope = scope;
    b->count = 1;
    b->base = row->first;
    b->cells = row->end - row->first;
    b->stride = (b->cells + CELLS_PER_LINE - 1) / CELLS_PER_LINE * CELLS_PER_LINE;
    b->labels = mem_copy_text(labels.at, labels.length);
    b->at = mem_new_array((size_t)(all.slots + 1) * b->stride, sizeof(*b->at));
    b->next = all.blocks[scope];
    all.blocks[scope] = b;
    all.block_counts[scope]++;
    map_set(&all.by_labels[scope], text_of(b->labels), b);
    return b;
}

static void free_block(struct metrics_block *b)
{
    struct metrics_block **link = &all.blocks[b->scope];
    while (*link != b)
        link = &(*link)->next;
    *link = b->next;
    all.block_counts[b->scope]--;
    map_remove(&all.by_labels[b->scope], text_of(b->labels));
    MEM_FREE(&b->labels);
    MEM_FREE(&b->at);
    MEM_FREE(&b);
}

static void print_labels(struct builder *b, enum metrics_scope scope, const struct text *values)
{
    for (unsigned i = 0; i < ARRAY_LENGTH(metrics_scopes[scope].labels); i++)
        if (metrics_scopes[scope].labels[i] != NULL)
            metrics_print_label(b, metrics_scopes[scope].labels[i], values[i]);
}

static struct metrics_block *get_block(enum metrics_scope scope, const struct text *values)
{
    struct builder labels;
    builder_init(&labels, LABELS_MAX);
    print_labels(&labels, scope, values);
    struct metrics_block *found = map_find(&all.by_labels[scope], builder_text(&labels));
    if (found != NULL)
        found->count++;
    else if (all.block_counts[scope] < metrics_scopes[scope].max_blocks &&
             !builder_is_full(&labels))
        found = make_block(scope, builder_text(&labels));
    builder_fini(&labels);
    return found;
}

struct metrics_block *metrics_block_new(enum metrics_scope scope, const struct text *values)
{
    static const struct text other[] = { TEXT("_other"), TEXT("_other") };
    MUST(all.node != NULL && scope != METRICS_NODE);
    metrics_lock();
    struct metrics_block *b = get_block(scope, values);
    if (b == NULL) {
        all.block_counts[scope]--; /* there is always room for this one */
        b = get_block(scope, other);
        all.block_counts[scope]++;
    }
    metrics_unlock();
    return b;
}

struct metrics_block *metrics_block_ref(struct metrics_block *b)
{
    metrics_lock();
    b->count++;
    metrics_unlock();
    return b;
}

void metrics_drop_block(struct metrics_block **block)
{
    struct metrics_block *b = *block;
    *block = NULL;
    if (b != NULL && --b->count == 0)
        free_block(b);
}

void metrics_block_unref(struct metrics_block **block)
{
    if (*block == NULL)
        return;
    metrics_lock();
    metrics_drop_block(block);
    metrics_unlock();
}

struct metrics_block *metrics_blocks_of(enum metrics_scope scope)
{
    return all.blocks[scope];
}

/* ---- life ----------------------------------------------------------------------------------- */

void metrics_start(unsigned slots)
{
    MUST(all.node == NULL);
    all.slots = slots;
    for (int scope = 0; scope < METRICS_SCOPE_COUNT; scope++)
        map_init(&all.by_labels[scope]);
    all.node = make_block(METRICS_NODE, TEXT_EMPTY);
}

void metrics_stop(void)
{
    for (int scope = 0; scope < METRICS_SCOPE_COUNT; scope++) {
        while (all.blocks[scope] != NULL)
            free_block(all.blocks[scope]);
        map_fini(&all.by_labels[scope]);
    }
    all.node = NULL;
    all.source_count = 0;
    all.vector_count = 0;
}

void metrics_use_slot(unsigned slot)
{
    MUST(slot <= all.slots);
    metrics_slot = slot;
}

struct metrics_block *metrics_node(void)
{
    MUST(all.node != NULL);
    return all.node;
}

/* ---- numbers -------------------------------------------------------------------------------- */

void metrics_observe(struct metrics_block *b, enum metric m, uint64_t us)
{
    unsigned bucket = 0;
    while (bucket < METRICS_BOUND_COUNT && us > metrics_bounds[bucket])
        bucket++;
    metrics_cell_add(metrics_cell(b, (unsigned)m + bucket), 1);
    metrics_cell_add(metrics_cell(b, (unsigned)m + METRICS_BOUND_COUNT + 1), us);
}

uint64_t metrics_sum_cell(const struct metrics_block *b, unsigned cell)
{
    MUST(cell - b->base < b->cells);
    uint64_t sum = 0;
    for (unsigned slot = 0; slot <= all.slots; slot++)
        sum += atomic_load_explicit(&b->at[(size_t)slot * b->stride + (cell - b->base)],
                                    memory_order_relaxed);
    return sum;
}

uint64_t metrics_sum(const struct metrics_block *b, enum metric m)
{
    return metrics_sum_cell(b, m);
}

uint64_t metrics_sum_at(const struct metrics_block *b, enum metric m, unsigned index)
{
    return metrics_sum_cell(b, (unsigned)m + index);
}

void metrics_name_vector(enum metric m, const char *const *names, unsigned count)
{
    metrics_lock();
    MUST(all.vector_count < VECTORS_MAX);
    all.vectors[all.vector_count].cell = m;
    all.vectors[all.vector_count].count = count;
    all.vectors[all.vector_count].names = names;
    all.vector_count++;
    metrics_unlock();
}

const char *metrics_vector_name(unsigned cell, unsigned index)
{
    for (unsigned i = 0; i < all.vector_count; i++)
        if (all.vectors[i].cell == cell && index < all.vectors[i].count)
            return all.vectors[i].names[index];
    return NULL;
}

void metrics_add_source(metrics_source_fn *fn, void *arg)
{
    metrics_lock();
    MUST(all.source_count < SOURCES_MAX);
    all.sources[all.source_count].fn = fn;
    all.sources[all.source_count].arg = arg;
    all.source_count++;
    metrics_unlock();
}

void metrics_print_sources(struct builder *b)
{
    for (unsigned i = 0; i < all.source_count; i++)
        all.sources[i].fn(b, all.sources[i].arg);
}
