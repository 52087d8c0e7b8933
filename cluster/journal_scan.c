/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_scan.c - reads every frame once, checks the chain of entries, notes where each stands,
 * and cuts off a tail that a crash tore.
 *
 *     HISTORY ──checkpoint──▶ STATE ──seal──▶ AFTER          (base > 0)
 *                                             AFTER          (base = 0)
 *
 * Torn is only what lies behind everything that any whole frame calls durable; all else that is
 * wrong is damage, and damage stops the start: nothing acknowledged is ever skipped.
 */
#include "cluster/journal_scan.h"

#include <inttypes.h>
#include <stdio.h>

#include "cluster/journal_private.h"
#include "conf/base/mem.h"

/* Numbers that JSON and Redis can hold. */
#define REVISION_MOST ((uint64_t)1 << 53)

enum section { SECTION_HISTORY, SECTION_STATE, SECTION_AFTER };

struct journal_scan {
    struct frame_reader reader;
    uint64_t file_size;
    enum section section;
    bool is_torn; /* from torn_at on there was no whole frame */
    uint64_t torn_at;
    uint64_t entry_at;    /* where the entry being read began */
    size_t parts_missing; /* of it */
    struct entry_id entry_id;
    uint64_t entry_revision;
    struct entry_id entry_prev;
};

struct journal_scan *journal_scan_new(struct journal *j, uint64_t file_size)
{
    struct journal_scan *s = mem_new(sizeof(*s));
    s->file_size = file_size;
    s->section = j->head.base == 0 ? SECTION_AFTER : SECTION_HISTORY;
    frame_reader_init(&s->reader, j->fd, JOURNAL_HEAD_SIZE, file_size);
    j->size = JOURNAL_HEAD_SIZE;
    j->after = JOURNAL_HEAD_SIZE;
    return s;
}

struct journal_scan *journal_scan_resume(struct journal *j, uint64_t file_size)
{
    struct journal_scan *s = mem_new(sizeof(*s));
    s->file_size = file_size;
    s->section = SECTION_AFTER;
    frame_reader_init(&s->reader, j->fd, j->size, file_size);
    return s;
}

void journal_scan_free(struct journal_scan **s)
{
    if (*s == NULL)
        return;
    frame_reader_fini(&(*s)->reader);
    MEM_FREE(s);
}

static enum journal_step damaged(struct journal *j, uint64_t at, const char *what,
                                 struct problems *ps)
{
    char file[4096];
    snprintf(file, sizeof(file), "%s/%s", j->dir->path, JOURNAL_FILE);
    problems_add(ps, (struct place){ .file = file },
                 "Damaged at offset %" PRIu64 ": %s. Put back a copy, or move the file away to "
                 "start from nothing.",
                 at, what);
    return JOURNAL_DAMAGED;
}

uint64_t journal_checked(const struct journal *j)
{
    return j->scan == NULL ? j->size : j->scan->reader.at;
}

uint64_t journal_file_size(const struct journal *j)
{
    return j->scan == NULL ? j->size : j->scan->file_size;
}

/* NULL, or what is wrong. */
static const char *follow_entry(struct journal *j, const struct journal_scan *s)
{
    if (s->entry_revision > REVISION_MOST)
        return "a revision is out of range";
    bool is_first = j->index.count == 0;
    if (is_first && s->section == SECTION_HISTORY)
        return s->entry_revision == 0 || s->entry_revision > j->head.base
                   ? "the first revision is out of range"
                   : NULL;
    if (s->entry_revision != j->last_revision + 1)
        return "a revision is missing or out of order";
    if (!entry_id_equals(&s->entry_prev, &j->last_id))
        return "an entry does not follow the one before it";
    return NULL;
}

/* The last part of an entry has been read. */
static const char *finish_entry(struct journal *j, struct journal_scan *s)
{
    const char *wrong = follow_entry(j, s);
    if (wrong != NULL)
        return wrong;
    journal_index_add(&j->index, s->entry_revision, s->entry_at);
    j->last_revision = s->entry_revision;
    j->last_id = s->entry_id;
    j->size = s->reader.at;
    return NULL;
}

static const char *on_entry(struct journal *j, struct journal_scan *s, uint64_t at,
                            const struct frame *frame)
{
    struct entry_head head;
    struct text body;
    if (s->section == SECTION_STATE)
        return "an entry stands inside the checkpoint";
    if (!journal_entry_parse(frame->payload, &head, &s->parts_missing, &body))
        return "an entry cannot be read";
    s->entry_at = at;
    s->entry_revision = head.revision;
    s->entry_id = head.id;
    s->entry_prev = head.prev;
    return s->parts_missing == 0 ? finish_entry(j, s) : NULL;
}

static const char *on_part(struct journal *j, struct journal_scan *s)
{
    if (s->parts_missing == 0)
        return "a part belongs to no entry";
    s->parts_missing--;
    return s->parts_missing == 0 ? finish_entry(j, s) : NULL;
}

