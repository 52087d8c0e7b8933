/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_compact.c - writes a smaller journal beside the old one and puts it in its place:
 *
 *     header · entries kept for reading · CHECKPOINT · STATE … · SEAL · what came after base
 *
 * Until the rename the old file counts, from then on the new one; both are whole at that moment.
 * The frames are written anew because `durable` speaks of offsets in their own file: 0 in what is
 * sealed.
 */
#include <unistd.h>

#include "cluster/journal_private.h"
#include "conf/base/mem.h"

/* A big file is made durable as it grows, so that the last fdatasync does not hold up appends. */
#define SYNC_EVERY ((uint64_t)8 << 20)

struct journal_compaction {
    int fd;
    struct journal_head head;
    struct journal_index index;
    uint64_t size;
    uint64_t synced;
    uint64_t after;
    bool is_replacing; /* nothing of the old file is kept */
    struct builder scratch;
};

bool journal_compact_is_running(const struct journal *j)
{
    return j->compaction != NULL;
}

static void drop(struct journal *j)
{
    struct journal_compaction *c = j->compaction;
    if (c->fd >= 0)
        close(c->fd);
    journal_index_fini(&c->index);
    builder_fini(&c->scratch);
    MEM_FREE(&j->compaction);
}

void journal_compact_cancel(struct journal *j)
{
    if (j->compaction == NULL)
        return;
    unlinkat(j->dir->fd, JOURNAL_FILE_ASIDE, 0);
    drop(j);
}

static enum journal_result give_up(struct journal *j, enum disk_result result, const char *why)
{
    journal_compact_cancel(j);
    return journal_failed(j, result, why);
}

static enum disk_result write_frame(struct journal_compaction *c, uint8_t kind, struct text payload,
                                    const char **why_out)
{
    builder_clear(&c->scratch);
    frame_add(&c->scratch, kind, 0, payload);
    enum disk_result result = disk_write(c->fd, builder_text(&c->scratch), c->size, why_out);
    if (result != DISK_DONE)
        return result;
    c->size += c->scratch.length;
    if (c->size - c->synced < SYNC_EVERY)
        return DISK_DONE;
    c->synced = c->size;
    return disk_sync(c->fd, why_out);
}

/* The entry in the frame is to be copied: *is_wanted for it and its parts. False: it is past
 * `last`. */
static bool choose(struct journal_compaction *c, const struct frame *frame, uint64_t first,
                   uint64_t last, bool *is_wanted)
{
    struct entry_head head;
    struct text body;
    size_t parts;
    MUST(journal_entry_parse(frame->payload, &head, &parts, &body));
    *is_wanted = head.revision >= first;
    if (head.revision > last)
        return false;
    if (*is_wanted)
        journal_index_add(&c->index, head.revision, c->size);
    return true;
}

static void skip_checkpoint(const struct journal *j, struct frame_reader *frames)
{
    frame_reader_fini(frames);
    frame_reader_init(frames, j->fd, j->after, j->size);
}

/* Copies entries with first <= revision <= last, and notes if asked for, from `at` on. */
static enum disk_result copy(struct journal *j, uint64_t at, uint64_t first, uint64_t last,
                             bool with_notes, const char **why_out)
{
    struct frame_reader frames;
    frame_reader_init(&frames, j->fd, at, j->size);
    enum disk_result result = DISK_DONE;
    bool is_wanted = false;
    *why_out = "the file changed under us";
    while (result == DISK_DONE) {
        struct frame frame;
        enum frame_read got = frame_reader_next(&frames, &frame, why_out);
        if (got != FRAME_READ_DONE) {
            result = got == FRAME_READ_END ? DISK_DONE : DISK_BROKEN;
            break;
        }
        if (frame.kind == JOURNAL_FRAME_CHECKPOINT)
            skip_checkpoint(j, &frames);
        if (frame.kind == JOURNAL_FRAME_ENTRY &&
            !choose(j->compaction, &frame, first, last, &is_wanted))
            break;
        bool is_entry = frame.kind == JOURNAL_FRAME_ENTRY || frame.kind == JOURNAL_FRAME_PART;
        if ((is_entry && is_wanted) || (frame.kind == JOURNAL_FRAME_NOTE && with_notes))
            result = write_frame(j->compaction, frame.kind, frame.payload, why_out);
    }
    frame_reader_fini(&frames);
    return result;
}

