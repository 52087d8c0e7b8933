/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h - the one place where resources, consumers and keys are changed, and their history. A
 * port: the embedded store (journal in state.dir) is one implementation, Redis another.
 *
 * Reading is not part of it: upstreams, routes and plans are store_resources(), consumers and keys
 * are in control's credentials table (gatewayd/policy/credentials.h), whichever store it is. What
 * stands there is durable and, but for the few milliseconds of publishing, in force.
 *
 * Lifetime: process. Control thread only. No function calls back before it has returned; what is
 * handed over is borrowed until its `done` has been called, which happens exactly once for each
 * call (at the latest while the store stops, then with STORE_AWAY).
 */
#ifndef CLUSTER_STORE_H
#define CLUSTER_STORE_H

#include "cluster/entry.h"
#include "conf/base/digest.h"
#include "conf/base/list.h"
#include "conf/base/problem.h"
#include "conf/resources.h"
#include "conf/values.h"

struct store;

/* The store of this process; NULL before the service "store" was prepared. */
struct store *store_get(void);

/* ---- entity tags ----------------------------------------------------------------------------- */

/* 64 bits that no two changes share, in no history: resource.tag, credentials_consumer.stamp,
 * credentials_key.stamp, store_config_tag(). */
#define STORE_TAG_SIZE 24

/* With its quotes, as in ETag. */
struct text store_tag_print(uint64_t tag, char into[STORE_TAG_SIZE]);
MUST_USE bool store_tag_parse(struct text quoted, uint64_t *tag_out);

/* ---- what there is --------------------------------------------------------------------------- */

/* Borrowed until the loop's turn ends. */
struct resources *store_resources(const struct store *s);
uint64_t store_revision(const struct store *s);   /* of all that is durable here */
uint64_t store_config_tag(const struct store *s); /* of the last change to a resource or consumer */

/* Until everything has been loaded: reads show a part, writes answer STORE_AWAY. */
bool store_is_loading(const struct store *s);

struct store_status {
    const char *kind; /* "embedded", "redis" */
    bool is_away;
    int64_t since; /* ms since the epoch: of this state */
    int64_t staleness_ms;
    struct text reason;        /* why it is away or refuses writes; empty: all is well. Borrowed. */
    const uint64_t *conflicts; /* revisions that could not be merged */
    size_t conflict_count;
    uint64_t passed_over; /* entries of a shared history that no node wrote */
};
struct store_status store_status(const struct store *s);

/* ---- changes --------------------------------------------------------------------------------- */

enum store_condition_kind {
    STORE_ALWAYS,
    STORE_IF_ABSENT, /* If-None-Match: * */
    STORE_IF_EXISTS, /* If-Match: * */
    STORE_IF_TAG     /* If-Match: any of the tags (none of them ours: tag_count 0) */
};

/* Not met: STORE_MOVED_ON (412). */
struct store_condition {
    enum store_condition_kind kind;
    const uint64_t *tags;
    size_t tag_count;
};

/* Makes the new resource from what stands when the change has its turn (NULL: nothing does): for
 * PATCH. NULL and problems, or a count for the store. `current` borrowed for the call. It may be
 * called again if another writer was faster. */
typedef struct resource *store_edit_fn(void *arg, const struct resource *current,
                                       struct problems *ps);

enum store_change_kind {
    STORE_PUT,    /* make or replace: `resource` */
    STORE_EDIT,   /* of what is there: `edit`; STORE_ABSENT if nothing is */
    STORE_DELETE, /* STORE_ABSENT if nothing is there */
};

struct store_change {
    enum store_change_kind change;
    enum resource_kind kind;
    struct text name;
    struct resource *resource; /* STORE_PUT; the store takes its own count */
    const struct place *place; /* STORE_PUT: where problems are said to be; NULL: "" */
    store_edit_fn *edit;
    void *edit_arg;
    struct store_condition condition;
};

enum store_key_change_kind { STORE_KEY_ADD, STORE_KEY_CHANGE, STORE_KEY_REVOKE };

