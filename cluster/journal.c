/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal.c - opening, and appending: write, make durable, or take back what was written.
 */
#include "cluster/journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cluster/journal_private.h"
#include "cluster/journal_scan.h"
#include "conf/base/digest.h"
#include "conf/base/mem.h"

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum journal_result journal_failed(struct journal *j, enum disk_result result, const char *why)
{
    j->last_failure = result == DISK_FULL ? JOURNAL_FULL : JOURNAL_BROKEN;
    j->why = why;
    return j->last_failure;
}

/* From now on nothing more is written: what is on the disk is not known. */
static enum journal_result broke(struct journal *j, const char *why)
{
    j->is_broken = true;
    return journal_failed(j, DISK_BROKEN, why);
}

enum journal_result journal_put_in_place(struct journal *j, int fd)
{
    const char *why = NULL;
    enum disk_result result = disk_sync(fd, &why);
    if (result == DISK_DONE)
        result = disk_rename(j->dir->fd, JOURNAL_FILE_ASIDE, JOURNAL_FILE, &why);
    if (result != DISK_DONE)
        return journal_failed(j, result, why);
    /* Which of the two files a crash would leave is unknown until the folder is on the disk too. */
    if (disk_sync_dir(j->dir->fd, &why) != DISK_DONE)
        return broke(j, why);
    return JOURNAL_DONE;
}

/* ---- opening ---- */

static void say(const struct journal *j, struct problems *ps, const char *sentence)
{
    char file[4096];
    snprintf(file, sizeof(file), "%s/%s", j->dir->path, JOURNAL_FILE);
    problems_add(ps, (struct place){ .file = file }, "%s", sentence);
}

static bool create(struct journal *j, struct problems *ps)
{
    j->head.created_ms = now_ms();
    j->head.sealed = JOURNAL_HEAD_SIZE;
    digest_random(j->head.cluster_id.bytes, ENTRY_ID_SIZE);
    journal_head_print(&j->head, &j->scratch);

    const char *why = NULL;
    if (disk_create(j->dir->fd, JOURNAL_FILE_ASIDE, &j->fd, &why) == DISK_DONE &&
        disk_write(j->fd, builder_text(&j->scratch), 0, &why) == DISK_DONE &&
        journal_put_in_place(j, j->fd) == JOURNAL_DONE)
        return true;
    problems_add(ps, (struct place){ .path = "state.dir" }, "The journal in %s cannot be made: %s.",
                 j->dir->path, why == NULL ? j->why : why);
    return false;
}

static bool read_head(struct journal *j, struct problems *ps)
{
    char bytes[JOURNAL_HEAD_SIZE];
    size_t length = 0;
    const char *why = NULL;
    if (disk_read(j->fd, bytes, sizeof(bytes), 0, &length, &why) != DISK_DONE) {
        say(j, ps, why);
        return false;
    }
    switch (journal_head_parse(text_from(bytes, length), &j->head)) {
    case JOURNAL_HEAD_GOOD:
        return true;
    case JOURNAL_HEAD_FOREIGN:
        say(j, ps, "This is not a journal of gatewayd.");
        return false;
    case JOURNAL_HEAD_VERSION:
        say(j, ps, "It has a format that this version does not know: a newer gatewayd wrote it.");
        return false;
    case JOURNAL_HEAD_BAD:
        break;
    }
    say(j, ps, "Damaged at offset 0: the header's checksum is wrong.");
    return false;
}

/* The header is there, or has been made. */
static bool open_file(struct journal *j, struct problems *ps)
{
    /* Left by a crash before it was put in place: nothing of it was acknowledged. */
    unlinkat(j->dir->fd, JOURNAL_FILE_ASIDE, 0);
    if (!state_dir_open_file(j->dir, JOURNAL_FILE, &j->fd, ps))
        return false;
    return j->fd < 0 ? create(j, ps) : read_head(j, ps);
}

static bool open_beside(struct journal *j, struct problems *ps)
{
    if (!state_dir_open_file(j->dir, JOURNAL_FILE, &j->fd, ps))
        return false;
    if (j->fd < 0)
        say(j, ps, "It is not there.");
    return j->fd >= 0 && read_head(j, ps);
}

static struct journal *open_journal(struct state_dir *dir, bool is_beside, struct problems *ps)
{
    struct journal *j = mem_new(sizeof(*j));
    j->dir = dir;
    j->fd = -1;
    j->is_beside = is_beside;
    j->last_failure = JOURNAL_BROKEN;
    builder_init(&j->scratch, SIZE_MAX);
    journal_index_init(&j->index);
    if (is_beside ? !open_beside(j, ps) : !open_file(j, ps)) {
        journal_close(&j);
        return NULL;
    }
    struct stat st;
    MUST(fstat(j->fd, &st) == 0);
    j->scan = journal_scan_new(j, (uint64_t)st.st_size);
    return j;
}

struct journal *journal_open(struct state_dir *dir, struct problems *ps)
{
    return open_journal(dir, false, ps);
}

struct journal *journal_open_beside(struct state_dir *dir, struct problems *ps)
{
    return open_journal(dir, true, ps);
}

bool journal_take(struct journal *j, struct problems *ps)
{
    struct stat ours;
    struct stat there;
    MUST(j->is_beside && j->scan == NULL);
    MUST(fstat(j->fd, &ours) == 0);
    if (fstatat(j->dir->fd, JOURNAL_FILE, &there, AT_SYMLINK_NOFOLLOW) != 0 ||
        there.st_dev != ours.st_dev || there.st_ino != ours.st_ino) {
        say(j, ps, "It was written anew while it was read: try again.");
        return false;
    }
    unlinkat(j->dir->fd, JOURNAL_FILE_ASIDE, 0);
    j->is_beside = false;
    j->scan = journal_scan_resume(j, (uint64_t)ours.st_size);
    return true;
}

