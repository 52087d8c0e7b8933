/* SPDX-License-Identifier: Apache-2.0 */
/*
 * difference.h - what a change changes, for people: a line for each resource, a line for each of
 * its fields that differs, and a sum.
 */
#ifndef ADMIN_CTL_DIFFERENCE_H
#define ADMIN_CTL_DIFFERENCE_H

#include "admin/ctl/paint.h"
#include "conf/doc.h"

/* `difference` is as the API answers it: { changes, change_count, warnings }. */
void difference_print(const struct doc *difference, struct paint paint, struct builder *b);

/* How many resources it changes. */
int64_t difference_count(const struct doc *difference);

/* "3 changes: 1 added, 2 removed" */
void difference_print_sum(const struct doc *difference, struct builder *b);

#endif
