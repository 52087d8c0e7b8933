/* SPDX-License-Identifier: Apache-2.0 */
/*
 * editor.c - the editor is run by its words, without a shell: EDITOR="code --wait" works.
 */
#include "admin/ctl/editor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/base/mem.h"

#define WORDS_MAX      16
#define STATUS_NO_EXEC 127

static bool write_all(int fd, struct text text)
{
    while (text.length > 0) {
        ssize_t written = write(fd, text.at, text.length);

        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0)
            text = text_skip(text, (size_t)written);
    }
    return true;
}

bool editor_make_file(struct text text, const char *suffix, char path[EDITOR_PATH_SIZE])
{
    const char *folder = getenv("TMPDIR");
    int fd = -1;

    if (folder == NULL || folder[0] == '\0')
        folder = "/tmp";
    int length = snprintf(path, EDITOR_PATH_SIZE, "%s/gatewayctl-XXXXXX%s", folder, suffix);
    if (length > 0 && length < EDITOR_PATH_SIZE)
        fd = mkstemps(path, (int)strlen(suffix));
    if (fd < 0) {
        command_say("No file can be made in %s: %s.", folder, strerror(errno));
        return false;
    }
    bool is_written = write_all(fd, text);
    if (!is_written)
        command_say("%s cannot be written: %s.", path, strerror(errno));
    (void)close(fd);
    if (!is_written)
        (void)unlink(path);
    return is_written;
}

static const char *editor_command(void)
{
    const char *command = getenv("VISUAL");

    if (command == NULL || command[0] == '\0')
        command = getenv("EDITOR");
    return command == NULL || command[0] == '\0' ? "vi" : command;
}

/* In the child: never comes back. */
static NORETURN void become(const char *command, const char *path)
{
    struct text rest = text_of(command);
    char *words[WORDS_MAX + 2];
    struct text word;
    size_t count = 0;

    while (count < WORDS_MAX && text_cut(&rest, ' ', &word)) {
        if (word.length > 0)
            words[count++] = mem_copy_text(word.at, word.length);
    }
    words[count++] = mem_copy_text(path, strlen(path));
    words[count] = NULL;
    (void)execvp(words[0], words);
    _exit(STATUS_NO_EXEC);
}

bool editor_run(const char *path)
{
    const char *command = editor_command();
    int status = 0;

    pid_t child = fork();
    if (child == 0)
        become(command, path);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (child < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_NO_EXEC))
        command_say("The editor \"%s\" cannot be started; set EDITOR.", command);
    else
        command_say("The editor \"%s\" ended badly.", command);
    return false;
}
