/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_dir.c - opening and locking state.dir, with a sentence for each way that can go wrong.
 */
#include "cluster/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/base/mem.h"

static int64_t changed_ms(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
}

static bool dir_is_safe(const struct state_dir *d, struct problems *ps)
{
    struct place place = { .path = "state.dir" };
    struct stat st;
    MUST(fstat(d->fd, &st) == 0);
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        problems_add(ps, place, "%s can be written by others (mode %04o): chmod 0700 it.", d->path,
                     (unsigned)st.st_mode & 07777);
        return false;
    }
    if (faccessat(d->fd, ".", R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
        problems_add(ps, place, "%s cannot be written by user %u: %s.", d->path,
                     (unsigned)geteuid(), strerror(errno));
        return false;
    }
    return true;
}

struct state_dir *state_dir_open(struct text path, struct problems *ps)
{
    struct state_dir *d = mem_new(sizeof(*d));
    d->lock_fd = -1;
    d->path = mem_copy_text(path.at, path.length);
    d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->fd < 0) {
        problems_add(ps, (struct place){ .path = "state.dir" }, "%s cannot be opened: %s.%s",
                     d->path, strerror(errno),
                     errno == ENOENT ? " Create it, owned by the user gatewayd runs as." : "");
        state_dir_close(&d);
        return NULL;
    }
    if (!dir_is_safe(d, ps)) {
        state_dir_close(&d);
        return NULL;
    }
    struct stat st;
    if (fstatat(d->fd, "lock", &st, AT_SYMLINK_NOFOLLOW) == 0)
        d->fresh_ms = changed_ms(&st);
    return d;
}

void state_dir_close(struct state_dir **d)
{
    if (*d == NULL)
        return;
    state_dir_unlock(*d);
    if ((*d)->fd >= 0)
        close((*d)->fd);
    MEM_FREE(&(*d)->path);
    MEM_FREE(d);
}

/* Who holds the lock, as it wrote itself down; 0 when that cannot be read. */
static uint64_t read_holder(int fd)
{
    char line[TEXT_NUMBER_SIZE];
    uint64_t pid = 0;
    ssize_t n = pread(fd, line, sizeof(line), 0);
    if (n <= 0 || !text_parse_u64(text_first(text_from(line, (size_t)n),
                                             text_find_byte(text_from(line, (size_t)n), '\n')),
                                  &pid))
        return 0;
    return pid;
}

static void write_holder(int fd)
{
    char line[TEXT_NUMBER_SIZE];
    int length = snprintf(line, sizeof(line), "%ld\n", (long)getpid());
    /* Only for the sentence above: the lock holds without it. */
    if (ftruncate(fd, 0) == 0 && pwrite(fd, line, (size_t)length, 0) < 0)
        return;
}

/* The time of its last change stays what it was: it says something (state_dir_set_fresh). */
static void take_over(struct state_dir *d, int fd)
{
    struct stat st;
    MUST(fstat(fd, &st) == 0);
    d->fresh_ms = changed_ms(&st);
    d->lock_fd = fd;
    write_holder(fd);
    /* Where that cannot be set it seems fresher than it is, to the next process. */
    if (futimens(fd, (struct timespec[]){ { .tv_nsec = UTIME_OMIT }, st.st_mtim }) != 0)
        return;
}

void state_dir_set_fresh(struct state_dir *d)
{
    struct stat st;
    if (d->lock_fd >= 0 && futimens(d->lock_fd, NULL) == 0 && fstat(d->lock_fd, &st) == 0)
        d->fresh_ms = changed_ms(&st);
}

bool state_dir_lock(struct state_dir *d, struct problems *ps)
{
    MUST(d->lock_fd < 0);
    struct place place = { .path = "state.dir" };
    int fd = openat(d->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        problems_add(ps, place, "%s/lock cannot be opened: %s.", d->path, strerror(errno));
        return false;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        take_over(d, fd);
        return true;
    }
    if (errno == EWOULDBLOCK) {
        problems_add(ps, place,
                     "%s is in use by another gatewayd (process %llu): each node needs a folder of "
                     "its own.",
                     d->path, (unsigned long long)read_holder(fd));
    } else {
        problems_add(ps, place, "%s/lock cannot be locked: %s.", d->path, strerror(errno));
    }
    close(fd);
    return false;
}

void state_dir_unlock(struct state_dir *d)
{
    if (d->lock_fd >= 0)
        close(d->lock_fd);
    d->lock_fd = -1;
}

static bool file_is_safe(const struct state_dir *d, const char *name, int fd, struct problems *ps)
{
    char file[4096];
    snprintf(file, sizeof(file), "%s/%s", d->path, name);
    struct place place = { .file = file };
    struct stat st;
    MUST(fstat(fd, &st) == 0);
    if (!S_ISREG(st.st_mode)) {
        problems_add(ps, place, "This is not a plain file.");
        return false;
    }
    if (st.st_uid != geteuid()) {
        problems_add(ps, place, "It belongs to user %u, gatewayd runs as %u: chown it.",
                     (unsigned)st.st_uid, (unsigned)geteuid());
        return false;
    }
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        problems_add(ps, place,
                     "It is open to others (mode %04o) and holds digests of keys: chmod 0600 it.",
                     (unsigned)st.st_mode & 07777);
        return false;
    }
    return true;
}

bool state_dir_open_file(const struct state_dir *d, const char *name, int *fd_out,
                         struct problems *ps)
{
    int fd = openat(d->fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) {
        *fd_out = -1;
        return true;
    }
    if (fd < 0) {
        problems_add(ps, (struct place){ .path = "state.dir" }, "%s/%s cannot be opened: %s.",
                     d->path, name, strerror(errno));
        return false;
    }
    if (!file_is_safe(d, name, fd, ps)) {
        close(fd);
        return false;
    }
    *fd_out = fd;
    return true;
}
