/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digest_table.h - from a digest to a number: open addressing over 64-bit cells, each a keyed
 * hash of the digest and the number.
 *
 * One thread writes; any number look up without locks, within a turn (turns.h). Growing makes a
 * second array and moves a few cells with each change: a reader looks in the new one, then in the
 * old one, which keeps what has been moved. Both hang on one pointer, so no reader sees one
 * without the other.
 */
#ifndef GATEWAYD_POLICY_DIGEST_TABLE_H
#define GATEWAYD_POLICY_DIGEST_TABLE_H

#include "conf/base/digest.h"
#include "gatewayd/policy/turns.h"

/* Is this the digest of what the number stands for? Any thread. */
typedef bool digest_table_is_fn(const void *arg, uint32_t number, const struct digest *digest);

struct digest_cells;

struct digest_view {
    struct digest_cells *current;
    struct digest_cells *previous; /* NULL unless growing */
};

struct digest_table {
    digest_table_is_fn *is;
    const void *arg;
    struct turns_queue *queue;
    uint64_t seeds[4]; /* never change */
    _Atomic(struct digest_view *) view;
    size_t moved; /* cells of the previous array that have been moved */
    size_t count;
};

void digest_table_init(struct digest_table *t, digest_table_is_fn *is, const void *arg,
                       struct turns_queue *queue);
void digest_table_fini(struct digest_table *t);

/* Any thread, within a turn. */
bool digest_table_find(const struct digest_table *t, const struct digest *digest,
                       uint32_t *number_out);

/* Writer. `digest` is not there yet; what the number stands for is complete. */
void digest_table_add(struct digest_table *t, const struct digest *digest, uint32_t number);
void digest_table_remove(struct digest_table *t, const struct digest *digest); /* is there */

/* Goes on with growing, if it is; bounded work. */
void digest_table_tidy(struct digest_table *t);

size_t digest_table_bytes(const struct digest_table *t);

#endif
