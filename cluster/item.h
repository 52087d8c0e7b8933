/* SPDX-License-Identifier: Apache-2.0 */
/*
 * item.h - what entries, checkpoints and notes are made of: one thing that is, or that changed.
 *
 * The same bytes in the journal and, later, in Redis. What resources are set to is JSON, so that
 * fields of newer versions pass through; everything else is packed.
 */
#ifndef CLUSTER_ITEM_H
#define CLUSTER_ITEM_H

#include "cluster/entry.h"
#include "cluster/pack.h"
#include "conf/base/arena.h"
#include "conf/resource.h"
#include "gatewayd/policy/credentials.h"

/* In files: never renumber. */
enum item_kind {
    ITEM_UNKNOWN = 0,   /* read: one that a newer version wrote */
    ITEM_RESOURCE = 1,  /* any of the four kinds, before and after */
    ITEM_KEY = 2,       /* a key as it is now */
    ITEM_CONFIRM = 3,   /* of an entry: it undoes itself unless confirmed */
    ITEM_ORIGIN = 4,    /* of an entry: it restores or undoes another */
    ITEM_CONFIRMED = 5, /* a note: what became of one that was to be confirmed */
    ITEM_CONFIG = 6,    /* of a checkpoint: the tag of the whole configuration */
    ITEM_REVOKED = 7    /* a note, or of a checkpoint: revoked, by digest, which the shared history
                           does not say yet. What else is known of the key may be missing. */
};

/* Texts borrowed. */
struct item_resource {
    enum resource_kind kind;
    struct text name;
    bool has_before;
    bool has_after;
    struct text before; /* what was set, JSON */
    struct text after;
    uint64_t revision; /* of what is set now (checkpoint); 0 in an entry: the entry's own */
    uint64_t tag;
};

enum item_key_change { ITEM_KEY_STATE = 0, ITEM_KEY_ADD, ITEM_KEY_CHANGE, ITEM_KEY_REVOKE };

struct item_key {
    enum item_key_change change;
    struct credentials_key key; /* its handle means nothing here */
};

struct item_confirmed {
    uint64_t revision;
    bool was_undone;
    bool is_open;  /* of a checkpoint: neither confirmed nor undone until now */
    int64_t until; /* ms since the epoch, is_open */
};

struct item {
    enum item_kind kind;
    bool is_newer; /* read: there is more to it than this version knows */
    union {
        struct item_resource resource;
        struct item_key key;
        int64_t confirm_until; /* ms since the epoch */
        struct {
            uint64_t revision;
            bool is_undo;
        } origin;
        struct item_confirmed confirmed;
        uint64_t config_tag;
        struct credentials_key revoked;
    };
};

void item_print(const struct item *item, struct builder *b);

/* Takes the next item off the front of `bytes`; texts are borrowed from them, the array of scopes
 * is in the arena. False at the end, and with *is_bad_out when what follows is no item. */
MUST_USE bool item_next(struct text *bytes, struct arena *arena, struct item *item_out,
                        bool *is_bad_out);

/* Calls `fn` with each item of all parts, borrowed for the call. False: in one of them follows what
 * is no item; the parts behind it were read all the same. */
typedef void item_fn(void *arg, const struct item *item);
bool item_each(const struct text *parts, size_t count, item_fn *fn, void *arg);

/* What of the bytes is whole items, from the front; borrowed. */
struct text item_readable(struct text bytes);

#endif
