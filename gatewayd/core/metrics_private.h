/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics_private.h - between counting (metrics.c) and printing (metrics_print.c).
 */
#ifndef GATEWAYD_CORE_METRICS_PRIVATE_H
#define GATEWAYD_CORE_METRICS_PRIVATE_H

#include "gatewayd/core/metrics.h"

struct metrics_row {
    enum metrics_kind kind;
    unsigned cell; /* the first */
    unsigned size; /* cells */
    const char *name;
    const char *labels; /* a vector's: the name of its label */
    const char *help;
};

/* The cells of a scope, and what tells its blocks apart. */
struct metrics_scope_row {
    unsigned first;
    unsigned end;
    unsigned max_blocks;
    const char *labels[2]; /* NULL: none */
};

extern const struct metrics_scope_row metrics_scopes[METRICS_SCOPE_COUNT];
extern const struct metrics_row metrics_rows[];
extern const size_t metrics_row_count;

/* Between these no block comes or goes. */
void metrics_lock(void);
void metrics_unlock(void);
struct metrics_block *metrics_blocks_of(enum metrics_scope scope);
void metrics_drop_block(struct metrics_block **block); /* metrics_block_unref() in between */

uint64_t metrics_sum_cell(const struct metrics_block *b, unsigned cell);

/* NULL: the value has no name. */
const char *metrics_vector_name(unsigned cell, unsigned index);

void metrics_print_sources(struct builder *b);

extern const uint64_t metrics_bounds[METRICS_BOUND_COUNT];

#endif
