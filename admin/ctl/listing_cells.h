/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listing_cells.h - what the table of a kind shows of each item, as the API prints it.
 */
#ifndef ADMIN_CTL_LISTING_CELLS_H
#define ADMIN_CTL_LISTING_CELLS_H

#include "admin/ctl/kind.h"
#include "admin/ctl/table.h"
#include "conf/doc.h"

/* NULL ends. */
const char *const *listing_cells_titles(const struct kind *kind);

/* One row. */
void listing_cells_add(const struct kind *kind, const struct doc *item, struct table *table);

#endif
