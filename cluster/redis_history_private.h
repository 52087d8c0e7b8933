/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_history_private.h - what the files redis_history*.c share.
 */
#ifndef CLUSTER_REDIS_HISTORY_PRIVATE_H
#define CLUSTER_REDIS_HISTORY_PRIVATE_H

#include "cluster/redis_courier.h"
#include "cluster/redis_history.h"
#include "cluster/redis_scripts.h"
#include "conf/base/builder.h"
#include "gatewayd/core/loop.h"

#define REDIS_HISTORY_CALL_MS     2000
#define REDIS_HISTORY_BEAT_MS     1000
#define REDIS_HISTORY_BODY_MS     3600000 /* a body stays after it has been folded */
#define REDIS_HISTORY_ITEMS       200     /* folded at a time: well below a millisecond */
#define REDIS_HISTORY_INLINE_MOST ((size_t)512 << 10) /* of items in the log itself */
#define REDIS_HISTORY_ID_HEX      (2 * ENTRY_ID_SIZE)
#define REDIS_HISTORY_TURN_MS     "1000" /* a turn, unless it is renewed */
#define REDIS_HISTORY_NOBODY_MS   5000   /* a node without a history waits for one that has it */

enum history_phase { HISTORY_AWAY, HISTORY_LOOKING, HISTORY_READY };

/* Where a history is. */
struct history_place {
    uint64_t revision;
    struct entry_id id;
};

/* What the script history_head said. */
struct history_head {
    bool is_there;
    struct history_place at;
    struct entry_id cluster;
    uint64_t folded;
    struct entry_id folded_id;
    uint64_t config_tag;
    uint64_t passed; /* how often something was passed over in folding */
    bool is_whole;
};

/* What is offered to Redis now. */
struct history_claim {
    const struct authority_entry *entries; /* NULL: nothing */
    size_t count;
    authority_answered_fn *answered;
    void *arg;
    uint64_t due_ms;
    size_t entry; /* the part that is being staged */
    size_t part;
    struct entry_id staged; /* the last entry whose parts were sent */
    bool is_staged;         /* they are not sent again: they should be there */
    uint64_t run;           /* of the server that it was for */
    bool is_lost;           /* the answer; it is looked up when Redis is back */
    bool is_looking;        /* up */
    struct loop_timer timer;
};

/* While this node has its turn nobody else's commits are taken. */
struct history_turn {
    char token[17];
    bool is_asking;
    bool is_held;
    bool is_renewing;
    struct loop_timer timer;
    authority_turn_fn *answered; /* NULL: nobody waits */
    void *arg;
};

struct history_follow {
    struct history_place at;    /* of the last entry that came */
    struct list coming;         /* store_embedded_incoming; those before it wait for their body */
    bool is_reading;            /* XREAD waits */
    struct history_place asked; /* from where */
    bool is_fetching;           /* a part of the entry with this id */
    struct entry_id fetching;
    size_t missing; /* parts of it */
    uint64_t gone;  /* the revision of an entry whose parts have ended: what is folded has them */
    struct loop_timer timer;
};

/* A full read. */
struct history_read {
    bool is_reading;
    struct history_head head; /* when it began */
    uint64_t from;            /* the entry that is listed next */
    struct entry_id listed;   /* id of the one before */
    unsigned hash;
    char cursor[24];
    size_t cursor_length;
    unsigned at_once; /* fields asked for in one reply */
    bool is_careful;  /* a reply was lost, maybe because it was too large: few at once */
    uint64_t records;
    struct entry_id brought; /* the last one that was read */
};

/* This node's state on its way to Redis. */
struct history_upload {
    bool is_running;
    bool has_head; /* only what is folded is put in place */
    char token[17];
    unsigned attempt;
    struct history_place base;
    bool is_walking;
    struct store_embedded_walk walk;
    uint64_t items;
    struct builder chunk;
    struct list entries; /* store_embedded_incoming: of the log */
};

/* A walk through what may be past its time. */
struct history_tidy {
    struct loop_timer timer;
    unsigned hash;
    char cursor[24];
    size_t cursor_length;
};

/* Where two histories parted. */
struct history_merge {
    struct history_place head;
    uint64_t from;   /* ids are asked for from here */
    uint64_t common; /* 0: not found */
    bool differs;    /* an entry with a number that is here too is another one */
    bool is_trimmed; /* what comes after the common entry is not in the log any more */
};

struct redis_history_tail;

