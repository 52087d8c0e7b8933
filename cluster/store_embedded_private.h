/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded_private.h - what the files store_embedded*.c share.
 */
#ifndef CLUSTER_STORE_EMBEDDED_PRIVATE_H
#define CLUSTER_STORE_EMBEDDED_PRIVATE_H

#include "cluster/authority.h"
#include "cluster/history.h"
#include "cluster/item.h"
#include "cluster/journal.h"
#include "cluster/scribe.h"
#include "cluster/store_embedded.h"
#include "cluster/store_port.h"
#include "conf/base/map.h"

#define STORE_EMBEDDED_SET_MOST   ((size_t)16 << 20) /* bytes of what one resource is set to */
#define STORE_EMBEDDED_NAMES_MOST 10
#define STORE_EMBEDDED_PART_BYTES ((size_t)256 << 10)
#define STORE_EMBEDDED_PART_MOST  ((size_t)48 << 20) /* that comes in: two resources and a bit */

/* ---- one commit on its way --------------------------------------------------------------------
 * Lifetime: from its call to its done. */

enum embedded_work_kind { WORK_COMMIT, WORK_CONFIRM, WORK_UNDO, WORK_REVOKE, WORK_FOLLOW };

/* AGAIN: more of the same phase; NEXT: it is over; WAIT: goes on from a scribe's job; END: the
 * outcome is known and nothing is to be written. */
enum embedded_step { STEP_AGAIN, STEP_NEXT, STEP_WAIT, STEP_END };

/* Encoded items, cut into parts: each is one command where the history is shared. */
struct embedded_parts {
    struct builder *builders;
    struct text *texts; /* of each, once finished */
    size_t count;
};

/* What a restore or an undo found in the journal: how things were. In the work's arena. */
struct embedded_was {
    enum resource_kind kind;
    struct text name;
    struct text set; /* empty: it was not there */
};

struct embedded_gather {
    struct scribe_job job;
    uint64_t from; /* entries from … to, in this order; the first that names a thing counts */
    uint64_t to;
    struct embedded_was *things;
    size_t count;
    size_t size;
    uint64_t *added_keys; /* ids that the entries added (undo) */
    size_t key_count;
    size_t key_size;
    struct map seen;
    const char *failure; /* not NULL: the journal cannot be read */
};

struct embedded_work {
    struct list node;
    struct store_embedded *store;
    enum embedded_work_kind kind;
    struct store_commit *asked;               /* WORK_COMMIT: as it came */
    struct store_commit *commit;              /* what is planned: `asked`, or `own` */
    struct store_commit own;                  /* what a restore or an undo became; else empty */
    struct store_embedded_incoming *incoming; /* WORK_FOLLOW; owned */
    struct store_confirm *confirm;
    struct store_revoke *revoke;
    struct arena arena;

    unsigned tries;      /* with an authority: how often others were first */
    uint64_t began_ms;   /* loop ms when that began; 0: it has not */
    uint64_t planned_ms; /* loop ms when its planning began, then how long that took */
    bool wants_turn;     /* others are always first */
    bool is_again;       /* its items are those of the try before */

    /* planning */
    unsigned phase;
    size_t at;
    int64_t now; /* ms since the epoch */
    uint64_t tag;
    struct resources_draft *draft;
    struct resources *before; /* counted */
    struct resources *after;  /* counted; what it will be */
    struct store_difference *consumers;
    size_t consumer_count;
    size_t consumer_size;
    size_t looked_at;      /* of the commit's changes, for where their consumers stand */
    struct map seen;       /* names of consumers, or digests of keys, that this commit spoke of */
    struct map plan_users; /* by plan; of `consumers`: see store_embedded_plan.c */
    size_t keys_changed;
    bool changes_keys;      /* some of them are no new ones */
    struct text after_name; /* how far existing consumers have been looked at */
    struct text names[STORE_EMBEDDED_NAMES_MOST];
    struct problems problems;
    struct resources_difference difference;
    size_t resource_count;        /* that it changes; known once they are encoded */
    struct store_difference only; /* the last one of them; of `before` and `after` */
    struct embedded_gather *gather;
    uint64_t undoes; /* WORK_UNDO */

