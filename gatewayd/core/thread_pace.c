/* SPDX-License-Identifier: Apache-2.0 */
/* thread_pace.c - see thread_pace.h. */
#include "gatewayd/core/thread_pace.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf/base/text.h"

#define TEXT_MOST 512

static bool read_proc(pid_t tid, const char *name, char *text)
{
    char path[64];
    ssize_t n = -1;

    snprintf(path, sizeof(path), "/proc/self/task/%d/%s", (int)tid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, text, TEXT_MOST - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* "TID (NAME) STATE ...": the name may hold anything. */
static bool read_state(pid_t tid, char *state_out)
{
    char text[TEXT_MOST];
    const char *end = read_proc(tid, "stat", text) ? strrchr(text, ')') : NULL;

    if (end == NULL || end[1] != ' ')
        return false;
    *state_out = end[2];
    return true;
}

/* "RUN WAITED SLICES", nanoseconds; without scheduler statistics in the kernel it is not there. */
static bool read_run(pid_t tid, uint64_t *ns_out)
{
    char text[TEXT_MOST];

    return read_proc(tid, "schedstat", text) &&
           text_parse_u64(text_from(text, strcspn(text, " ")), ns_out);
}

struct thread_pace thread_pace_get(pid_t tid)
{
    struct thread_pace pace = { 0 };
    char state = '\0';

    if (tid > 0 && read_state(tid, &state) && read_run(tid, &pace.run_ns))
        pace.is_known = true;
    pace.is_runnable = state == 'R';
    return pace;
}

bool thread_pace_is_starved(const struct thread_pace *before, const struct thread_pace *after,
                            uint64_t ms)
{
    return before->is_known && after->is_known && after->is_runnable &&
           after->run_ns - before->run_ns < ms * 500000;
}
