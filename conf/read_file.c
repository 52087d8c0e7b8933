/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_SIZE 4096

static bool complain(const char *file, const struct place *place, int error, struct problems *ps)
{
    const struct place at_file = { .file = file, .pointer = "", .path = "" };

    problems_add(ps, place != NULL ? *place : at_file, "The file %s cannot be read: %s.", file,
                 strerror(error));
    return false;
}

/* The bytes it is said to have (pipes and /proc say 0) or more, until its end. */
static int read_all(int fd, size_t expected, struct arena *arena, struct text *text_out)
{
    size_t size = expected + 1 > FIRST_SIZE ? expected + 1 : FIRST_SIZE;
    char *at = arena_alloc(arena, size);
    size_t length = 0;

    for (;;) {
        ssize_t got = read(fd, at + length, size - length - 1);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        length += (size_t)got;
        if (got == 0)
            break;
        if (length > READ_FILE_MAX)
            return EFBIG;
        if (length + 1 == size) {
            char *larger = arena_alloc(arena, 2 * size);

            memcpy(larger, at, length);
            at = larger;
            size *= 2;
        }
    }
    at[length] = '\0';
    *text_out = text_from(at, length);
    return 0;
}

bool read_file(const char *file, const struct place *place, struct arena *arena,
               struct problems *ps, struct text *text_out)
{
    struct stat about;
    int error;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return complain(file, place, errno, ps);
    if (fstat(fd, &about) < 0)
        error = errno;
    else if (S_ISDIR(about.st_mode))
        error = EISDIR;
    else if ((size_t)about.st_size > READ_FILE_MAX)
        error = EFBIG;
    else
        error = read_all(fd, (size_t)about.st_size, arena, text_out);
    (void)close(fd);
    return error == 0 || complain(file, place, error, ps);
}