    /* what is written */
    bool is_planned;
    bool is_note; /* parts hold a note, no entry */
    struct entry_head head;
    struct embedded_parts parts;
    const struct text *texts; /* what is written: of `parts`, or of what came in */
    size_t text_count;
    int64_t confirm_until;
    uint64_t settles; /* the entry that this one, or a note, confirms or says to be undone */
    bool settles_undone;
    enum journal_result written;
    bool is_unknown; /* written, but not known to be durable */

    /* applying */
    size_t applied; /* see store_embedded_apply.c */
    size_t part;    /* WORK_FOLLOW: the part at hand, and what is left of it */
    struct text rest;
    struct text held; /* WORK_FOLLOW: why its resources cannot be in force here; empty: they can */
    bool is_applied;

    struct store_result result;
};

/* ---- commits that are written together --------------------------------------------------------
 */

struct embedded_batch {
    struct list node;             /* of those being published */
    struct store_embedded *store; /* NULL: it is gone, hooks of the batch are still to be called */
    struct list works;
    size_t count;
    struct scribe_job job;
    bool is_mixed;      /* holds resources, and consumers or keys: alone */
    bool has_resources; /* changes some */
    bool has_people;    /* changes consumers or keys */
    bool is_alone;
    struct map touched; /* what of consumers and keys; names in the arena */
    struct arena arena;
    uint64_t revision; /* the last one of it that was written */
    const char *why;   /* of the journal's failure; static */
    bool is_broken;    /* the journal takes no more */
    uint64_t journal_size;
    bool is_following; /* its one work is an entry from elsewhere */
    bool is_published;
    bool is_applied;
    struct authority_entry *claim; /* of its works; NULL: not claimed */
    size_t ends_waiting;
    char *behind; /* why it is not in force */
};

/* What is, or will be once all that is on its way is written. */
struct embedded_head {
    struct resources *resources; /* counted */
    uint64_t revision;
    struct entry_id id;
    uint64_t config_tag;
};

/* PAUSED: somebody else has one; HELD: others' changes up to `from` come in, and no more. */
enum embedded_turn_state { TURN_NONE, TURN_PAUSED, TURN_ASKED, TURN_HELD };

struct embedded_turn {
    enum embedded_turn_state state;
    uint64_t from;
    struct loop_timer timer;
};

/* Another process takes the folder over: nothing of ours is planned any more, then nothing is
 * written, then all of it is refused. */
enum embedded_hold { HOLD_NOT, HOLD_RESTING, HOLD_RELEASED, HOLD_LEFT };

struct embedded_compaction;
struct embedded_held;
struct embedded_replacing;
struct embedded_loading;

struct store_embedded {
    struct store store;
    struct store_embedded_settings settings;
    struct state_dir *dir;
    struct journal *journal; /* the scribe's, once started */
    struct scribe *scribe;
    struct history history;
    uint64_t cut;
    struct embedded_head now;         /* durable and applied */
    struct entry_id cluster;          /* of the journal */
    struct embedded_head next;        /* after those planned */
    struct embedded_loading *loading; /* NULL: not now */
    struct loop_slice load_slice;
    bool is_started;
    bool is_stopping;
    enum embedded_hold hold;
    bool is_still;       /* the journal is not written anew */
    const char *refusal; /* why no writes are taken; NULL: they are */
    uint64_t undoing;    /* revision that is being undone; 0: none */
    const char *trouble; /* why the last write failed; NULL: it did not */
    int64_t since;

    struct list queue;              /* works */
    struct embedded_work *planning; /* NULL: none */
    struct embedded_batch *batch;   /* being filled, journalled or applied */
    bool is_writing;                /* the batch is with the scribe */
    bool is_gathering;              /* what is planned waits for the scribe */
    struct list publishing;         /* batches */
    struct list spent;              /* works that are being freed */
    struct loop_slice spent_slice;
    struct list unshared; /* store_embedded_revoked.c */
    struct map unshared_by_digest;
    struct loop_slice slice;
    struct loop_timer confirm_timer;
    struct loop_timer care_timer;
    struct loop_slice tidy_slice;
    uint64_t tidy_key; /* how far the look at tombstones is */

