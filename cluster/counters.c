/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counters.c - frames of packed (identity, value) pairs; replaced by a file written aside.
 */
#include "cluster/counters.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/disk.h"
#include "cluster/frame.h"
#include "cluster/pack.h"
#include "conf/base/mem.h"

#define FILE_NAME   "counters"
#define FILE_ASIDE  "counters.new"
#define KIND        1
#define FRAME_BYTES ((size_t)1 << 16)
#define LONG_LEAST  ((uint64_t)4 << 20)

struct counters {
    struct state_dir *dir; /* borrowed */
    int fd;
    uint64_t size;
    uint64_t fresh; /* size when all values were written last */
    bool is_broken;
    struct builder scratch;
    struct frame_reader frames; /* until it is read */
    uint64_t file_size;
};

static bool damaged(const struct counters *c, uint64_t at, const char *what, struct problems *ps)
{
    char file[4096];
    snprintf(file, sizeof(file), "%s/%s", c->dir->path, FILE_NAME);
    problems_add(ps, (struct place){ .file = file },
                 "At offset %" PRIu64 ": %s. Without this file quotas start from zero.", at, what);
    return false;
}

static bool visit_batch(struct text batch, counters_visit_fn *visit, void *arg)
{
    struct pack_reader r = pack_reader_of(batch);
    while (!r.is_bad && r.at < r.end) {
        struct text identity = pack_read_text(&r);
        struct text value = pack_read_text(&r);
        if (!r.is_bad)
            visit(arg, identity, value);
    }
    return !r.is_bad;
}

/* A frame is not whole: the tail that a crash tore, unless whole frames behind it say more. */
static const char *look_behind(struct counters *c)
{
    struct frame frame;
    const char *why = NULL;
    enum frame_read result;
    while ((result = frame_reader_resync(&c->frames, &frame, &why)) == FRAME_READ_DONE) {
        if (frame.durable > c->size)
            return "the checksum is wrong";
    }
    return result == FRAME_READ_BROKEN ? why : NULL;
}

/* How much of it is still of use is not known: fresh stays 0. */
static enum counters_step finish(struct counters *c, struct problems *ps)
{
    const char *why = NULL;
    frame_reader_fini(&c->frames);
    if (c->file_size > c->size && disk_truncate(c->fd, c->size, &why) != DISK_DONE) {
        damaged(c, c->size, why, ps);
        return COUNTERS_DAMAGED;
    }
    return COUNTERS_FINISHED;
}

enum counters_step counters_read(struct counters *c, counters_visit_fn *visit, void *arg,
                                 struct problems *ps)
{
    struct frame frame;
    const char *wrong = NULL;
    switch (frame_reader_next(&c->frames, &frame, &wrong)) {
    case FRAME_READ_DONE:
        if (frame.kind == KIND && visit_batch(frame.payload, visit, arg)) {
            c->size = c->frames.at;
            return COUNTERS_MORE;
        }
        wrong = "what stands there is of another format";
        break;
    case FRAME_READ_TORN:
        wrong = look_behind(c);
        break;
    case FRAME_READ_END:
    case FRAME_READ_BROKEN:
        break;
    }
    if (wrong == NULL)
        return finish(c, ps);
    damaged(c, c->size, wrong, ps);
    return COUNTERS_DAMAGED;
}

static bool create(struct counters *c, struct problems *ps)
{
    const char *why = NULL;
    if (disk_create(c->dir->fd, FILE_NAME, &c->fd, &why) == DISK_DONE &&
        disk_sync_dir(c->dir->fd, &why) == DISK_DONE)
        return true;
    return damaged(c, 0, why, ps);
}

struct counters *counters_open(struct state_dir *dir, struct problems *ps)
{
    struct counters *c = mem_new(sizeof(*c));
    struct stat st;
    c->dir = dir;
    c->fd = -1;
    builder_init(&c->scratch, SIZE_MAX);
    unlinkat(dir->fd, FILE_ASIDE, 0);
    if (!state_dir_open_file(dir, FILE_NAME, &c->fd, ps) || (c->fd < 0 && !create(c, ps))) {
        counters_close(&c);
        return NULL;
    }
    MUST(fstat(c->fd, &st) == 0);
    c->file_size = (uint64_t)st.st_size;
    frame_reader_init(&c->frames, c->fd, 0, c->file_size);
    return c;
}

void counters_close(struct counters **c)
{
    if (*c == NULL)
        return;
    if ((*c)->fd >= 0)
        close((*c)->fd);
    frame_reader_fini(&(*c)->frames);
    builder_fini(&(*c)->scratch);
    MEM_FREE(c);
}

/* The batch in scratch, in frames of about FRAME_BYTES. */
static void frame_batch(struct counters *c, struct text batch, uint64_t durable)
{
    builder_clear(&c->scratch);
    struct pack_reader r = pack_reader_of(batch);
    const char *begin = r.at;
    while (r.at < r.end) {
        pack_read_text(&r);
        pack_read_text(&r);
        MUST(!r.is_bad);
        if (r.at < r.end && (size_t)(r.at - begin) < FRAME_BYTES)
            continue;
        frame_add(&c->scratch, KIND, durable, text_from(begin, (size_t)(r.at - begin)));
        begin = r.at;
    }
}

void counters_add(struct builder *batch, struct text identity, struct text value)
{
    pack_add_text(batch, identity);
    pack_add_text(batch, value);
}

bool counters_save(struct counters *c, struct text batch, const char **why_out)
{
    *why_out = "an earlier write failed in a way that leaves open what is on the disk";
    if (c->is_broken)
        return false;
    frame_batch(c, batch, c->size);
    const char *why_cut = NULL;
    if (disk_write(c->fd, builder_text(&c->scratch), c->size, why_out) != DISK_DONE) {
        c->is_broken = disk_truncate(c->fd, c->size, &why_cut) != DISK_DONE;
        return false;
    }
    if (disk_sync(c->fd, why_out) != DISK_DONE) {
        c->is_broken = true;
        return false;
    }
    c->size += c->scratch.length;
    return true;
}

bool counters_is_long(const struct counters *c)
{
    /* A file that broke is replaced at the next chance. */
    return c->is_broken || c->size > 4 * c->fresh + LONG_LEAST;
}

bool counters_replace(struct counters *c, struct text batch, const char **why_out)
{
    int fd = -1;
    unlinkat(c->dir->fd, FILE_ASIDE, 0);
    frame_batch(c, batch, 0);
    if (disk_create(c->dir->fd, FILE_ASIDE, &fd, why_out) != DISK_DONE)
        return false;
    if (disk_write(fd, builder_text(&c->scratch), 0, why_out) != DISK_DONE ||
        disk_sync(fd, why_out) != DISK_DONE ||
        disk_rename(c->dir->fd, FILE_ASIDE, FILE_NAME, why_out) != DISK_DONE ||
        disk_sync_dir(c->dir->fd, why_out) != DISK_DONE) {
        close(fd);
        unlinkat(c->dir->fd, FILE_ASIDE, 0);
        return false;
    }
    close(c->fd);
    c->fd = fd;
    c->size = c->fresh = c->scratch.length;
    c->is_broken = false;
    return true;
}
