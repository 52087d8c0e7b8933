/* SPDX-License-Identifier: Apache-2.0 */
/* conflicts.c - a line for each, "REVISION AT"; a new file is put in the place of the old one. */
#include "cluster/conflicts.h"

#include <unistd.h>

#include "cluster/disk.h"
#include "conf/base/builder.h"
#include "conf/base/mem.h"
#include "gatewayd/core/log.h"

#define FILE_NAME  "conflicts"
#define FILE_ASIDE "conflicts.new"
#define SIZE_MOST  ((size_t)CONFLICTS_MOST * 2 * TEXT_NUMBER_SIZE)

static const struct log_scope log_store = { .subject = LOG_SUBJECT_store };

struct conflicts {
    struct state_dir *dir;
    struct loop *loop;
    struct scribe *scribe; /* NULL: not started */
    void (*saved)(void *arg);
    void *arg;
    uint64_t revisions[CONFLICTS_MOST];
    uint64_t at[CONFLICTS_MOST];
    size_t count;
    struct builder text; /* the scribe's while it is busy */
    struct scribe_job job;
    bool is_busy;
    bool is_changed; /* since it was written, or began to be */
    bool is_good;
    bool has_failed; /* and it was said */
    const char *why;
};

/* ---- the list ---- */

static bool put(struct conflicts *c, uint64_t revision, uint64_t at)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->revisions[i] == revision)
            return false;
    }
    if (c->count == CONFLICTS_MOST)
        return false;
    c->revisions[c->count] = revision;
    c->at[c->count++] = at;
    return true;
}

const uint64_t *conflicts_get(const struct conflicts *c, size_t *count_out)
{
    *count_out = c->count;
    return c->revisions;
}

/* ---- reading ---- */

static bool read_line(struct conflicts *c, struct text line)
{
    struct text piece;
    uint64_t revision;
    uint64_t at;
    if (!text_cut(&line, ' ', &piece) || !text_parse_u64(piece, &revision) ||
        !text_parse_u64(line, &at))
        return false;
    (void)put(c, revision, at);
    return true;
}

static void read_lines(struct conflicts *c, struct text rest)
{
    struct text line;
    unsigned number = 0;
    while (text_cut_line(&rest, &number, &line)) {
        if (!read_line(c, line))
            log_warn(&log_store, "line %u of the file of conflicts is none", number);
    }
}

static void load(struct conflicts *c)
{
    struct problems ps;
    int fd = -1;
    size_t length = 0;
    const char *why = NULL;
    problems_init(&ps);
    bool is_open = state_dir_open_file(c->dir, FILE_NAME, &fd, &ps) && fd >= 0;
    char *bytes = is_open ? mem_new(SIZE_MOST) : NULL;
    if (is_open && disk_read(fd, bytes, SIZE_MOST, 0, &length, &why) == DISK_DONE)
        read_lines(c, text_from(bytes, length));
    else if (is_open || ps.count > 0)
        log_warn(&log_store, "the file of conflicts cannot be read: %s",
                 why != NULL ? why : ps.items[0].sentence);
    MEM_FREE(&bytes);
    if (fd >= 0)
        close(fd);
    problems_fini(&ps);
}

/* ---- writing ---- */

static bool write_aside(struct conflicts *c)
{
    int fd;
    unlinkat(c->dir->fd, FILE_ASIDE, 0);
    if (disk_create(c->dir->fd, FILE_ASIDE, &fd, &c->why) != DISK_DONE)
        return false;
    bool is_good = disk_write(fd, builder_text(&c->text), 0, &c->why) == DISK_DONE &&
                   disk_sync(fd, &c->why) == DISK_DONE;
    close(fd);
    return is_good;
}

/* On the scribe's thread. None: no file. */
static void write_file(void *arg)
{
    struct conflicts *c = arg;
    if (c->text.length == 0)
        c->is_good = unlinkat(c->dir->fd, FILE_NAME, 0) == 0;
    else
        c->is_good =
            write_aside(c) && disk_rename(c->dir->fd, FILE_ASIDE, FILE_NAME, &c->why) == DISK_DONE;
    c->is_good = c->is_good && disk_sync_dir(c->dir->fd, &c->why) == DISK_DONE;
}

static void on_written(void *arg);

/* What changes while the scribe is busy is written next. */
static void save(struct conflicts *c)
{
    if (!c->is_changed || c->is_busy)
        return;
    c->is_changed = false;
    if (c->scribe == NULL || c->dir->lock_fd < 0)
        return;
    builder_clear(&c->text);
    for (size_t i = 0; i < c->count; i++)
        builder_addf(&c->text, "%llu %llu\n", (unsigned long long)c->revisions[i],
                     (unsigned long long)c->at[i]);
    c->why = "it cannot be removed";
    c->is_busy = true;
    scribe_job_init(&c->job, write_file, on_written, c);
    scribe_post(c->scribe, &c->job);
}

static void on_written(void *arg)
{
    struct conflicts *c = arg;
    c->is_busy = false;
    if (!c->is_good && !c->has_failed)
        log_warn(&log_store, "conflicts cannot be kept: %s; a restart would forget them", c->why);
    c->has_failed = !c->is_good;
    save(c);
    c->saved(c->arg);
}

bool conflicts_try_save(struct conflicts *c)
{
    save(c);
    return !c->is_changed;
}

void conflicts_add(struct conflicts *c, uint64_t revision, uint64_t at)
{
    c->is_changed |= put(c, revision, at);
    save(c);
}

void conflicts_forget(struct conflicts *c, uint64_t oldest)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (c->at[i] < oldest)
            continue;
        c->revisions[kept] = c->revisions[i];
        c->at[kept++] = c->at[i];
    }
    c->is_changed |= kept < c->count;
    c->count = kept;
    save(c);
}

/* ---- lifetime ---- */

struct conflicts *conflicts_new(struct state_dir *dir, struct loop *loop, void (*saved)(void *arg),
                                void *arg)
{
    struct conflicts *c = mem_new(sizeof(*c));
    c->dir = dir;
    c->loop = loop;
    c->saved = saved;
    c->arg = arg;
    builder_init(&c->text, SIZE_MAX);
    return c;
}

void conflicts_start(struct conflicts *c, struct scribe *scribe)
{
    load(c);
    c->scribe = scribe;
}

void conflicts_stop(struct conflicts *c)
{
    while (c->is_busy)
        loop_run_once(c->loop, true);
    c->scribe = NULL;
}

void conflicts_free(struct conflicts **at)
{
    if (*at == NULL)
        return;
    MUST(!(*at)->is_busy);
    builder_fini(&(*at)->text);
    MEM_FREE(at);
}
