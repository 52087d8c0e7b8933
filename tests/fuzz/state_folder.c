/* SPDX-License-Identifier: Apache-2.0 */
/* state_folder.c - see state_folder.h. */
#include "tests/fuzz/state_folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/frame.h"
#include "conf/base/digest.h"
#include "conf/base/must.h"

#define NAMES_MOST 4

static struct state_dir *dir;
static const char *names[NAMES_MOST]; /* what is to be removed */

static void remove_folder(void)
{
    for (size_t i = 0; i < NAMES_MOST && names[i] != NULL; i++)
        unlinkat(dir->fd, names[i], 0);
    rmdir(dir->path);
    state_dir_close(&dir);
}

struct state_dir *state_folder_get(void)
{
    char path[64];
    struct problems ps;

    if (dir != NULL)
        return dir;
    snprintf(path, sizeof(path), "%s/gatewayd-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    problems_init(&ps);
    MUST(mkdtemp(path) != NULL);
    dir = state_dir_open(text_of(path), &ps);
    MUST(dir != NULL);
    problems_fini(&ps);
    atexit(remove_folder);
    return dir;
}

static void remember(const char *name)
{
    size_t i = 0;

    while (names[i] != NULL && names[i] != name)
        i++;
    MUST(i < NAMES_MOST - 1);
    names[i] = name;
}

void state_folder_write(const char *name, struct text bytes)
{
    int fd = openat(state_folder_get()->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    MUST(fd >= 0);
    MUST(write(fd, bytes.at, bytes.length) == (ssize_t)bytes.length);
    close(fd);
    remember(name);
}

static void put_u32(char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(value >> 8 * i);
}

static uint32_t get_u32(const char *at)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++)
        value |= (uint32_t)(unsigned char)at[i] << 8 * i;
    return value;
}

void state_folder_mend(char *bytes, size_t size)
{
    for (size_t at = 0; size - at >= FRAME_HEAD_SIZE;) {
        size_t length = get_u32(bytes + at + 8);
        if (length > size - at - FRAME_HEAD_SIZE)
            return;
        put_u32(bytes + at + 4,
                digest_crc32c(0, text_from(bytes + at + 8, FRAME_HEAD_SIZE - 8 + length)));
        at += FRAME_HEAD_SIZE + length;
    }
}
