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

static bool is_closed(const char *file, const struct place *place, unsigned mode, unsigned closed,
                      struct problems *ps)
{
    const struct place at_file = { .file = file, .pointer = "", .path = "" };

    if ((mode & closed) == 0)
        return true;
    problems_add(ps, place != NULL ? *place : at_file,
                 "%s is open to others (mode %04o): chmod 0600 it (or 0640).", file, mode & 07777);
    return false;
}

bool read_file(const char *file, const struct place *place, struct arena *arena,
               struct problems *ps, struct text *text_out)
{
    return read_file_closed(file, place, 0, arena, ps, text_out);
}

bool read_file_closed(const char *file, const struct place *place, unsigned closed,
                      struct arena *arena, struct problems *ps, struct text *text_out)
{
    struct stat about;
    int error = 0;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return complain(file, place, errno, ps);
    if (fstat(fd, &about) < 0)
        error = errno;
    else if (S_ISDIR(about.st_mode))
        error = EISDIR;
    else if ((size_t)about.st_size > READ_FILE_MAX)
        error = EFBIG;
    bool is_good = error == 0 && is_closed(file, place, about.st_mode, closed, ps);
    if (is_good)
        error = read_all(fd, (size_t)about.st_size, arena, text_out);
    (void)close(fd);
    return error == 0 ? is_good : complain(file, place, error, ps);
}

unsigned read_file_mode(const char *file)
{
    struct stat about;

    return stat(file, &about) == 0 ? about.st_mode & 07777 : 0;
}
