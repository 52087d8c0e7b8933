/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ha_track.c - track files: an integer and a newline. keepalived reads one when it is closed after
 * writing; it is not replaced by another file, which keepalived would take for one that went away.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gatewayd/ha_private.h"

#define PATH_SIZE 256

/* All are of one length: while that changes, who reads may see some digits of a number. */
static bool write_number(int fd, int weight)
{
    char text[16];
    int length = snprintf(text, sizeof(text), "%4d\n", weight);
    struct stat st;

    return pwrite(fd, text, (size_t)length, 0) == length && fstat(fd, &st) == 0 &&
           (st.st_size == length || ftruncate(fd, length) == 0);
}

bool ha_track_write(const struct ha_place *p, int weight)
{
    char path[PATH_SIZE];
    bool is_written = false;
    int fd = -1;

    if (ha_print_path(p->ha, p->address->name, ".track", path, sizeof(path)))
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
    if (fd >= 0)
        is_written = write_number(fd, weight);
    if (!is_written)
        log_error(&p->ha->log, "%s cannot be written: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return is_written;
}
