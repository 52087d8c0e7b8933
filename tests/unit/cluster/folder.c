/* SPDX-License-Identifier: Apache-2.0 */
/*
 * folder.c - temporary folders and whole files.
 */
#include "tests/unit/cluster/folder.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/base/mem.h"

char *folder_new(void)
{
    const char *base = getenv("TMPDIR");
    char path[256];
    snprintf(path, sizeof(path), "%s/gatewayd-test-XXXXXX", base == NULL ? "/tmp" : base);
    MUST(mkdtemp(path) != NULL);
    return mem_copy_text(path, strlen(path));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    return remove(path);
}

/* With the folders in it: Redis makes one. */
void folder_remove(char **path)
{
    (void)nftw(*path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    MEM_FREE(path);
}

char *folder_read(const char *path, const char *name, size_t *length_out)
{
    char file[512];
    snprintf(file, sizeof(file), "%s/%s", path, name);
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    struct stat st;
    MUST(fstat(fd, &st) == 0);
    char *bytes = mem_new((size_t)st.st_size + 1);
    MUST(read(fd, bytes, (size_t)st.st_size) == st.st_size);
    close(fd);
    *length_out = (size_t)st.st_size;
    return bytes;
}

void folder_write(const char *path, const char *name, struct text bytes)
{
    char file[512];
    snprintf(file, sizeof(file), "%s/%s", path, name);
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    MUST(fd >= 0);
    MUST(write(fd, bytes.at, bytes.length) == (ssize_t)bytes.length);
    close(fd);
}
