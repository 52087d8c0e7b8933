/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_read.c - what is in a journal that has been checked: all of it once at start, later one
 * entry at a time.
 */
#include "cluster/journal_private.h"
#include "conf/base/mem.h"

struct journal_reader {
    struct journal *journal;
    struct frame_reader frames;
};

struct journal_reader *journal_reader_new(struct journal *j)
{
    return journal_reader_new_from(j, 0);
}

struct journal_reader *journal_reader_new_from(struct journal *j, uint64_t at)
{
    MUST(j->scan == NULL);
    struct journal_reader *r = mem_new(sizeof(*r));
    r->journal = j;
    frame_reader_init(&r->frames, j->fd, at == 0 ? JOURNAL_HEAD_SIZE : at, j->size);
    return r;
}

void journal_reader_free(struct journal_reader **r)
{
    if (*r == NULL)
        return;
    frame_reader_fini(&(*r)->frames);
    MEM_FREE(r);
}

/* False for frames that only say where something begins or ends. */
static bool record_of(const struct journal *j, uint64_t at, const struct frame *frame,
                      struct journal_record *record)
{
    *record = (struct journal_record){ .is_history = at < j->after, .body = frame->payload };
    switch ((enum journal_frame)frame->kind) {
    case JOURNAL_FRAME_ENTRY: {
        size_t parts;
        record->kind = JOURNAL_ENTRY;
        MUST(journal_entry_parse(frame->payload, &record->head, &parts, &record->body));
        return true;
    }
    case JOURNAL_FRAME_PART:
        record->kind = JOURNAL_PART;
        return true;
    case JOURNAL_FRAME_STATE:
        record->kind = JOURNAL_STATE;
        return true;
    case JOURNAL_FRAME_NOTE:
        record->kind = JOURNAL_NOTE;
        return true;
    case JOURNAL_FRAME_CHECKPOINT:
    case JOURNAL_FRAME_SEAL:
        break;
    }
    return false;
}

void journal_reader_next(struct journal_reader *r, struct journal_record *record_out)
{
    for (;;) {
        struct frame frame;
        const char *why = "the file changed under us";
        uint64_t at = r->frames.at;
        enum frame_read result = frame_reader_next(&r->frames, &frame, &why);
        if (result == FRAME_READ_DONE) {
            if (record_of(r->journal, at, &frame, record_out))
                return;
            continue;
        }
        record_out->kind = result == FRAME_READ_END ? JOURNAL_END : JOURNAL_UNREADABLE;
        if (result != FRAME_READ_END)
            r->journal->why = why;
        return;
    }
}

uint64_t journal_reader_at(const struct journal_reader *r)
{
    return r->frames.at;
}

bool journal_read_entry(struct journal *j, uint64_t revision, journal_visit_fn *visit, void *arg)
{
    uint64_t offset;
    j->why = NULL;
    if (!journal_index_find(&j->index, revision, &offset))
        return false;
    struct frame_reader frames;
    frame_reader_init(&frames, j->fd, offset, j->size);
    struct frame frame;
    bool is_good = true;
    for (bool is_first = true; is_good; is_first = false) {
        const char *why = "the file changed under us";
        uint64_t at = frames.at;
        enum frame_read result = frame_reader_next(&frames, &frame, &why);
        if (result == FRAME_READ_TORN || result == FRAME_READ_BROKEN) {
            j->why = why;
            is_good = false;
        }
        struct journal_record record;
        if (result != FRAME_READ_DONE || (!is_first && frame.kind != JOURNAL_FRAME_PART) ||
            !record_of(j, at, &frame, &record))
            break;
        visit(arg, &record);
    }
    frame_reader_fini(&frames);
    return is_good;
}
