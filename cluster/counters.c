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
#define FRAME_BYTES ((size_t)1 << 20)
#define LONG_LEAST  ((uint64_t)4 << 20)

struct counters {
    struct state_dir *dir; /* borrowed */
    int fd;
    uint64_t size;
    uint64_t fresh; /* size when all values were written last */
    bool is_broken;
    struct builder scratch;
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

/* Whole frames; *torn_out where the first stands that is not. */
static bool read_frames(struct counters *c, uint64_t end, counters_visit_fn *visit, void *arg,
                        struct problems *ps)
{
    struct frame_reader frames;
    frame_reader_init(&frames, c->fd, 0, end);
    struct frame frame;
    const char *why = NULL;
    enum frame_read result;
    bool is_good = true;
    while (is_good && (result = frame_reader_next(&frames, &frame, &why)) == FRAME_READ_DONE) {
        is_good = frame.kind == KIND && visit_batch(frame.payload, visit, arg);
        if (is_good)
            c->size = frames.at;
    }
    if (!is_good)
        damaged(c, c->size, "what stands there is of another format", ps);
    else if (result == FRAME_READ_BROKEN)
        is_good = damaged(c, c->size, why, ps);
    else if (result == FRAME_READ_TORN) {
        while (is_good && frame_reader_resync(&frames, &frame, &why) == FRAME_READ_DONE)
            is_good = frame.durable <= c->size;
        if (!is_good)
            damaged(c, c->size, "the checksum is wrong", ps);
    }
    frame_reader_fini(&frames);
    return is_good;
}

static bool load(struct counters *c, counters_visit_fn *visit, void *arg, struct problems *ps)
{
    struct stat st;
    MUST(fstat(c->fd, &st) == 0);
    if (!read_frames(c, (uint64_t)st.st_size, visit, arg, ps))
        return false;
    const char *why = NULL;
    if ((uint64_t)st.st_size > c->size && disk_truncate(c->fd, c->size, &why) != DISK_DONE)
        return damaged(c, c->size, why, ps);
    return true; /* how much of it is still of use is not known: fresh stays 0 */
}

static bool create(struct counters *c, struct problems *ps)
{
    const char *why = NULL;
    if (disk_create(c->dir->fd, FILE_NAME, &c->fd, &why) == DISK_DONE &&
        disk_sync_dir(c->dir->fd, &why) == DISK_DONE)
        return true;
    return damaged(c, 0, why, ps);
}

struct counters *counters_open(struct state_dir *dir, counters_visit_fn *visit, void *arg,
                               struct problems *ps)
{
    struct counters *c = mem_new(sizeof(*c));
    c->dir = dir;
    c->fd = -1;
    builder_init(&c->scratch, SIZE_MAX);
    unlinkat(dir->fd, FILE_ASIDE, 0);
    bool is_good = state_dir_open_file(dir, FILE_NAME, &c->fd, ps);
    if (is_good)
        is_good = c->fd < 0 ? create(c, ps) : load(c, visit, arg, ps);
    if (!is_good)
        counters_close(&c);
    return c;
}

void counters_close(struct counters **c)
{
    if (*c == NULL)
        return;
    if ((*c)->fd >= 0)
        close((*c)->fd);
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
