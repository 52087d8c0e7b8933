/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded.h - the store whose authority is the journal in state.dir of this node.
 *
 * A commit has its turn in the order of arrival: it is checked against what will be in force after
 * those before it, written to the journal by the scribe together with others that wait (one
 * fdatasync for all of them), applied, published, and then answered:
 *
 *     queue ─▶ plan ─▶ journal ─▶ apply ─▶ publish ─▶ done
 *
 * With an authority (authority.h) what was planned is offered to it before it is journalled, and
 * planned again when others were first; what others did comes in by store_embedded_follow():
 *
 *     queue ─▶ plan ─▶ claim ─▶ journal ─▶ apply ─▶ publish ─▶ done
 *                                inbox ─▶ decode ─▶ journal ─▶ apply ─▶ publish
 *
 * Lifetime: process. Control thread only.
 */
#ifndef CLUSTER_STORE_EMBEDDED_H
#define CLUSTER_STORE_EMBEDDED_H

#include "cluster/store_port.h"
#include "gatewayd/core/mailbox.h"
#include "conf/base/arena.h"
#include "conf/base/builder.h"
#include "gatewayd/policy/credentials.h"

struct authority;
struct state_dir;
struct scribe;
struct store_embedded;

/* From the loop, never from inside the call. `reason`: why it is not in force; empty: it is. */
typedef void store_embedded_published_fn(void *arg, struct text reason);
typedef void store_embedded_ended_fn(void *arg);

/* What the store asks of the process; the hooks may be NULL (then all is done at once). */
struct store_embedded_settings {
    struct loop *loop;
    struct mailbox *mailbox;         /* of that loop */
    struct credentials *credentials; /* this store is the one that writes to it */
    size_t history;                  /* entries kept */
    uint64_t compact_least;          /* growth of the journal worth compacting; 0: 8 MiB */
    int64_t tombstones;              /* ms */
    const struct checks *checks;     /* for documents of the journal; NULL: lenient, no patterns */
    /* Calls `done` when the resources are in force. */
    void (*publish)(void *arg, struct resources *resources, uint64_t revision,
                    store_embedded_published_fn *done, void *done_arg);
    /* What came up to `revision` is in force and needed no publishing. */
    void (*advance)(void *arg, uint64_t revision);
    /* This revision is applied; it changed no resources. */
    void (*pass)(void *arg, uint64_t revision);
    /* Ends what began with a revoked key; calls `done` after. */
    void (*end_key)(void *arg, struct key_handle handle, store_embedded_ended_fn *done,
                    void *done_arg);
    /* What came in from elsewhere cannot be in force here: why; empty: it is again. */
    void (*behind)(void *arg, struct text reason);
    /* How far loading is, a few words. */
    void (*starting)(void *arg, struct text what);
    /* Another process holds the folder: what is there is loaded beside it, `loaded_beside` says
     * when, and the rest after store_embedded_take(). Nothing is written before
     * store_embedded_resume(). NULL: the folder is ours. */
    void (*loaded_beside)(void *arg);
    void *arg;
};

/* Opens what is in the folder (locked; borrowed). NULL and problems. */
MUST_USE struct store_embedded *store_embedded_new(const struct store_embedded_settings *settings,
                                                   struct state_dir *dir, struct problems *ps);

/* Loads it, in slices of the loop; the tables are filled meanwhile. */
void store_embedded_load(struct store_embedded *e, store_loaded_fn *done, void *arg);

/* After loaded_beside: the folder is locked by us. Loading goes on to its end. */
void store_embedded_take(struct store_embedded *e);

/* After it was loaded. The scribe runs from now on and commits are taken. `publishes`: what was
 * loaded is put in force (else a first commit follows at once). */
void store_embedded_start(struct store_embedded *e, bool publishes);

/* Answers what waits (STORE_AWAY), waits for what is being written. While it is being loaded: gives
 * that up. */
void store_embedded_stop(struct store_embedded *e);
void store_embedded_free(struct store_embedded **e);

struct store *store_embedded_port(struct store_embedded *e);
struct scribe *store_embedded_scribe(struct store_embedded *e); /* for other slow work */

/* ---- when another process takes the folder over ---- */

/* The journal stays in its place: it is not written anew until this is taken back. */
void store_embedded_keep_still(struct store_embedded *e, bool is_still);

/* Begins to come to rest, and says whether it has: what was begun is written and durable, and
 * nothing more is begun. Call it again until it has. Then the folder can be unlocked; what others
 * accept is followed without the journal. */
MUST_USE bool store_embedded_try_release(struct store_embedded *e);

/* The folder is ours (again): goes on, and writes what is missing. */
void store_embedded_resume(struct store_embedded *e);

/* It is another process's for good: what waits and what comes is refused. */
void store_embedded_leave(struct store_embedded *e);

/* Bytes that a crash tore off the journal and that were cut at start. */
uint64_t store_embedded_cut(const struct store_embedded *e);

/* ---- with an authority ---- */

/* Before store_embedded_start. Outlives the store. */
void store_embedded_set_authority(struct store_embedded *e, struct authority *a);