void journal_close(struct journal **j)
{
    if (*j == NULL)
        return;
    journal_compact_cancel(*j);
    journal_scan_free(&(*j)->scan);
    journal_index_fini(&(*j)->index);
    builder_fini(&(*j)->scratch);
    if ((*j)->fd >= 0)
        close((*j)->fd);
    MEM_FREE(j);
}

/* ---- what is known of it ---- */

uint64_t journal_cut(const struct journal *j)
{
    return j->cut;
}

uint64_t journal_last_revision(const struct journal *j)
{
    return j->last_revision;
}

struct entry_id journal_last_id(const struct journal *j)
{
    return j->last_id;
}

uint64_t journal_first_revision(const struct journal *j)
{
    return j->index.count == 0 ? 0 : j->index.first;
}

struct entry_id journal_cluster_id(const struct journal *j)
{
    return j->head.cluster_id;
}

uint64_t journal_size(const struct journal *j)
{
    return j->size;
}

uint64_t journal_sealed(const struct journal *j)
{
    return j->head.sealed;
}

const char *journal_why(const struct journal *j)
{
    return j->why;
}

bool journal_is_dirty(const struct journal *j)
{
    return j->durable < j->size;
}

bool journal_is_broken(const struct journal *j)
{
    return j->is_broken;
}

/* ---- appending ---- */

/* The frame in scratch, written at *at. */
static enum disk_result write_scratch(struct journal *j, uint64_t *at, const char **why_out)
{
    enum disk_result result = disk_write(j->fd, builder_text(&j->scratch), *at, why_out);
    if (result == DISK_DONE)
        *at += j->scratch.length;
    return result;
}

static enum disk_result write_entry(struct journal *j, const struct entry_head *head,
                                    const struct text *parts, size_t count, uint64_t *at,
                                    const char **why_out)
{
    struct builder payload;
    builder_init(&payload, SIZE_MAX);
    size_t further = count <= 1 ? 0 : count - 1;
    journal_entry_print(head, further, count == 0 ? TEXT_EMPTY : parts[0], &payload);
    builder_clear(&j->scratch);
    frame_add(&j->scratch, JOURNAL_FRAME_ENTRY, j->durable, builder_text(&payload));
    builder_fini(&payload);

    enum disk_result result = write_scratch(j, at, why_out);
    for (size_t i = 1; result == DISK_DONE && i < count; i++) {
        builder_clear(&j->scratch);
        frame_add(&j->scratch, JOURNAL_FRAME_PART, j->durable, parts[i]);
        result = write_scratch(j, at, why_out);
    }
    return result;
}

/* What a failed write left is cut off, so that the next one follows a whole frame. */
static enum journal_result take_back(struct journal *j, enum disk_result result, const char *why)
{
    const char *why_cut = NULL;
    if (disk_truncate(j->fd, j->size, &why_cut) != DISK_DONE)
        return broke(j, why_cut);
    return journal_failed(j, result, why);
}

enum journal_result journal_append(struct journal *j, const struct entry_head *head,
                                   const struct text *parts, size_t count)
{
    MUST(j->scan == NULL);
    MUST(head->author.length <= ENTRY_AUTHOR_MAX && head->summary.length <= ENTRY_SUMMARY_MAX);
    if (j->is_broken)
        return JOURNAL_BROKEN;
    if (head->revision != j->last_revision + 1 || !entry_id_equals(&head->prev, &j->last_id))
        return j->last_failure;

    uint64_t at = j->size;
    const char *why = NULL;
    enum disk_result result = write_entry(j, head, parts, count, &at, &why);
    if (result != DISK_DONE)
        return take_back(j, result, why);
    journal_index_add(&j->index, head->revision, j->size);
    j->size = at;
    j->last_revision = head->revision;
    j->last_id = head->id;
    return JOURNAL_DONE;
}

enum journal_result journal_append_note(struct journal *j, struct text note)
{
    MUST(j->scan == NULL);
    if (j->is_broken)
        return JOURNAL_BROKEN;
    builder_clear(&j->scratch);
    frame_add(&j->scratch, JOURNAL_FRAME_NOTE, j->durable, note);
    uint64_t at = j->size;
    const char *why = NULL;
    enum disk_result result = write_scratch(j, &at, &why);
    if (result != DISK_DONE)
        return take_back(j, result, why);
    j->size = at;
    return JOURNAL_DONE;
}

void journal_mark(struct journal *j)
{
    MUST(journal_is_broken(j) || !journal_is_dirty(j));
    /* A note without items, which every version reads. */
    if (!journal_is_broken(j) && journal_append_note(j, TEXT_EMPTY) != JOURNAL_DONE)
        return;
}

enum journal_result journal_sync(struct journal *j)
{
    if (j->is_broken)
        return JOURNAL_BROKEN;
    if (!journal_is_dirty(j))
        return JOURNAL_DONE;
    const char *why = NULL;
    /* After a failed fsync the kernel may call pages clean that never reached the disk: asking
     * again would be answered with a lie. */
    if (disk_sync(j->fd, &why) != DISK_DONE)
        return broke(j, why);
    j->durable = j->size;
    return JOURNAL_DONE;
}