    /* with an authority */
    struct authority *authority; /* NULL: the journal is it */
    struct list inbox;           /* store_embedded_incoming, in the order of revisions */
    size_t inbox_bytes;
    bool is_claiming; /* the batch is with the authority */
    bool must_follow; /* others were first: nothing is claimed before they came in */
    struct embedded_turn turn;
    struct loop_timer follow_timer;
    struct loop_timer sync_timer;
    struct scribe_job sync_job;
    bool is_syncing;
    bool is_unwritten; /* the journal ends before what is here: it has to be made anew */
    struct embedded_replacing *replacing; /* NULL: not now */
    struct loop_slice replace_slice;
    struct embedded_held *held; /* what cannot be in force here; NULL: nothing */

    struct embedded_compaction *compaction; /* NULL: none */
    struct loop_slice compact_slice;
    uint64_t journal_size;       /* after the last write */
    uint64_t compact_at;         /* size of the journal from which it is worth it */
    uint64_t compact_not_before; /* loop ms, after a failure */
};

static inline struct store_embedded *store_embedded_of(const struct store *s)
{
    return CONTAINER_OF(s, struct store_embedded, store);
}

/* store_embedded.c */
void store_embedded_advance(struct embedded_head *head, struct resources *resources); /* counts */
const struct checks *store_embedded_checks(const struct store_embedded *e);
int64_t store_embedded_wall(const struct store_embedded *e);

/* store_embedded_load.c; store_embedded_load() is in store_embedded.h */
void store_embedded_load_stop(struct store_embedded *e); /* gives up what is being loaded */
/* A consumer as what was set, in a new resource; NULL if there is none. */
MUST_USE struct resource *store_embedded_consumer(const struct store_embedded *e, struct text name);

/* store_embedded_work.c */
struct embedded_work *store_embedded_work_new(struct store_embedded *e,
                                              enum embedded_work_kind kind);
void store_embedded_work_free(struct embedded_work **w); /* in slices if it is large */
void store_embedded_work_init(struct store_embedded *e);
void store_embedded_work_fini(struct store_embedded *e); /* frees what is being freed */
/* One step of planning. STEP_NEXT never: END, WAIT, AGAIN, or is_planned (AGAIN no more). */
enum embedded_step store_embedded_work_step(struct embedded_work *w);
enum embedded_step store_embedded_work_end(struct embedded_work *w, enum store_outcome outcome);
enum embedded_step store_embedded_work_refer(struct embedded_work *w, struct text name);

/* The same asked for again, to be planned on what is there now; the old one is gone. */
struct embedded_work *store_embedded_work_again(struct embedded_work **w);

/* store_embedded_claim.c: batches before they are written, where there is an authority. */
void store_embedded_claim_init(struct store_embedded *e);
void store_embedded_claim_stop(struct store_embedded *e);
void store_embedded_claim_start(struct store_embedded *e);
void store_embedded_claim_give_back(struct store_embedded *e); /* the batch is planned anew */
/* The same, but for what was planned too often: it fails. */
void store_embedded_claim_moved(struct store_embedded *e);
void store_embedded_claim_sync(struct store_embedded *e); /* the journal, soon */

/* store_embedded_turn.c: where others are always first. */
void store_embedded_turn_init(struct store_embedded *e);
void store_embedded_turn_consider(
    struct store_embedded *e);                            /* what was not taken is queued again */
void store_embedded_turn_pause(struct store_embedded *e); /* somebody else has one */
bool store_embedded_turn_must_wait(const struct store_embedded *e); /* nothing is planned now */
void store_embedded_turn_end(struct store_embedded *e);             /* what it was for has ended */

/* store_embedded_follow.c: entries from elsewhere. */
void store_embedded_follow_init(struct store_embedded *e);
void store_embedded_follow_fini(struct store_embedded *e);
/* The next one of the inbox, to be planned; NULL: there is none, or it goes astray. */
struct embedded_work *store_embedded_follow_next(struct store_embedded *e);
bool store_embedded_follow_has_next(struct store_embedded *e); /* drops what is known */
enum embedded_step store_embedded_follow_step(struct embedded_work *w);
bool store_embedded_follow_apply(struct embedded_work *w); /* one item's keys; false: no more */
void store_embedded_follow_free(struct store_embedded_incoming **in);
/* Of an entry that is only listed: until when it had to be confirmed (0: it had not), and what it
 * says of others. */
