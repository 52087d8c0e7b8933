/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - rows of cells, printed in columns as wide as their widest cell.
 *
 * Cells are copied; bytes that could steer a terminal are printed as '?'. Widths count characters
 * of UTF-8. The last column is not padded.
 */
#ifndef ADMIN_CTL_TABLE_H
#define ADMIN_CTL_TABLE_H

#include "admin/ctl/paint.h"
#include "conf/base/arena.h"

#define TABLE_COLUMNS 12

struct table_cell {
    struct text text;
    enum paint_colour colour;
};

struct table {
    struct arena arena;
    const char *const *titles; /* NULL ends; "+NAME" is aligned to the right */
    size_t columns;
    struct table_cell *cells; /* row by row */
    size_t count;             /* of cells */
    size_t room;
};

void table_init(struct table *t, const char *const *titles);
void table_fini(struct table *t);

/* The next cell, from the left; a row is complete after as many as there are titles. An empty one
 * is printed as "-". */
void table_add(struct table *t, struct text text);
void table_add_painted(struct table *t, struct text text, enum paint_colour colour);
void table_addf(struct table *t, const char *format, ...) PRINTF_LIKE(2, 3);

/* Titles and rows. */
void table_print(const struct table *t, struct paint paint, struct builder *b);

#endif
