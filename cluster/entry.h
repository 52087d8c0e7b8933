/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entry.h - what is known of each accepted change: its number, who made it and when. What it
 * changed is in its parts (items, see item.h).
 */
#ifndef CLUSTER_ENTRY_H
#define CLUSTER_ENTRY_H

#include "conf/base/text.h"

#define ENTRY_ID_SIZE     16
#define ENTRY_AUTHOR_MAX  255
#define ENTRY_SUMMARY_MAX 1024

/* Random; all zero means none (before the first). */
struct entry_id {
    unsigned char bytes[ENTRY_ID_SIZE];
};

struct entry_head {
    uint64_t revision;
    struct entry_id id;
    struct entry_id prev; /* id of revision - 1 */
    int64_t time_ms;      /* since the epoch, by the clock of the node that took it */
    struct text author;   /* at most ENTRY_AUTHOR_MAX bytes */
    struct text summary;  /* one line for people, at most ENTRY_SUMMARY_MAX bytes */
};

static inline bool entry_id_equals(const struct entry_id *a, const struct entry_id *b)
{
    return memcmp(a->bytes, b->bytes, ENTRY_ID_SIZE) == 0;
}

#endif
