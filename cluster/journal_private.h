/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_private.h - what the files journal*.c share.
 */
#ifndef CLUSTER_JOURNAL_PRIVATE_H
#define CLUSTER_JOURNAL_PRIVATE_H

#include "cluster/disk.h"
#include "cluster/frame.h"
#include "cluster/journal.h"
#include "conf/base/builder.h"

#define JOURNAL_FILE       "journal"
#define JOURNAL_FILE_ASIDE "journal.new"
#define JOURNAL_VERSION    1
#define JOURNAL_HEAD_SIZE  96

/* In files: never renumber. */
enum journal_frame {
    JOURNAL_FRAME_ENTRY = 1,      /* head, number of further parts, first part */
    JOURNAL_FRAME_PART = 2,       /* of the entry before it */
    JOURNAL_FRAME_CHECKPOINT = 3, /* the state at the base revision begins */
    JOURNAL_FRAME_STATE = 4,
    JOURNAL_FRAME_SEAL = 5, /* and ends */
    JOURNAL_FRAME_NOTE = 6
};

struct journal_head {
    struct entry_id cluster_id;
    uint64_t base; /* revision of the checkpoint; 0: there is none */
    struct entry_id base_id;
    uint64_t sealed; /* size of the file when it was put in place: no crash tears that part */
    int64_t created_ms;
};

/* Offsets of entries in the file, by revision. */
struct journal_index {
    uint64_t first; /* 0: empty */
    uint64_t *offsets;
    size_t count;
    size_t size;
};

struct journal_scan;
struct journal_compaction;

struct journal {
    struct state_dir *dir; /* borrowed */
    int fd;
    struct journal_head head;
    struct journal_index index;
    uint64_t size;    /* end of the last good frame */
    uint64_t durable; /* of those, on the disk for sure */
    uint64_t after;   /* where the frames behind the checkpoint begin */
    uint64_t last_revision;
    struct entry_id last_id;
    uint64_t cut;
    bool is_broken;
    bool is_beside; /* another process writes it */
    enum journal_result last_failure;
    const char *why;
    struct builder scratch;
    struct journal_scan *scan;             /* NULL once finished */
    struct journal_compaction *compaction; /* NULL: none */
};

/* The header, to and from its JOURNAL_HEAD_SIZE bytes. */
void journal_head_print(const struct journal_head *head, struct builder *b);
enum journal_head_result {
    JOURNAL_HEAD_GOOD,
    JOURNAL_HEAD_FOREIGN,
    JOURNAL_HEAD_VERSION,
    JOURNAL_HEAD_BAD
};
MUST_USE enum journal_head_result journal_head_parse(struct text bytes, struct journal_head *head);

/* The payload of an ENTRY frame; `parts` are the further ones. */
void journal_entry_print(const struct entry_head *head, size_t parts, struct text body,
                         struct builder *b);
MUST_USE bool journal_entry_parse(struct text payload, struct entry_head *head_out,
                                  size_t *parts_out, struct text *body_out);

void journal_index_init(struct journal_index *index);
void journal_index_fini(struct journal_index *index);
void journal_index_add(struct journal_index *index, uint64_t revision, uint64_t offset);
MUST_USE bool journal_index_find(const struct journal_index *index, uint64_t revision,
                                 uint64_t *offset_out);

/* Remembers why; BROKEN stays. */
enum journal_result journal_failed(struct journal *j, enum disk_result result, const char *why);

/* The whole file (fd) written, made durable, put in the place of the journal's. The file's name
 * is JOURNAL_FILE_ASIDE until then. */
MUST_USE enum journal_result journal_put_in_place(struct journal *j, int fd);

#endif