struct store_key_change {
    enum store_key_change_kind change;
    uint64_t id; /* ADD: made by the caller (key_id_make) */
    /* ADD only: */
    struct text consumer; /* no such: a problem */
    uint64_t if_consumer; /* not 0: its tag; STORE_MOVED_ON when it has another one */
    struct digest digest; /* known and active: STORE_EXISTS; revoked: STORE_REVOKED */
    struct text prefix;
    /* ADD and CHANGE: */
    struct texts scopes; /* CHANGE: only with has_scopes */
    int64_t expires_at;  /* ms since the epoch, 0: never. CHANGE: only with has_expiry; a later
                            one than there is is a problem */
    bool has_scopes;
    bool has_expiry;
    const struct place *place; /* where problems are said to be; NULL: "" */
    struct store_condition condition;
};

enum store_outcome {
    STORE_DONE,      /* durable, and in force on every worker of this node (but see `behind`) */
    STORE_UNCHANGED, /* it is so already: no revision was made */
    STORE_PROBLEMS,  /* 422: see problems */
    STORE_ABSENT,    /* 404: nothing of that name, key id or revision */
    STORE_REFERRED,  /* 409: `names` refer to it: routes, consumers; ids of active keys when one
                        consumer is deleted; else (PUT of all, restore) consumers that have some */
    STORE_EXISTS,    /* 409: a key with this digest is there */
    STORE_REVOKED,   /* 409: a key with this digest was revoked; changing a revoked key */
    STORE_MOVED_ON,  /* 412: a condition is not met */
    STORE_GONE,      /* 410: past the kept history; `revision` is the oldest that can be had */
    STORE_FULL,      /* 507: no space on the disk; nothing was changed */
    STORE_AWAY,      /* 503: no writes now, see reason; nothing was changed */
    STORE_UNKNOWN    /* 503 outcome-unknown: it may or may not have happened; see id */
};

/* A consumer that changed or would; either may be NULL. */
struct store_difference {
    struct resource *before;
    struct resource *after;
};

/* Everything is borrowed until `done` returns. */
struct store_result {
    enum store_outcome outcome;
    uint64_t revision; /* DONE: the new one; else the present one (GONE: the oldest kept) */
    uint64_t tag;      /* DONE: of what was put; UNCHANGED: of the first thing changed */
    struct entry_id id;
    const struct problems *problems; /* PROBLEMS */
    const struct text *names;        /* REFERRED: the first of them, sorted */
    size_t name_count;
    size_t name_total;  /* 0: not counted */
    size_t failed_at;   /* which change or key change it was that ended it */
    struct text reason; /* a sentence: AWAY, FULL, UNKNOWN */
    struct text behind; /* DONE, but this node cannot apply it: why; empty: it is in force */
    /* Of a commit with exactly one change: what stands now, NULL after a DELETE. */
    struct resource *resource;
    bool was_created; /* of that one: it did not exist before (201) */
    /* Before and after, for dry_run and DONE. */
    struct resources *resources_before;
    struct resources *resources_after;
    const struct store_difference *consumers;
    size_t consumer_count;
};

typedef void store_done_fn(void *arg, const struct store_result *result);

/* All of it or none of it, in one revision. Filled in by the caller, zero elsewhere; lives until
 * done. */
struct store_commit {
    struct text author;  /* cut at ENTRY_AUTHOR_MAX bytes */
    struct text because; /* goes before the summary; may be empty */
    struct store_change *changes;
    size_t change_count;
    struct store_key_change *keys;
    size_t key_count;
    bool replaces_all;                /* PUT /v1/config: what is not among the changes goes */
    struct store_condition condition; /* on store_config_tag(); with changes of many resources */
    uint64_t restores;                /* not 0: as it was at this revision; no changes then */
    int64_t confirm_ms;               /* not 0: undone unless confirmed in time */
    bool only_if_empty;               /* UNCHANGED once there is a revision */
    bool is_dry_run;                  /* checks only; DONE or what would be wrong */
    store_done_fn *done;
    void *arg;
};
void store_commit(struct store *s, struct store_commit *commit);

