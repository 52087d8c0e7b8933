/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal.h - the file "journal" of state.dir: a checkpoint of the whole state, and every change
 * accepted since, in their order. Its format is described in cluster/README.md.
 *
 * Blocking. Lifetime: process. One thread at a time: whoever opens and scans it hands it to the
 * scribe. The folder must be locked.
 *
 * Open: journal_open, journal_scan until it is finished, then a journal_reader for what is in it.
 * An entry is durable once journal_sync has said so; what was appended after the last
 * journal_sync may be gone after a crash, all of it or from some entry on.
 */
#ifndef CLUSTER_JOURNAL_H
#define CLUSTER_JOURNAL_H

#include "cluster/entry.h"
#include "cluster/state_dir.h"
#include "conf/base/problem.h"

struct journal;

enum journal_result {
    JOURNAL_DONE,
    JOURNAL_FULL,  /* no space; nothing of it is in the file; try again when there is some */
    JOURNAL_BROKEN /* the disk failed in a way that leaves open what is on it: no more writes until
                      the process starts again; journal_why() */
};

/* Opens the journal, or makes an empty one. NULL and one problem when it is no journal, of an
 * unknown version, or cannot be opened. `dir` is borrowed. */
MUST_USE struct journal *journal_open(struct state_dir *dir, struct problems *ps);
void journal_close(struct journal **j);

/* The same beside the process that holds the folder: nothing is changed, and a scan ends before
 * what is being written at that moment. When the folder is locked journal_take() makes it ours:
 * what came since is scanned then (journal_scan), and read by a reader from where the last one
 * ended. False and one problem: another file has taken its place meanwhile. */
MUST_USE struct journal *journal_open_beside(struct state_dir *dir, struct problems *ps);
MUST_USE bool journal_take(struct journal *j, struct problems *ps);

enum journal_step { JOURNAL_MORE, JOURNAL_FINISHED, JOURNAL_DAMAGED };

/* Checks about `bytes` more of the file. DAMAGED with one problem that says where. When FINISHED a
 * tail torn by a crash is cut off: journal_cut() says how many bytes. */
MUST_USE enum journal_step journal_scan(struct journal *j, size_t bytes, struct problems *ps);
uint64_t journal_cut(const struct journal *j);

/* How far that is: bytes checked, of so many in the file. Until it is finished. */
uint64_t journal_checked(const struct journal *j);
uint64_t journal_file_size(const struct journal *j);

/* Of the chain of entries; 0 and zeros when there is none. */
uint64_t journal_last_revision(const struct journal *j);
struct entry_id journal_last_id(const struct journal *j);
uint64_t journal_first_revision(const struct journal *j); /* the oldest that can be read, or 0 */
struct entry_id journal_cluster_id(const struct journal *j);
uint64_t journal_size(const struct journal *j);
uint64_t journal_sealed(const struct journal *j); /* its size when it was compacted last */
const char *journal_why(const struct journal *j); /* of the last FULL or BROKEN; static */

/* ---- writing ---- */

/* head->revision must follow the last one and head->prev be its id; otherwise (an entry before it
 * in the same group failed) the answer is that failure's. Each part at most FRAME_PAYLOAD_MAX -
 * 4096 bytes. */
MUST_USE enum journal_result journal_append(struct journal *j, const struct entry_head *head,
                                            const struct text *parts, size_t count);

/* A remark that is no change: it stays until the next checkpoint. */
MUST_USE enum journal_result journal_append_note(struct journal *j, struct text note);

/* After journal_sync: a frame that says in the file that everything before it is durable, so that
 * damage to the last entry is not taken for a torn tail. It is not made durable itself, and there
 * is nothing to do when it cannot be written: what was acknowledged is. */
void journal_mark(struct journal *j);

/* Makes all that was appended durable. FULL never. */
MUST_USE enum journal_result journal_sync(struct journal *j);
bool journal_is_dirty(const struct journal *j);
bool journal_is_broken(const struct journal *j); /* it takes no more */

/* ---- reading ---- */

enum journal_record_kind {
    JOURNAL_ENTRY,
    JOURNAL_PART,  /* a further part of the entry before it */
    JOURNAL_STATE, /* items of the checkpoint */
    JOURNAL_NOTE,
    JOURNAL_END,
    JOURNAL_UNREADABLE /* journal_why() */
};

struct journal_record {
    enum journal_record_kind kind;
    bool is_history; /* ENTRY, PART: older than the checkpoint, not to be applied */
    struct entry_head head;
    struct text body; /* of an ENTRY: its first part. Borrowed until the next record. */
};

struct journal_reader;
struct journal_reader *journal_reader_new(struct journal *j);
/* From what journal_size() was after an earlier scan; 0: from the beginning. */
struct journal_reader *journal_reader_new_from(struct journal *j, uint64_t at);
void journal_reader_free(struct journal_reader **r);
void journal_reader_next(struct journal_reader *r, struct journal_record *record_out);
uint64_t journal_reader_at(
    const struct journal_reader *r); /* bytes of journal_size() that were read */

/* Calls `visit` with the ENTRY and each PART of a revision. False if it is not in the file, or
 * cannot be read (journal_why() is not NULL then). */
typedef void journal_visit_fn(void *arg, const struct journal_record *record);
MUST_USE bool journal_read_entry(struct journal *j, uint64_t revision, journal_visit_fn *visit,
                                 void *arg);

/* ---- compaction: a new file beside the old one, then in its place ----
 *
 * The state handed over may be newer than `base` in places: entries after base are kept behind it
 * and set it right. Appending goes on meanwhile. */

/* Entries from `keep_from` on stay readable; `base` is the last one that is in the state for
 * sure. A failure leaves the journal as it was. */
MUST_USE enum journal_result journal_compact_start(struct journal *j, uint64_t keep_from,
                                                   uint64_t base);
MUST_USE enum journal_result journal_compact_add(struct journal *j, struct text items);
MUST_USE enum journal_result journal_compact_finish(struct journal *j);
void journal_compact_cancel(struct journal *j);
bool journal_compact_is_running(const struct journal *j);

/* ---- another state in the place of all that is there: start, entries, begin_state, then
 * journal_compact_add and journal_compact_finish as above. `base` 0: nothing but the cluster. A
 * compaction that is running is given up. */
MUST_USE enum journal_result journal_replace_start(struct journal *j,
                                                   const struct entry_id *cluster_id, uint64_t base,
                                                   const struct entry_id *base_id);
/* An entry that is only to be read, up to the base; they follow each other. */
MUST_USE enum journal_result journal_replace_add(struct journal *j, const struct entry_head *head,
                                                 const struct text *parts, size_t count);
MUST_USE enum journal_result journal_replace_begin_state(struct journal *j);

#endif
