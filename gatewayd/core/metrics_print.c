/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics_print.c - the Prometheus text exposition format, version 0.0.4.
 *
 * All samples of one name stand together under one HELP and TYPE. Counters that are still 0 are
 * printed, so that rates begin with the first event; unnamed values of a vector are not.
 */
#include "gatewayd/core/metrics.h"

#include <math.h>
#include <stdio.h>

#include "conf/base/builder.h"
#include "gatewayd/core/metrics_private.h"

#define LABELS_MAX 8192

void metrics_print_head(struct builder *b, const char *name, const char *type, const char *help)
{
    builder_addf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_name(struct builder *b, const char *name, const char *labels)
{
    builder_add(b, text_of(name));
    if (labels[0] != '\0')
        builder_addf(b, "{%s}", labels);
    builder_add_byte(b, ' ');
}

void metrics_print_u64(struct builder *b, const char *name, const char *labels, uint64_t value)
{
    print_name(b, name, labels);
    builder_add_u64(b, value);
    builder_add_byte(b, '\n');
}

static void print_i64(struct builder *b, const char *name, const char *labels, int64_t value)
{
    print_name(b, name, labels);
    builder_addf(b, "%lld\n", (long long)value);
}

void metrics_print_double(struct builder *b, const char *name, const char *labels, double value)
{
    print_name(b, name, labels);
    if (isnan(value))
        builder_add(b, TEXT_OF("NaN\n"));
    else if (isinf(value))
        builder_add(b, value > 0 ? TEXT_OF("+Inf\n") : TEXT_OF("-Inf\n"));
    else
        builder_addf(b, "%.9g\n", value);
}

void metrics_print_label(struct builder *b, const char *name, struct text value)
{
    if (builder_text(b).length > 0)
        builder_add_byte(b, ',');
    builder_addf(b, "%s=\"", name);
    for (size_t i = 0; i < value.length; i++) {
        char c = value.at[i];
        if (c == '\\' || c == '"')
            builder_add_byte(b, '\\');
        if (c == '\n')
            builder_add(b, TEXT_OF("\\n"));
        else
            builder_add_byte(b, c);
    }
    builder_add_byte(b, '"');
}

/* Labels of the block, of the row, and one more, in one NUL-terminated text. */
static const char *join_labels(struct builder *into, const char *block, const char *row,
                               const char *name, const char *value)
{
    builder_clear(into);
    builder_add(into, text_of(block));
    if (builder_text(into).length > 0 && row[0] != '\0')
        builder_add_byte(into, ',');
    builder_add(into, text_of(row));
    if (name != NULL)
        metrics_print_label(into, name, text_of(value));
    builder_add_byte(into, '\0');
    return builder_text(into).at;
}

struct printing {
    struct builder *b;
    struct builder *labels;
    const struct metrics_row *row;
    const struct metrics_block *block;
};

static const char *bound_text(unsigned i, char into[32])
{
    if (i == METRICS_BOUND_COUNT)
        return "+Inf";
    snprintf(into, 32, "%.9g", (double)metrics_bounds[i] / 1e6);
    return into;
}

static void print_histogram(const struct printing *p)
{
    const struct metrics_row *row = p->row;
    uint64_t count = 0;
    char name[128];
    char bound[32];
    snprintf(name, sizeof(name), "%s_bucket", row->name);
    for (unsigned i = 0; i <= METRICS_BOUND_COUNT; i++) {
        count += metrics_sum_cell(p->block, row->cell + i);
        const char *labels =
            join_labels(p->labels, p->block->labels, row->labels, "le", bound_text(i, bound));
        metrics_print_u64(p->b, name, labels, count);
    }
    const char *labels = join_labels(p->labels, p->block->labels, row->labels, NULL, NULL);
    uint64_t us = metrics_sum_cell(p->block, row->cell + METRICS_BOUND_COUNT + 1);
    snprintf(name, sizeof(name), "%s_sum", row->name);
    metrics_print_double(p->b, name, labels, (double)us / 1e6);
    snprintf(name, sizeof(name), "%s_count", row->name);
    metrics_print_u64(p->b, name, labels, count);
}

static void print_vector(const struct printing *p)
{
    for (unsigned i = 0; i < p->row->size; i++) {
        const char *value = metrics_vector_name(p->row->cell, i);
        if (value == NULL)
            continue;
        const char *labels = join_labels(p->labels, p->block->labels, "", p->row->labels, value);
        metrics_print_u64(p->b, p->row->name, labels, metrics_sum_cell(p->block, p->row->cell + i));
    }
}

static void print_sample(const struct printing *p)
{
    switch (p->row->kind) {
    case METRICS_HISTOGRAM:
        print_histogram(p);
        return;
    case METRICS_VECTOR:
        print_vector(p);
        return;
    case METRICS_COUNTER:
    case METRICS_GAUGE:
        break;
    }
    const char *labels = join_labels(p->labels, p->block->labels, p->row->labels, NULL, NULL);
    uint64_t sum = metrics_sum_cell(p->block, p->row->cell);
    if (p->row->kind == METRICS_GAUGE)
        print_i64(p->b, p->row->name, labels, (int64_t)sum);
    else
        metrics_print_u64(p->b, p->row->name, labels, sum);
}

static const char *type_name(enum metrics_kind kind)
{
    static const char *const names[] = {
        [METRICS_COUNTER] = "counter",
        [METRICS_GAUGE] = "gauge",
        [METRICS_HISTOGRAM] = "histogram",
        [METRICS_VECTOR] = "counter",
    };
    return names[kind];
}

static enum metrics_scope scope_of(const struct metrics_row *row)
{
    unsigned scope = 0;
    while (row->cell >= metrics_scopes[scope].end)
        scope++;
    return (enum metrics_scope)scope;
}

static size_t family_end(size_t first)
{
    struct text name = text_of(metrics_rows[first].name);
    size_t end = first + 1;
    while (end < metrics_row_count && text_equals(name, text_of(metrics_rows[end].name)))
        end++;
    return end;
}

/* Rows row..end-1 have one name: HELP and TYPE, then the samples of one block after the other of
 * their scope, one at each call. */
static void print_next(struct metrics_page *page, struct printing *p)
{
    const struct metrics_row *row = &metrics_rows[page->row];
    size_t end = family_end(page->row);
    if (page->block == NULL) {
        page->block = metrics_blocks_of(scope_of(row));
        if (page->block == NULL) {
            page->row = end;
            return;
        }
        page->block->count++;
        metrics_print_head(p->b, row->name, type_name(row->kind), row->help);
    }
    p->block = page->block;
    for (p->row = row; p->row < &metrics_rows[end]; p->row++)
        print_sample(p);
    struct metrics_block *next = page->block->next;
    if (next != NULL)
        next->count++;
    metrics_drop_block(&page->block);
    page->block = next;
    if (next == NULL)
        page->row = end;
}

void metrics_page_init(struct metrics_page *page)
{
    *page = (struct metrics_page){ .row = 0 };
}

void metrics_page_fini(struct metrics_page *page)
{
    metrics_block_unref(&page->block);
}

bool metrics_page_print(struct metrics_page *page, size_t bytes, struct builder *b)
{
    struct builder labels;
    struct printing p = { .b = b, .labels = &labels };
    size_t begin = b->length;
    builder_init(&labels, LABELS_MAX);
    metrics_lock();
    while (page->row < metrics_row_count && b->length - begin < bytes)
        print_next(page, &p);
    if (page->row == metrics_row_count && !page->is_whole) {
        metrics_print_sources(b);
        page->is_whole = true;
    }
    metrics_unlock();
    builder_fini(&labels);
    return !page->is_whole;
}

void metrics_print(struct builder *b)
{
    struct metrics_page page;
    metrics_page_init(&page);
    while (metrics_page_print(&page, SIZE_MAX, b)) {
    }
    metrics_page_fini(&page);
}
