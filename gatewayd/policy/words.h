/* SPDX-License-Identifier: Apache-2.0 */
/*
 * words.h - lists of texts that many share, each kept once.
 *
 * One thread takes and gives; others may read a list that is reachable for them: it is freed only
 * after they have passed a turn.
 */
#ifndef GATEWAYD_POLICY_WORDS_H
#define GATEWAYD_POLICY_WORDS_H

#include "conf/base/map.h"
#include "conf/values.h"
#include "gatewayd/policy/turns.h"

/* Never modified but for the count, which is the writer's. */
struct words {
    uint32_t uses;
    uint32_t mark;     /* the first taker's, of its own meaning; the same for all */
    struct text whole; /* the table's key: lengths and bytes of all */
    size_t count;
    struct text items[];
};

struct words_table {
    struct map map;
    struct turns_queue *queue;
};

void words_table_init(struct words_table *t, struct turns_queue *queue); /* borrowed */
void words_table_fini(struct words_table *t); /* frees those still in use too */

/* One more use of the list with these texts, in this order. Nothing is borrowed. */
struct words *words_take(struct words_table *t, struct texts texts);
void words_give(struct words_table *t, struct words *words); /* already unreachable if the last */

/* Copies items [first, count) into `items` and their bytes to `bytes`, which ends up behind them.
 */
size_t words_bytes(const struct words *words, size_t first);
void words_copy(const struct words *words, size_t first, struct text *items, char **bytes);

#endif
