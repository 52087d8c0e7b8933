/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_scan.h - the check of a whole journal before it is used. Private to journal*.c.
 */
#ifndef CLUSTER_JOURNAL_SCAN_H
#define CLUSTER_JOURNAL_SCAN_H

#include <stdint.h>

struct journal;
struct journal_scan;

struct journal_scan *journal_scan_new(struct journal *j, uint64_t file_size);
/* Goes on from j->size, the end of an earlier scan. */
struct journal_scan *journal_scan_resume(struct journal *j, uint64_t file_size);
void journal_scan_free(struct journal_scan **s);

#endif