static const char *on_checkpoint(struct journal *j, struct journal_scan *s)
{
    if (s->section != SECTION_HISTORY || j->head.base > REVISION_MOST)
        return "a checkpoint stands where none can be";
    if (j->index.count > 0 &&
        (j->last_revision != j->head.base || !entry_id_equals(&j->last_id, &j->head.base_id)))
        return "the entries before the checkpoint do not lead to it";
    j->last_revision = j->head.base;
    j->last_id = j->head.base_id;
    s->section = SECTION_STATE;
    j->size = s->reader.at;
    return NULL;
}

static const char *on_seal(struct journal *j, struct journal_scan *s)
{
    if (s->section != SECTION_STATE)
        return "a checkpoint ends that did not begin";
    s->section = SECTION_AFTER;
    j->size = s->reader.at;
    j->after = s->reader.at;
    return NULL;
}

static const char *on_frame(struct journal *j, struct journal_scan *s, uint64_t at,
                            const struct frame *frame)
{
    if (s->parts_missing > 0 && frame->kind != JOURNAL_FRAME_PART)
        return "an entry is not complete";
    if (frame->durable > s->reader.at)
        return "a frame says more is durable than there is";
    switch (frame->kind) {
    case JOURNAL_FRAME_ENTRY:
        return on_entry(j, s, at, frame);
    case JOURNAL_FRAME_PART:
        return on_part(j, s);
    case JOURNAL_FRAME_CHECKPOINT:
        return on_checkpoint(j, s);
    case JOURNAL_FRAME_SEAL:
        return on_seal(j, s);
    case JOURNAL_FRAME_STATE:
        j->size = s->reader.at;
        return s->section == SECTION_STATE ? NULL : "state stands outside the checkpoint";
    case JOURNAL_FRAME_NOTE:
        j->size = s->reader.at;
        return s->section == SECTION_AFTER ? NULL : "a note stands before the checkpoint's end";
    default:
        return "a record of an unknown kind: a newer gatewayd wrote it";
    }
}

static enum journal_step unreadable(struct journal *j, uint64_t at, const char *why,
                                    struct problems *ps)
{
    char what[128];
    snprintf(what, sizeof(what), "it cannot be read there: %s", why);
    return damaged(j, at, what, ps);
}

static enum journal_step finish(struct journal *j)
{
    j->durable = j->size;
    journal_scan_free(&j->scan);
    return JOURNAL_FINISHED;
}

/* Everything from j->size on is to go: nobody was told that it is durable. */
static enum journal_step cut_tail(struct journal *j, struct problems *ps)
{
    const char *why = NULL;
    j->cut = j->scan->file_size - j->size;
    if (disk_truncate(j->fd, j->size, &why) != DISK_DONE || disk_sync(j->fd, &why) != DISK_DONE)
        return unreadable(j, j->size, why, ps);
    return finish(j);
}

/* Behind the place where the file is torn, or damaged: does any whole frame say that more of it
 * was durable than will be left? */
static enum journal_step look_behind(struct journal *j, uint64_t stop, struct problems *ps)
{
    struct journal_scan *s = j->scan;
    struct frame frame;
    const char *why = NULL;
    while (s->reader.at < stop) {
        switch (frame_reader_resync(&s->reader, &frame, &why)) {
        case FRAME_READ_DONE:
            if (frame.durable > j->size && frame.durable <= s->file_size)
                return damaged(j, s->torn_at,
                               "the checksum is wrong and acknowledged entries follow", ps);
            break;
        case FRAME_READ_BROKEN:
            return unreadable(j, s->reader.at, why, ps);
        case FRAME_READ_END:
        case FRAME_READ_TORN:
            return cut_tail(j, ps);
        }
    }
    return JOURNAL_MORE;
}

/* No whole frame follows. */
static enum journal_step end_frames(struct journal *j, struct problems *ps)
{
    struct journal_scan *s = j->scan;
    /* What is not whole yet is being written by the one beside whom it is read. */
    if (j->is_beside && j->size >= j->head.sealed && s->section == SECTION_AFTER)
        return finish(j);
    if (j->size == s->file_size && j->size >= j->head.sealed && s->section == SECTION_AFTER)
        return finish(j);
    if (j->size < j->head.sealed || s->section != SECTION_AFTER)
        return damaged(j, s->reader.at < s->file_size ? s->reader.at : s->file_size,
                       "what was written before the last checkpoint was finished is incomplete",
                       ps);
    s->is_torn = true;
    s->torn_at = s->reader.at;
    return JOURNAL_MORE;
}

enum journal_step journal_scan(struct journal *j, size_t bytes, struct problems *ps)
{
    struct journal_scan *s = j->scan;
    MUST(s != NULL);
    uint64_t stop = s->reader.at + bytes;
    if (s->is_torn)
        return look_behind(j, stop, ps);
    while (s->reader.at < stop) {
        struct frame frame;
        const char *why = NULL;
        uint64_t at = s->reader.at;
        enum frame_read result = frame_reader_next(&s->reader, &frame, &why);
        if (result == FRAME_READ_BROKEN)
            return unreadable(j, at, why, ps);
        if (result != FRAME_READ_DONE)
            return end_frames(j, ps);
        const char *wrong = on_frame(j, s, at, &frame);
        if (wrong != NULL)
            return damaged(j, at, wrong, ps);
    }
    return JOURNAL_MORE;
}
