/* SPDX-License-Identifier: Apache-2.0 */
/*
 * change.h - one change of the store on behalf of a call: from its parameters and conditions to
 * the answer for each way in which it can end.
 *
 * Lifetime: the call's arena. Control thread.
 */
#ifndef ADMIN_CHANGE_H
#define ADMIN_CHANGE_H

#include "admin/call.h"
#include "cluster/members.h"
#include "cluster/store.h"

struct change;

/* Answers a change that was made (STORE_DONE) or was not needed (STORE_UNCHANGED). */
typedef void change_answer_fn(struct change *change, const struct store_result *result);

/* The store is away, or the outcome unknown: does something else and answers. False: it does not.
 */
typedef bool change_away_fn(struct change *change, const struct store_result *result);

/* Sends the answer that was prepared. */
typedef void change_send_fn(struct change *change, unsigned status);

/* Where in what was sent the change at `index` stands ("Line 4: "); for problems of one of many. */
typedef struct text change_place_fn(struct change *change, size_t index);

struct change {
    struct call *call;
    struct store_commit commit;       /* filled in by the handler */
    struct store_condition condition; /* of the call's headers; copied where it belongs */
    struct text what;                 /* "route orders", for sentences */
    change_answer_fn *answer;
    change_away_fn *on_away; /* NULL: it is refused */
    change_place_fn *place;  /* NULL: there is only one */
    void *state;             /* the handler's */
    bool waits_for_all;      /* ?wait=all */
    int64_t timeout_ms;      /* for that */
    struct members_wait wait;
    change_send_fn *send; /* once it has been waited */
    unsigned status;
    bool is_behind; /* this node does not apply the revision */
};

/* Reads If-Match, If-None-Match, confirm, wait, timeout and dry_run. NULL: replied 400. */
MUST_USE struct change *change_new(struct call *call);

/* Holds the call, commits, and answers. */
void change_commit(struct change *change, change_answer_fn *answer);

/* Answers anything else than STORE_DONE and STORE_UNCHANGED. */
void change_refuse(struct change *change, const struct store_result *result);

/* ---- for change_answer_fn ------------------------------------------------------------------- */

/* ETag of what the change made. */
void change_tag(struct change *change, uint64_t tag);

/* Sends the answer that is prepared: with the status, or with 202 when some nodes do not apply the
 * revision, which are named then. With ?wait=all it waits for them first; nothing of `result` is
 * needed after. */
void change_finish(struct change *change, const struct store_result *result, unsigned status,
                   change_send_fn *send);

/* The same, replied with the JSON in call->out; 204, or 202 with {}. */
void change_reply(struct change *change, const struct store_result *result, unsigned status);
void change_reply_deleted(struct change *change, const struct store_result *result);

#endif
