/* SPDX-License-Identifier: Apache-2.0 */
/* members_file.c - a line for each node, a new file put in place of the old one. */
#include "cluster/members_file.h"

#include <unistd.h>

#include "cluster/disk.h"
#include "cluster/scribe.h"
#include "cluster/state_dir.h"
#include "conf/base/mem.h"
#include "gatewayd/core/log.h"

#define FILE_NAME  "members"
#define FILE_ASIDE "members.new"
#define SIZE_MOST  ((size_t)1 << 20)

static const struct log_scope log_members = { .subject = LOG_SUBJECT_store };

struct members_file {
    struct members *members;
    struct state_dir *dir;
    uint64_t written; /* members_changes() of what is in the file, or will be */
    struct builder text;
    struct scribe_job job;
    bool is_busy;
    bool is_good;
    bool has_failed;
    const char *why;
};

/* ---- reading ---- */

static void load(struct members_file *f)
{
    struct problems ps;
    int fd = -1;
    size_t length = 0;
    const char *why = NULL;
    problems_init(&ps);
    bool is_open = state_dir_open_file(f->dir, FILE_NAME, &fd, &ps) && fd >= 0;
    char *bytes = is_open ? mem_new(SIZE_MOST) : NULL;
    if (is_open && disk_read(fd, bytes, SIZE_MOST, 0, &length, &why) == DISK_DONE)
        members_load(f->members, text_from(bytes, length));
    else if (is_open || ps.count > 0)
        log_warn(&log_members, "the file of known nodes cannot be read: %s",
                 why != NULL ? why : ps.items[0].sentence);
    MEM_FREE(&bytes);
    if (fd >= 0)
        close(fd);
    problems_fini(&ps);
}

/* ---- writing ---- */

/* On the scribe's thread. */
static void write_file(void *arg)
{
    struct members_file *f = arg;
    int fd;
    unlinkat(f->dir->fd, FILE_ASIDE, 0);
    f->is_good = disk_create(f->dir->fd, FILE_ASIDE, &fd, &f->why) == DISK_DONE;
    if (!f->is_good)
        return;
    f->is_good = disk_write(fd, builder_text(&f->text), 0, &f->why) == DISK_DONE &&
                 disk_sync(fd, &f->why) == DISK_DONE;
    close(fd);
    f->is_good = f->is_good &&
                 disk_rename(f->dir->fd, FILE_ASIDE, FILE_NAME, &f->why) == DISK_DONE &&
                 disk_sync_dir(f->dir->fd, &f->why) == DISK_DONE;
}

static void on_written(void *arg)
{
    struct members_file *f = arg;
    f->is_busy = false;
    if (!f->is_good && !f->has_failed)
        log_warn(&log_members, "the known nodes cannot be kept: %s", f->why);
    f->has_failed = !f->is_good;
    if (!f->is_good)
        f->written = 0;
}

void members_file_keep(struct members_file *f, struct scribe *scribe)
{
    uint64_t changes = members_changes(f->members);
    if (scribe == NULL || f->is_busy || changes == f->written)
        return;
    f->written = changes;
    f->is_busy = true;
    builder_clear(&f->text);
    members_print(f->members, &f->text);
    scribe_job_init(&f->job, write_file, on_written, f);
    scribe_post(scribe, &f->job);
}

/* ---- lifetime ---- */

struct members_file *members_file_new(struct members *members, struct state_dir *dir)
{
    struct members_file *f = mem_new(sizeof(*f));
    f->members = members;
    f->dir = dir;
    builder_init(&f->text, SIZE_MOST);
    load(f);
    f->written = members_changes(members);
    return f;
}

void members_file_free(struct members_file **at)
{
    struct members_file *f = *at;
    if (f == NULL)
        return;
    while (f->is_busy)
        loop_run_once(members_loop(f->members), true);
    builder_fini(&f->text);
    MEM_FREE(at);
}
