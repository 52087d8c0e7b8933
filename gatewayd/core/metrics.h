/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.h - numbers: one cell per thread, plain stores, added up when somebody reads.
 *
 * The rows are in metrics.def. A *block* holds the cells of all rows of one scope for one set of
 * labels (one route, one target…), for every thread that has a slot; the node's own block is
 * metrics_node(). A thread takes its slot once (metrics_use_slot); threads without one share slot 0
 * with atomic additions. Adding is a load, an addition and a store.
 *
 * Blocks are counted and belong to what they count for (route, upstream, target); asking for the
 * same labels again gives the same block, so numbers survive a change of configuration. Past the
 * ceiling of a scope everybody gets its block "_other". Making, counting and printing blocks takes
 * a lock: not on the way of a request.
 */
#ifndef GATEWAYD_CORE_METRICS_H
#define GATEWAYD_CORE_METRICS_H

#include <stdatomic.h>

#include "conf/base/text.h"

struct builder;

enum metrics_kind {
    METRICS_COUNTER,
    METRICS_GAUGE,
    METRICS_HISTOGRAM,
    METRICS_VECTOR,
};

enum metrics_scope {
    METRICS_NODE,
    METRICS_LISTENER, /* listener */
    METRICS_ADDRESS,  /* address: a virtual one */
    METRICS_ROUTE,    /* route */
    METRICS_UPSTREAM, /* upstream */
    METRICS_TARGET,   /* upstream, target */
    METRICS_SCOPE_COUNT
};

/* Upper bounds of the buckets in microseconds; one more for what is longer, and the sum. */
#define METRICS_BOUNDS                                                                             \
    {                                                                                              \
        100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000,     \
            2500000, 5000000, 10000000, 30000000                                                   \
    }
#define METRICS_BOUND_COUNT     17
#define METRICS_HISTOGRAM_CELLS (METRICS_BOUND_COUNT + 2)

/* The value of METRIC_x is the place of its first cell. Names that end in _ only set the count
 * right. */
enum metric {
#define SCOPE_BEGIN(scope)                                                                         \
    METRICS_##scope##_FIRST_, METRICS_##scope##_A_ = METRICS_##scope##_FIRST_ - 1,
#define SCOPE_END(scope)                METRICS_##scope##_END_, METRICS_##scope##_B_ = METRICS_##scope##_END_ - 1,
#define COUNTER(id, name, labels, help) METRIC_##id,
#define GAUGE(id, name, labels, help)   METRIC_##id,
#define HISTOGRAM(id, name, labels, help)                                                          \
    METRIC_##id, METRIC_##id##_LAST_ = METRIC_##id + METRICS_HISTOGRAM_CELLS - 1,
#define VECTOR(id, name, label, size, help)                                                        \
    METRIC_##id, METRIC_##id##_LAST_ = METRIC_##id + (size)-1,
#include "gatewayd/core/metrics.def"
#undef SCOPE_BEGIN
#undef SCOPE_END
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
#undef VECTOR
    METRIC_CELL_COUNT
};

/* Private to metrics*.c but for the inline functions below. */
struct metrics_block {
    struct metrics_block *next;
    enum metrics_scope scope;
    unsigned count;       /* references, under the lock */
    unsigned base;        /* the scope's first cell */
    unsigned cells;       /* of one slot */
    unsigned stride;      /* cells between slots: whole cache lines */
    char *labels;         /* as printed, without braces: route="orders" */
    _Atomic uint64_t *at; /* slots * stride */
};

extern __thread unsigned metrics_slot;

/* Before any block is made: how many threads will take a slot (numbers 1..slots). Once. */
void metrics_start(unsigned slots);
void metrics_stop(void); /* frees everything; for tests and the end of the process */

/* The calling thread is the only writer of slot `slot` (1..slots) from now on. */
void metrics_use_slot(unsigned slot);

/* Lives from metrics_start to metrics_stop. */
struct metrics_block *metrics_node(void);

/* `values` are the label values of the scope in the order above; copied. The caller gets one
 * reference. */
struct metrics_block *metrics_block_new(enum metrics_scope scope, const struct text *values);
struct metrics_block *metrics_block_ref(struct metrics_block *b);
void metrics_block_unref(struct metrics_block **b);

static inline _Atomic uint64_t *metrics_cell(struct metrics_block *b, unsigned cell)
{
    MUST(cell - b->base < b->cells);
    return &b->at[(size_t)metrics_slot * b->stride + (cell - b->base)];
}

static inline void metrics_cell_add(_Atomic uint64_t *cell, uint64_t n)
{
    if (UNLIKELY(metrics_slot == 0))
        atomic_fetch_add_explicit(cell, n, memory_order_relaxed);
    else
        atomic_store_explicit(cell, atomic_load_explicit(cell, memory_order_relaxed) + n,
                              memory_order_relaxed);
}

/* Counters, and gauges upwards. */
static inline void metrics_add(struct metrics_block *b, enum metric m, uint64_t n)
{
    metrics_cell_add(metrics_cell(b, m), n);
}

/* Gauges downwards; another thread than the one that added may do it. */
static inline void metrics_sub(struct metrics_block *b, enum metric m, uint64_t n)
{
    metrics_cell_add(metrics_cell(b, m), 0 - n);
}

/* A gauge that one thread alone writes. */
static inline void metrics_set(struct metrics_block *b, enum metric m, uint64_t value)
{
    atomic_store_explicit(metrics_cell(b, m), value, memory_order_relaxed);
}

/* One counter of a vector; `index` below the row's size. */
static inline void metrics_add_at(struct metrics_block *b, enum metric m, unsigned index)
{
    metrics_cell_add(metrics_cell(b, (unsigned)m + index), 1);
}

/* A duration of a histogram. */
void metrics_observe(struct metrics_block *b, enum metric m, uint64_t us);

/* The sum over all threads. Any thread. */
uint64_t metrics_sum(const struct metrics_block *b, enum metric m);
uint64_t metrics_sum_at(const struct metrics_block *b, enum metric m, unsigned index);

/* Names the values of a vector's label; `names` is borrowed for good. At start, before printing. */
void metrics_name_vector(enum metric m, const char *const *names, unsigned count);

/* ---- printing ------------------------------------------------------------------------------- */

/* Numbers that are computed when asked for: adds its lines with the functions below. */
typedef void metrics_source_fn(struct builder *b, void *arg);
void metrics_add_source(metrics_source_fn *fn, void *arg);

/* All of it, in the Prometheus text format 0.0.4. */
void metrics_print(struct builder *b);

/* The same piece by piece, for a thread that must not stand still: there may be thousands of
 * blocks. Private but for its functions. */
struct metrics_page {
    size_t row;                  /* the first of the name that is being printed */
    struct metrics_block *block; /* the next of its blocks; counted. NULL: its head comes */
    bool is_whole;
};
void metrics_page_init(struct metrics_page *page);
void metrics_page_fini(struct metrics_page *page);

/* Adds about `bytes` more. False: that was the last. Blocks made meanwhile may be missing. */
bool metrics_page_print(struct metrics_page *page, size_t bytes, struct builder *b);

void metrics_print_head(struct builder *b, const char *name, const char *type, const char *help);
/* `labels` as printed, without braces; may be empty. */
void metrics_print_u64(struct builder *b, const char *name, const char *labels, uint64_t value);
void metrics_print_double(struct builder *b, const char *name, const char *labels, double value);
/* name="value", escaped; with a comma before it if `b` is not empty. */
void metrics_print_label(struct builder *b, const char *name, struct text value);

#endif
