/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/runner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/base/mem.h"

#define STATUS_NO_EXEC 127

static bool take_word(struct text *rest, const char *word, struct text value, struct builder *b)
{
    if (!text_starts_with(*rest, text_of(word)))
        return false;
    builder_add(b, value);
    *rest = text_skip(*rest, strlen(word));
    return true;
}

void runner_fill(struct text line, const struct runner_place *place, struct builder *b)
{
    while (line.length > 0) {
        if (take_word(&line, "{node}", place->node, b) ||
            take_word(&line, "{address}", place->address, b) ||
            take_word(&line, "{host}", place->host, b))
            continue;
        builder_add_byte(b, line.at[0]);
        line = text_skip(line, 1);
    }
}

static void export(const char *name, struct text value)
{
    char *copy = mem_copy_text(value.at, value.length);

    MUST(setenv(name, copy, 1) == 0);
    MEM_FREE(&copy);
}

/* In the child: never comes back. */
static NORETURN void become(const char *line, const struct runner_place *place, bool is_aside)
{
    export("GATEWAYD_NODE", place->node);
    export("GATEWAYD_ADDRESS", place->address);
    export("GATEWAYD_HOST", place->host);
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGQUIT, SIG_DFL);
    (void)signal(SIGPIPE, SIG_DFL);
    if (!is_aside || dup2(STDERR_FILENO, STDOUT_FILENO) == STDOUT_FILENO)
        (void)execl("/bin/sh", "sh", "-c", line, (char *)NULL);
    _exit(STATUS_NO_EXEC);
}

static bool judge(int status, struct builder *why)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFSIGNALED(status))
        builder_addf(why, "was ended by signal %d", WTERMSIG(status));
    else
        builder_addf(why, "ended with status %d", WEXITSTATUS(status));
    return false;
}

bool runner_run(struct text line, const struct runner_place *place, bool is_aside,
                struct builder *why)
{
    char *copy = mem_copy_text(line.at, line.length);
    int status = 0;

    (void)fflush(stdout);
    void (*on_int)(int) = signal(SIGINT, SIG_IGN);
    void (*on_quit)(int) = signal(SIGQUIT, SIG_IGN);
    pid_t child = fork();
    if (child == 0)
        become(copy, place, is_aside);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    (void)signal(SIGINT, on_int);
    (void)signal(SIGQUIT, on_quit);
    MEM_FREE(&copy);
    if (child > 0)
        return judge(status, why);
    builder_addf(why, "cannot be started: %s", strerror(errno));
    return false;
}
