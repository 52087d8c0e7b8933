/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk.c - writes that are whole or fail, and the calls that make them durable.
 */
#include "cluster/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static disk_fault_fn *_Atomic fault_hook;

void disk_set_fault(disk_fault_fn *fault)
{
    atomic_store(&fault_hook, fault);
}

static enum disk_result failed(int error, const char **why_out)
{
    const char *why = strerrordesc_np(error);
    *why_out = why == NULL ? "unknown error" : why;
    if (error == ENOSPC || error == EDQUOT || error == EFBIG)
        return DISK_FULL;
    return DISK_BROKEN;
}

/* 0, or the errno that the hook wants the call to fail with. */
static int ask_hook(enum disk_call call, size_t *length)
{
    disk_fault_fn *fault = atomic_load(&fault_hook);
    return LIKELY(fault == NULL) ? 0 : fault(call, length);
}

/* 0 or an errno. */
static int write_whole(int fd, const char *at, size_t length, uint64_t offset)
{
    while (length > 0) {
        ssize_t n = pwrite(fd, at, length, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            return ENOSPC;
        at += n;
        length -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

enum disk_result disk_write(int fd, struct text bytes, uint64_t at, const char **why_out)
{
    size_t length = bytes.length;
    int asked = ask_hook(DISK_CALL_WRITE, &length);
    int error = write_whole(fd, bytes.at, length, at);
    if (error == 0)
        error = asked;
    return error == 0 ? DISK_DONE : failed(error, why_out);
}

enum disk_result disk_sync(int fd, const char **why_out)
{
    size_t length = 0;
    int error = ask_hook(DISK_CALL_SYNC, &length);
    if (error == 0 && fdatasync(fd) != 0)
        error = errno;
    return error == 0 ? DISK_DONE : failed(error, why_out);
}

enum disk_result disk_truncate(int fd, uint64_t size, const char **why_out)
{
    size_t length = 0;
    int error = ask_hook(DISK_CALL_TRUNCATE, &length);
    if (error == 0 && ftruncate(fd, (off_t)size) != 0)
        error = errno;
    return error == 0 ? DISK_DONE : failed(error, why_out);
}

enum disk_result disk_rename(int dir_fd, const char *from, const char *to, const char **why_out)
{
    size_t length = 0;
    int error = ask_hook(DISK_CALL_RENAME, &length);
    if (error == 0 && renameat(dir_fd, from, dir_fd, to) != 0)
        error = errno;
    return error == 0 ? DISK_DONE : failed(error, why_out);
}

enum disk_result disk_sync_dir(int dir_fd, const char **why_out)
{
    size_t length = 0;
    int error = ask_hook(DISK_CALL_SYNC_DIR, &length);
    if (error == 0 && fsync(dir_fd) != 0)
        error = errno;
    return error == 0 ? DISK_DONE : failed(error, why_out);
}

enum disk_result disk_create(int dir_fd, const char *name, int *fd_out, const char **why_out)
{
    size_t length = 0;
    int error = ask_hook(DISK_CALL_CREATE, &length);
    if (error != 0)
        return failed(error, why_out);
    int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return failed(errno, why_out);
    *fd_out = fd;
    return DISK_DONE;
}

enum disk_result disk_read(int fd, void *into, size_t size, uint64_t at, size_t *length_out,
                           const char **why_out)
{
    size_t length = 0;
    while (length < size) {
        ssize_t n = pread(fd, (char *)into + length, size - length, (off_t)(at + length));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(errno, why_out);
        if (n == 0)
            break;
        length += (size_t)n;
    }
    *length_out = length;
    return DISK_DONE;
}