/* The id of the base revision stands in its entry, or in the header of the old file. */
struct found_id {
    struct entry_id id;
};

static void keep_id(void *arg, const struct journal_record *record)
{
    struct found_id *found = arg;
    if (record->kind == JOURNAL_ENTRY)
        found->id = record->head.id;
}

static bool find_id(struct journal *j, uint64_t revision, struct entry_id *id_out)
{
    struct found_id found = { .id = j->head.base_id };
    if (revision != j->head.base && !journal_read_entry(j, revision, keep_id, &found))
        return false;
    *id_out = found.id;
    return true;
}

static enum disk_result start(struct journal *j, uint64_t keep_from, const char **why_out)
{
    struct journal_compaction *c = j->compaction;
    enum disk_result result = disk_create(j->dir->fd, JOURNAL_FILE_ASIDE, &c->fd, why_out);
    uint64_t from;
    if (result == DISK_DONE && journal_index_find(&j->index, keep_from, &from))
        result = copy(j, from, keep_from, c->head.base, false, why_out);
    if (result == DISK_DONE)
        result = write_frame(c, JOURNAL_FRAME_CHECKPOINT, TEXT_EMPTY, why_out);
    return result;
}

enum journal_result journal_compact_start(struct journal *j, uint64_t keep_from, uint64_t base)
{
    MUST(j->compaction == NULL && j->scan == NULL);
    MUST(base > 0 && base <= j->last_revision && base >= j->head.base);
    if (j->is_broken)
        return JOURNAL_BROKEN;
    uint64_t oldest = journal_first_revision(j);
    if (keep_from < oldest)
        keep_from = oldest;

    struct journal_compaction *c = mem_new(sizeof(*c));
    c->fd = -1;
    c->head = j->head;
    c->head.base = base;
    c->size = c->synced = JOURNAL_HEAD_SIZE;
    builder_init(&c->scratch, SIZE_MAX);
    journal_index_init(&c->index);
    j->compaction = c;
    unlinkat(j->dir->fd, JOURNAL_FILE_ASIDE, 0);
    const char *why = "an entry cannot be read";
    enum disk_result result = DISK_BROKEN;
    if (find_id(j, base, &c->head.base_id))
        result = start(j, keep_from, &why);
    return result == DISK_DONE ? JOURNAL_DONE : give_up(j, result, why);
}

enum journal_result journal_replace_start(struct journal *j, const struct entry_id *cluster_id,
                                          uint64_t base, const struct entry_id *base_id)
{
    MUST(j->scan == NULL);
    journal_compact_cancel(j);
    if (j->is_broken)
        return JOURNAL_BROKEN;
    struct journal_compaction *c = mem_new(sizeof(*c));
    c->fd = -1;
    c->head = j->head;
    c->head.cluster_id = *cluster_id;
    c->head.base = base;
    c->head.base_id = *base_id;
    c->size = c->synced = JOURNAL_HEAD_SIZE;
    c->is_replacing = true;
    builder_init(&c->scratch, SIZE_MAX);
    journal_index_init(&c->index);
    j->compaction = c;
    unlinkat(j->dir->fd, JOURNAL_FILE_ASIDE, 0);
    const char *why = NULL;
    enum disk_result result = disk_create(j->dir->fd, JOURNAL_FILE_ASIDE, &c->fd, &why);
    return result == DISK_DONE ? JOURNAL_DONE : give_up(j, result, why);
}

