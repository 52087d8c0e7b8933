/* SPDX-License-Identifier: Apache-2.0 */
/* keepalived.c - see keepalived.h. */
#include "ha/keepalived.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ha/digits.h"

#define PID_MOST 4194304 /* of Linux (PID_MAX_LIMIT) */

/* What the file begins with, as a string. False: it cannot be read, or is empty. */
static bool read_beginning(const char *file, char *into, size_t size)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, into, size - 1);

    if (fd >= 0)
        close(fd);
    into[n > 0 ? n : 0] = '\0';
    return n > 0;
}

pid_t keepalived_read_pid(const char *file)
{
    char text[16];
    unsigned pid = 0;

    if (!read_beginning(file, text, sizeof(text)) ||
        !digits_parse(text, strcspn(text, "\n"), PID_MOST, &pid))
        return 0;
    return (pid_t)pid;
}

enum keepalived_sight keepalived_look(pid_t pid)
{
    char path[64];
    char line[128]; /* PID (NAME) STATE ... */

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (!read_beginning(path, line, sizeof(line)))
        return kill(pid, 0) == 0 || errno == EPERM ? KEEPALIVED_HIDDEN : KEEPALIVED_NOT;
    const char *state = strstr(line, ") ");
    if (state == NULL || strstr(line, " (keepalived") == NULL || strchr("ZX", state[2]) != NULL)
        return KEEPALIVED_NOT;
    return KEEPALIVED_RUNS;
}