/* An entry from elsewhere. Lifetime: from _new until it has been followed. */
struct store_embedded_incoming {
    struct list node;
    struct entry_head head; /* texts and parts are in the arena */
    struct text *parts;
    size_t part_count;
    size_t part_size;
    bool is_cut; /* not all of it could be read */
    struct arena arena;
};
struct store_embedded_incoming *store_embedded_incoming_new(const struct entry_head *head);
void store_embedded_incoming_add(struct store_embedded_incoming *in, struct text part); /* copied */
void store_embedded_incoming_free(struct store_embedded_incoming **in);

/* Takes it, and takes it in when its turn comes. They come in the order of revisions; what is known
 * here already is dropped; what does not follow what is here: authority's astray(). */
void store_embedded_follow(struct store_embedded *e, struct store_embedded_incoming *in);
/* How much memory those take that wait for their turn. */
size_t store_embedded_follow_bytes(const struct store_embedded *e);

/* The last entry that is written here. */
struct entry_id store_embedded_id(const struct store_embedded *e);
struct entry_id store_embedded_cluster(const struct store_embedded *e);

/* Is the entry of this revision the one with this id, as far as is known here: taken in, on its way
 * in, or offered to the authority just now? UNSURE: too old, or too new. */
enum store_embedded_knows { STORE_EMBEDDED_UNSURE, STORE_EMBEDDED_KNOWN, STORE_EMBEDDED_OTHER };
enum store_embedded_knows store_embedded_knows(const struct store_embedded *e, uint64_t revision,
                                               const struct entry_id *id);

/* Nothing is planned, offered, written or waits to be taken in: where the store stands is certain.
 */
bool store_embedded_is_quiet(const struct store_embedded *e);

/* That, and no other process has the journal, or is about to. */
bool store_embedded_can_replace(const struct store_embedded *e);

/* ---- everything anew: a state that was read elsewhere ---- */

struct store_embedded_base {
    struct entry_id cluster;
    uint64_t revision;
    struct entry_id id;
    uint64_t config_tag;
};

/* Only while it can be replaced; nothing is planned until it is finished or given up. A store that
 * stops gives it up: what is added then is dropped, and `done` is not called. */
void store_embedded_replace_start(struct store_embedded *e, const struct store_embedded_base *base);
/* The entries up to the base that are to be listed, in their order; owned from now on. */
void store_embedded_replace_add_entry(struct store_embedded *e, struct store_embedded_incoming *in);
void store_embedded_replace_drop_entries(struct store_embedded *e);
/* Items as a checkpoint has them: resources and consumers before keys, no item cut. Copied. They
 * may be newer than the base: the entries after it set that right. */
void store_embedded_replace_add_state(struct store_embedded *e, struct text items);
void store_embedded_replace_cancel(struct store_embedded *e);
/* Puts it in the place of what is here. `why`: it could not be; empty: it is. From the loop. */
typedef void store_embedded_replaced_fn(void *arg, struct text why);
void store_embedded_replace_finish(struct store_embedded *e, store_embedded_replaced_fn *done,
                                   void *arg);

/* What stands, stamped; a count of it. NULL: nothing. */
MUST_USE struct resource *store_embedded_find(const struct store_embedded *e,
                                              enum resource_kind kind, struct text name);

MUST_USE bool store_embedded_find_key(const struct store_embedded *e, const struct digest *digest,
                                      struct credentials_key *key_out);

/* ---- what is here, for those who have lost it ---- */

/* Entries from … to, of the journal; none: they cannot be had. The list and what is in it belong to
 * the store again when `done` returns, but for what was taken out of the list. From the loop. */
typedef void store_embedded_fetched_fn(void *arg, struct list *entries);
void store_embedded_fetch(struct store_embedded *e, uint64_t from, uint64_t to,
                          store_embedded_fetched_fn *done, void *arg);

/* The state as items of a checkpoint, resources and consumers before keys. Changes may go on: what
 * is newer than the beginning in places is set right by the entries since. */
enum store_embedded_walk_stage {
    STORE_EMBEDDED_WALK_RESOURCES,
    STORE_EMBEDDED_WALK_HELD,
    STORE_EMBEDDED_WALK_CONSUMERS,
    STORE_EMBEDDED_WALK_KEYS,
    STORE_EMBEDDED_WALK_END
};
struct store_embedded_walk {
    struct store_embedded *store;
    enum store_embedded_walk_stage stage;
    struct resources *resources; /* as they were at the base; counted */
    struct resources_cursor cursor;
    unsigned kind;
    struct builder name; /* of the last consumer */
    uint64_t key;        /* the last one */
    uint64_t base;
    struct arena arena;
};
void store_embedded_walk_init(struct store_embedded_walk *w, struct store_embedded *e);
void store_embedded_walk_fini(struct store_embedded_walk *w);
/* Adds an item or a few; false: that was all. */
bool store_embedded_walk_next(struct store_embedded_walk *w, struct builder *into);

/* What the authority says of whether it can be asked has changed. */
void store_embedded_look(struct store_embedded *e);

/* state.history and state.tombstones changed. */
void store_embedded_set_keeping(struct store_embedded *e, size_t history, int64_t tombstones);

#endif