enum journal_result journal_replace_add(struct journal *j, const struct entry_head *head,
                                        const struct text *parts, size_t count)
{
    struct journal_compaction *c = j->compaction;
    const char *why = NULL;
    struct builder payload;
    if (c == NULL)
        return j->last_failure;
    builder_init(&payload, SIZE_MAX);
    journal_entry_print(head, count <= 1 ? 0 : count - 1, count == 0 ? TEXT_EMPTY : parts[0],
                        &payload);
    journal_index_add(&c->index, head->revision, c->size);
    enum disk_result result = write_frame(c, JOURNAL_FRAME_ENTRY, builder_text(&payload), &why);
    builder_fini(&payload);
    for (size_t i = 1; i < count && result == DISK_DONE; i++)
        result = write_frame(c, JOURNAL_FRAME_PART, parts[i], &why);
    return result == DISK_DONE ? JOURNAL_DONE : give_up(j, result, why);
}

enum journal_result journal_replace_begin_state(struct journal *j)
{
    const char *why = NULL;
    if (j->compaction == NULL)
        return j->last_failure;
    if (j->compaction->head.base == 0)
        return JOURNAL_DONE;
    enum disk_result result =
        write_frame(j->compaction, JOURNAL_FRAME_CHECKPOINT, TEXT_EMPTY, &why);
    return result == DISK_DONE ? JOURNAL_DONE : give_up(j, result, why);
}

enum journal_result journal_compact_add(struct journal *j, struct text items)
{
    const char *why = NULL;
    if (j->compaction == NULL)
        return j->last_failure;
    enum disk_result result = write_frame(j->compaction, JOURNAL_FRAME_STATE, items, &why);
    return result == DISK_DONE ? JOURNAL_DONE : give_up(j, result, why);
}

/* Ends the checkpoint and adds what came after base, with its header at last. */
static enum disk_result complete(struct journal *j, const char **why_out)
{
    struct journal_compaction *c = j->compaction;
    enum disk_result result = DISK_DONE;
    if (c->head.base > 0)
        result = write_frame(c, JOURNAL_FRAME_SEAL, TEXT_EMPTY, why_out);
    c->after = c->size;
    uint64_t from = j->after;
    if (journal_index_find(&j->index, c->head.base, &from) && from < j->after)
        from = j->after;
    if (result == DISK_DONE && !c->is_replacing)
        result = copy(j, from, c->head.base + 1, UINT64_MAX, true, why_out);
    if (result != DISK_DONE)
        return result;
    c->head.sealed = c->size;
    journal_head_print(&c->head, &c->scratch);
    return disk_write(c->fd, builder_text(&c->scratch), 0, why_out);
}

/* The new file is the journal now. */
static void change_over(struct journal *j)
{
    struct journal_compaction *c = j->compaction;
    close(j->fd);
    journal_index_fini(&j->index);
    j->fd = c->fd;
    j->head = c->head;
    j->index = c->index;
    j->size = j->durable = c->size;
    j->after = c->after;
    if (c->is_replacing) {
        j->last_revision = c->head.base;
        j->last_id = c->head.base_id;
    }
    c->fd = -1;
    journal_index_init(&c->index);
    drop(j);
}

enum journal_result journal_compact_finish(struct journal *j)
{
    if (j->compaction == NULL)
        return j->last_failure;
    if (j->is_broken) {
        journal_compact_cancel(j);
        return JOURNAL_BROKEN;
    }
    const char *why = NULL;
    enum disk_result result = complete(j, &why);
    if (result != DISK_DONE)
        return give_up(j, result, why);
    if (journal_put_in_place(j, j->compaction->fd) == JOURNAL_DONE) {
        change_over(j);
        return JOURNAL_DONE;
    }
    if (!j->is_broken)
        journal_compact_cancel(j);
    else
        drop(j);
    return j->last_failure;
}