int64_t store_embedded_follow_confirm_until(const struct store_embedded_incoming *in);
void store_embedded_follow_settle(struct store_embedded *e,
                                  const struct store_embedded_incoming *in);

/* store_embedded_held.c: what came in and cannot be in force here. */
/* Puts what was held back into the draft of a work that follows, as far as this version takes it.
 * _pass: the work brings another one in its place. _is_stuck: there is one that is not taken. */
void store_embedded_held_try(struct embedded_work *w);
void store_embedded_held_pass(struct embedded_work *w, const struct item_resource *item);
bool store_embedded_held_is_stuck(const struct store_embedded *e);
/* The work's resources are taken in: those of it are held back too, or nothing is any more. */
void store_embedded_held_settle(struct embedded_work *w);
void store_embedded_held_free(struct embedded_held **h);

/* All of it, as items of a checkpoint. */
void store_embedded_held_print(const struct store_embedded *e, struct builder *b);
/* An item by itself, and why. */
void store_embedded_held_add(struct store_embedded *e, const struct item_resource *item,
                             const char *why);

/* store_embedded_replace.c */
void store_embedded_replace_init(struct store_embedded *e);
void store_embedded_replace_stop(struct store_embedded *e);
/* It is about to be written, once a compaction has given way. */
bool store_embedded_replace_waits(const struct store_embedded *e);
void store_embedded_replace_write(struct store_embedded *e); /* there is no compaction any more */

/* store_embedded_items.c: what is known of a key, into the table; may come twice. Ends what began
 * with it when `batch` is not NULL. */
void store_embedded_items_key(struct store_embedded *e, const struct item_key *item,
                              struct embedded_batch *batch);

/* store_embedded_plan.c: resources and consumers of a commit. */
/* Of a consumer; takes both counts, either may be NULL. */
void store_embedded_plan_difference(struct embedded_work *w, struct resource *before,
                                    struct resource *after);
/* For resources_outside: as many as there will be after the work `arg`. */
size_t store_embedded_plan_users(void *arg, struct text plan);
enum embedded_step store_embedded_plan_changes(struct embedded_work *w);
enum embedded_step store_embedded_plan_removals(struct embedded_work *w);
enum embedded_step store_embedded_plan_seal(struct embedded_work *w);
enum embedded_step store_embedded_plan_consumers(struct embedded_work *w);

/* store_embedded_keys.c */
enum embedded_step store_embedded_keys_check(struct embedded_work *w);
/* What becomes of key change `i`; false: nothing. Texts as in the table and the commit. */
bool store_embedded_keys_record(struct embedded_work *w, size_t i, struct item_key *out);
void store_embedded_keys_apply(struct embedded_work *w, size_t i);
/* Ends what began with the key; the batch is not answered before. */
void store_embedded_keys_end(struct embedded_batch *batch, struct key_handle handle);

/* store_embedded_encode.c: the items of a planned commit, and its head. */
enum embedded_step store_embedded_encode_resources(struct embedded_work *w);
enum embedded_step store_embedded_encode_consumers(struct embedded_work *w);
enum embedded_step store_embedded_encode_keys(struct embedded_work *w);
enum embedded_step store_embedded_encode_head(struct embedded_work *w);
/* The head of an entry that changes nothing but what became of another. */
void store_embedded_encode_settled(struct embedded_work *w, struct text author);
struct builder *store_embedded_encode_room(struct embedded_parts *parts);
void store_embedded_encode_finish(struct embedded_work *w);
void store_embedded_encode_free(struct embedded_parts *parts);
bool store_embedded_encode_free_some(struct embedded_parts *parts); /* true if there is more */

/* store_embedded_care.c: tombstones past their time. */
void store_embedded_care_init(struct store_embedded *e);
void store_embedded_care_start(struct store_embedded *e);
void store_embedded_care_stop(struct store_embedded *e);