struct redis_history {
    struct authority authority;
    struct redis_history_settings settings;
    struct redis_courier *courier;
    struct builder prefix; /* "{PREFIX}:" */
    struct entry_id cluster;
    enum history_phase phase;
    bool is_up[REDIS_USES];
    bool is_stopping;
    bool has_been_ready;
    bool has_said_age;
    int64_t since;       /* ms since the epoch: of this phase */
    uint64_t looking_ms; /* loop ms when the phase became LOOKING */
    uint64_t fresh_ms;   /* loop ms when this node last stood where the history did */
    int64_t age_ms;      /* of what is here, when this process began; 0 once it has been READY */
    char *reason;        /* why it is not READY */
    struct history_claim claim;
    struct history_turn turn;
    struct history_follow follow;
    struct history_read read;
    struct history_upload upload;
    struct history_merge merge;
    struct history_tidy tidy;
    struct redis_history_tail *tail; /* NULL: nothing is to be put back */
    struct loop_timer beat_timer;
    struct loop_timer look_timer;
    unsigned strays; /* how often in a row what came did not fit */
    uint64_t strayed_ms;
    bool is_beating;
    bool is_folding;
    uint64_t beat_at; /* follow.at when the beat was sent */
    struct entry_id beat_id;
    uint64_t stuck_at; /* what had come at the beat before, when there was more; 0: no more */
    bool is_looking;   /* a step of looking again waits for its answer */
    struct history_place head_at; /* what was looked at last */
    uint64_t nobody_ms;           /* loop ms since when there is no head; 0: there is one */
    uint64_t passed;              /* as the head said last */
    struct conflicts *conflicts;
};

/* redis_history.c */
void redis_history_add_conflict(struct redis_history *h, uint64_t revision);
void redis_history_enter(struct redis_history *h, enum history_phase phase, struct text reason);
/* "{PREFIX}:NAME" and "{PREFIX}:NAME:ID in hex", in the arena. */
struct text redis_history_key(const struct redis_history *h, struct arena *arena, const char *name);
struct text redis_history_key_of(const struct redis_history *h, struct arena *arena,
                                 const char *name, const struct entry_id *id);
/* Which cluster this node is of, for those who write to Redis what is no part of the history. */
void redis_history_tell_cluster(struct redis_history *h);

struct text redis_history_id(const struct entry_id *id); /* its bytes, borrowed */
/* A command, or a script with its keys first, on REDIS_CALLS. `done` is given the history. */
void redis_history_call(struct redis_history *h, const struct text *words, size_t count,
                        redis_courier_fn *done);
void redis_history_run(struct redis_history *h, const struct redis_script *script,
                       const struct text *words, size_t count, size_t key_count,
                       redis_courier_fn *done);
MUST_USE bool redis_history_parse_id(const struct redis_value *v, struct entry_id *id_out);

/* redis_history_beat.c */
void redis_history_beat_init(struct redis_history *h);
void redis_history_beat_ask(struct redis_history *h, redis_courier_fn *done); /* the head */
void redis_history_beat_read(const struct redis_value *v, struct history_head *head_out);
void redis_history_beat_fold(struct redis_history *h);
void redis_history_beat_start(struct redis_history *h);
void redis_history_beat_stop(struct redis_history *h);

/* redis_history_claim.c */
void redis_history_claim_init(struct redis_history *h);
void redis_history_claim_start(struct authority *a, const struct authority_entry *entries,
                               size_t count, authority_answered_fn *answered, void *arg);
void redis_history_claim_on_link(struct redis_history *h); /* the link is up again */
bool redis_history_claim_is_open(const struct redis_history *h);

/* redis_history_follow.c */
void redis_history_follow_init(struct redis_history *h);
void redis_history_follow_start(struct redis_history *h, const struct history_place *from);
void redis_history_follow_stop(struct redis_history *h); /* what has not come whole is dropped */
/* More has come than is applied yet: nothing more is read meanwhile. */
bool redis_history_follow_is_ahead(const struct redis_history *h);
/* An entry as XRANGE and XREAD give it; NULL: it is none. `parts_out` is how many are elsewhere (0:
 * what it changed is in it). */
MUST_USE struct store_embedded_incoming *redis_history_follow_parse(const struct redis_value *entry,
                                                                    uint64_t *parts_out);

/* redis_history_look.c */
void redis_history_look_init(struct redis_history *h);
/* Where does this node stand? Goes on until it is known, then the phase is READY. */
void redis_history_look_start(struct redis_history *h, struct text why);
void redis_history_look_stop(struct redis_history *h);
void redis_history_look_again(struct redis_history *h, uint64_t ms); /* after so long */

/* redis_history_read.c: the state in Redis takes the place of what is here; then looks again. */
void redis_history_read_start(struct redis_history *h);

/* redis_history_tidy.c */
void redis_history_tidy_start(struct redis_history *h);
void redis_history_tidy_stop(struct redis_history *h);

/* redis_history_turn.c */
void redis_history_turn_init(struct redis_history *h);
void redis_history_turn_take(struct authority *a, authority_turn_fn *answered, void *arg);
void redis_history_turn_give(struct authority *a);
void redis_history_turn_stop(struct redis_history *h);

/* redis_history_upload.c: the state of this node goes to Redis, where there is none (`head` NULL),
 * or where what is folded is not whole; then looks again. */
void redis_history_upload_start(struct redis_history *h, const struct history_head *head);

/* redis_history_push.c: the entries that follow `from` here go to Redis; then looks again. */
void redis_history_push_start(struct redis_history *h, const struct history_place *from);

/* redis_history_merge.c: two histories that parted; Redis' one counts. Then looks again. */
void redis_history_merge_start(struct redis_history *h, const struct history_place *head);

#endif