/* POST /v1/revisions/{n}/confirm: STORE_DONE, UNCHANGED (was confirmed before), ABSENT (nothing to
 * confirm there), GONE (undone already). */
struct store_confirm {
    uint64_t revision;
    struct text author;
    store_done_fn *done;
    void *arg;
};
void store_confirm(struct store *s, struct store_confirm *confirm);

/* ---- revocations that do not wait ------------------------------------------------------------ */

#define STORE_REVOKE_MOST 1000 /* in one message between nodes, one note of the journal */

/* Of a key that is known here or not; what is not known is 0. */
struct store_revocation {
    uint64_t id; /* never 0 */
    struct digest digest;
    int64_t created_at;
    int64_t expires_at;
    int64_t revoked_at; /* 0: now */
};

/* Revokes for good, without asking whoever else decides about the history: STORE_DONE (durable in
 * this node's journal and in force on its workers), UNCHANGED (all were revoked before), FULL,
 * AWAY, UNKNOWN. They are *unshared* then, until an entry says the same: a commit that revokes
 * their ids makes one. At most STORE_REVOKE_MOST at a time. */
struct store_revoke {
    const struct store_revocation *items;
    size_t count;
    store_done_fn *done;
    void *arg;
};
void store_revoke(struct store *s, struct store_revoke *revoke);

/* The first of those that no entry of the history says yet, at most `size`; returns how many these
 * are. `size` 0: how many there are in all. */
size_t store_list_unshared(struct store *s, struct store_revocation *items, size_t size);

/* ---- history --------------------------------------------------------------------------------- */

enum store_confirmation {
    STORE_NOT_ASKED,
    STORE_PENDING, /* until confirm_until */
    STORE_CONFIRMED,
    STORE_UNDONE
};

struct store_entry {
    struct entry_head head; /* texts borrowed until the loop's turn ends */
    enum store_confirmation confirmation;
    int64_t confirm_until; /* ms since the epoch; STORE_PENDING */
};

/* Newest first, those below `before` (0: all); at most `size`; returns how many. */
size_t store_list_entries(const struct store *s, uint64_t before, size_t size,
                          struct store_entry *entries_out);
uint64_t store_oldest_revision(const struct store *s); /* kept; 0: there is none */

/* Calls `fn` once when there is a revision above `after` (it may be at once, from the loop). The
 * waiter is the caller's; stop it before its memory goes. */
typedef void store_waiter_fn(void *arg);
struct store_waiter {
    struct list node;
    uint64_t after;
    store_waiter_fn *fn;
    void *arg;
};
void store_waiter_init(struct store_waiter *w, store_waiter_fn *fn, void *arg);
void store_waiter_start(struct store *s, struct store_waiter *w, uint64_t after);
void store_waiter_stop(struct store_waiter *w); /* also when not started */

/* What an entry did. `before` and `after` are JSON of what was set; empty: it was not there. */
struct store_entry_change {
    enum resource_kind kind;
    struct text name;
    struct text before;
    struct text after;
};

struct store_entry_key {
    enum store_key_change_kind change;
    uint64_t id;
    struct text consumer;
};

#define STORE_ENTRY_MOST                                                                           \
    1000 /* changes, and keys, that are read of an entry; the rest is counted */

struct store_entry_read {
    enum store_outcome outcome; /* DONE, ABSENT, GONE, AWAY (the file cannot be read: reason) */
    struct text reason;
    struct store_entry entry;
    uint64_t restores; /* the revision that it restored or undid; 0: none */
    bool is_undo;      /* of an unconfirmed one */
    struct store_entry_change *changes;
    size_t change_count;
    size_t change_total;
    struct store_entry_key *keys;
    size_t key_count;
    size_t key_total;
};

/* GET /v1/revisions/{n}. The result is borrowed until `done` returns. */
typedef void store_entry_fn(void *arg, const struct store_entry_read *read);
void store_read_entry(struct store *s, uint64_t revision, store_entry_fn *done, void *arg);

#endif