/* store_embedded_batch.c */
void store_embedded_batch_init(struct store_embedded *e);
void store_embedded_batch_fini(struct store_embedded *e);
void store_embedded_batch_run(struct store_embedded *e); /* there may be something to do */
bool store_embedded_batch_is_idle(const struct store_embedded *e);
void store_embedded_batch_refuse(struct store_embedded *e); /* all that waits */
void store_embedded_batch_write(struct store_embedded *e);  /* the batch, by the scribe */
/* One outcome for all of the batch, which is gone then. */
void store_embedded_batch_fail(struct store_embedded *e, enum store_outcome outcome,
                               struct text reason);
void store_embedded_batch_free(struct embedded_batch **batch);
/* One of the hooks was called: it is published, or something has ended. The store may be gone. */
void store_embedded_batch_on_hook(struct embedded_batch *batch);
void store_embedded_batch_rewind(struct store_embedded *e); /* what comes builds on what is */
void store_embedded_batch_resume(struct embedded_work *w);  /* after STEP_WAIT */

/* store_embedded_apply.c: true if there is more. */
bool store_embedded_apply_step(struct embedded_batch *batch);

/* store_embedded_undo.c */
enum embedded_step store_embedded_undo_gather(struct embedded_work *w);
enum embedded_step store_embedded_undo_choose(struct embedded_work *w);
void store_embedded_undo_free(struct embedded_gather **g);
void store_embedded_undo_init(struct store_embedded *e);
void store_embedded_undo_watch(struct store_embedded *e); /* sets the timer */
void store_embedded_undo_ended(struct store_embedded *e, bool is_done);
void store_embedded_undo_settled(struct store_embedded *e, const struct item_confirmed *c);
enum embedded_step store_embedded_undo_confirm(struct embedded_work *w);

/* store_embedded_revoked.c: revocations that do not wait for the shared history. */
void store_embedded_revoked_init(struct store_embedded *e);
void store_embedded_revoked_fini(struct store_embedded *e);
void store_embedded_revoked_remember(struct store_embedded *e, const struct digest *digest);
bool store_embedded_revoked_is_unshared(const struct store_embedded *e,
                                        const struct digest *digest);
/* An entry of the history says that it is revoked. */
void store_embedded_revoked_share(struct store_embedded *e, const struct digest *digest);
/* As credentials_add_key, whoever's entry it comes from; a key that was revoked before it was known
 * stays revoked and gets its details. */
enum credentials_added store_embedded_revoked_add_key(struct store_embedded *e,
                                                      const struct credentials_key *key);
/* Revokes by digest, a key that is not known too. True: `handle_out` is what began with it. */
bool store_embedded_revoked_apply(struct store_embedded *e, const struct credentials_key *key,
                                  struct key_handle *handle_out);
/* From the journal's note or checkpoint. */
void store_embedded_revoked_load(struct store_embedded *e, const struct credentials_key *key);
/* All that are unshared, as items. */
void store_embedded_revoked_add(const struct store_embedded *e, struct embedded_parts *parts);
void store_embedded_revoked_print(const struct store_embedded *e, struct builder *b);
enum embedded_step store_embedded_revoked_plan(struct embedded_work *w);
void store_embedded_revoked_settle(struct embedded_batch *batch, struct embedded_work *w);
void store_embedded_revoked_start(struct store *s, struct store_revoke *r);
size_t store_embedded_revoked_list(struct store *s, struct store_revocation *items, size_t size);

/* store_embedded_hold.c: store_embedded_keep_still() and what follows it in store_embedded.h */
static inline bool store_embedded_can_write(const struct store_embedded *e)
{
    return e->hold < HOLD_RELEASED;
}

/* store_embedded_compact.c */
void store_embedded_compact_init(struct store_embedded *e);
void store_embedded_compact_after(struct store_embedded *e, uint64_t size);
void store_embedded_compact_consider(struct store_embedded *e); /* starts if it is worth it */
void store_embedded_compact_give_up(struct store_embedded *e);  /* unless the scribe has it */
void store_embedded_compact_stop(struct store_embedded *e);

/* store_embedded_entry.c */
void store_embedded_entry_read(struct store *s, uint64_t revision, store_entry_fn *done, void *arg);

#endif
