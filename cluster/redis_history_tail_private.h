/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_history_tail_private.h - what the files redis_history_tail*.c share.
 */
#ifndef CLUSTER_REDIS_HISTORY_TAIL_PRIVATE_H
#define CLUSTER_REDIS_HISTORY_TAIL_PRIVATE_H

#include "cluster/item.h"
#include "cluster/parted.h"
#include "cluster/redis_history_private.h"
#include "cluster/redis_history_tail.h"
#include "cluster/scribe.h"
#include "conf/base/map.h"

#define TAIL_ORDERS 9

/* A change of this node: of a resource of any kind, or a new key. Lives as long as its tail. */
struct tail_thing {
    struct list node;
    bool is_key;
    enum resource_kind kind;
    struct text name;
    struct text before; /* empty: it was not there */
    struct text after;  /* empty: it is gone */
    struct credentials_key key;
    uint64_t consumer_tag; /* of a key: its consumer's when it was noted; 0: not known */
    struct text author;
    uint64_t revision;
    char id[REDIS_HISTORY_ID_HEX + 1]; /* of the last entry that changed it */
    uint64_t put_tag;                  /* its resource's, since it was put back; else 0 */
    unsigned tries;
};

enum tail_phase { TAIL_LOADING, TAIL_KEEPING, TAIL_NOTING, TAIL_READY };

struct redis_history_tail {
    struct redis_history *history;
    enum tail_phase phase;
    struct parted parted; /* with the entries that are not noted yet */
    struct scribe_job job;
    bool is_good; /* on the disk */
    const char *why;
    bool is_writing; /* how far it is */
    uint64_t written;
    redis_history_tail_kept_fn *done;
    struct loop_slice slice;
    size_t part; /* of the entry that is being noted, and what is left of it */
    struct text rest;
    struct list things[TAIL_ORDERS]; /* to be settled, in the order of these lists */
    struct map by_name;              /* all of them */
    struct arena arena;
    struct problems problems;
    size_t put_back;
    size_t conflicts;
    /* Consumers that others have removed since the common entry, as far as it was looked at. */
    struct map removed;
    uint64_t looked_at;
    bool is_looking;
    bool cannot_look;
    /* The one that is being put back. */
    struct tail_thing *thing;
    uint64_t tag; /* of what stood */
    struct store_change change;
    struct store_key_change key;
    struct store_commit commit;
};

/* redis_history_tail_note.c: what was done, step by step; false: all of it is noted. */
bool redis_history_tail_note(struct redis_history_tail *t);
struct tail_thing *redis_history_tail_find(const struct redis_history_tail *t,
                                           enum resource_kind kind, struct text name);

/* redis_history_tail_owner.c: may the key go to the consumer of that name that there is now? */
enum tail_owner {
    TAIL_OWNER_SAME,   /* *tag_out: its tag */
    TAIL_OWNER_GONE,   /* or another one, or nothing tells */
    TAIL_OWNER_LOOKING /* redis_history_tail_go_on is called when that is known */
};
enum tail_owner redis_history_tail_owner(struct redis_history_tail *t,
                                         const struct tail_thing *thing, uint64_t *tag_out);

#endif
