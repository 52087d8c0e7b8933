/* SPDX-License-Identifier: Apache-2.0 */
/* handover_child.c - see handover_child.h. */
#include "gatewayd/handover_child.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/base/mem.h"
#include "conf/base/text.h"
#include "gatewayd/core/thread.h"
#include "gatewayd/handover.h"

/* In the new process, behind the standard ones. */
#define LINK_FD 3

/* pending ─▶ told ─▶ freed by who is told      left ─▶ freed by the thread */
enum state {
    STATE_PENDING,
    STATE_TOLD,
    STATE_LEFT,
};

struct handover_child {
    pthread_t thread;
    _Atomic int thread_id; /* 0: it does not run yet */
    _Atomic int state;
    char *program;
    char *const *arguments;
    char variable[64];
    char **environment;
    int fd;
    int pid;
    int error;
    struct mailbox *mailbox;
    handover_child_fn *fn; /* NULL: nobody wants to know */
    void *arg;
};

extern char **environ;

/* What systemd says of a process by its number, and what we say. */
static bool is_left_out(const char *variable)
{
    static const struct text names[] = {
        TEXT("LISTEN_PID="),   TEXT("LISTEN_FDS="),         TEXT("LISTEN_FDNAMES="),
        TEXT("WATCHDOG_PID="), TEXT(HANDOVER_VARIABLE "="),
    };

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (text_starts_with(text_of(variable), names[i]))
            return true;
    }
    return false;
}

/* The strings are borrowed. */
static char **make_environment(char *handover)
{
    size_t count = 0;
    size_t used = 0;

    while (environ[count] != NULL)
        count++;
    char **made = mem_new_array(count + 2, sizeof(made[0]));
    for (size_t i = 0; i < count; i++) {
        if (!is_left_out(environ[i]))
            made[used++] = environ[i];
    }
    made[used] = handover;
    return made;
}

/* 0, or why it could not be started. */
static int spawn(struct handover_child *h)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all;
    sigset_t none;

    sigfillset(&all);
    sigemptyset(&none);
    MUST(posix_spawn_file_actions_init(&actions) == 0 && posix_spawnattr_init(&attributes) == 0);
    /* Whatever another thread has open at this moment, of a library that does not care, too. */
    MUST(posix_spawn_file_actions_adddup2(&actions, h->fd, LINK_FD) == 0 &&
         posix_spawn_file_actions_addclosefrom_np(&actions, LINK_FD + 1) == 0);
    MUST(posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK) ==
         0);
    MUST(posix_spawnattr_setsigdefault(&attributes, &all) == 0 &&
         posix_spawnattr_setsigmask(&attributes, &none) == 0);
    int error =
        posix_spawn(&h->pid, h->program, &actions, &attributes, h->arguments, h->environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static void free_child(struct handover_child *h)
{
    MEM_FREE(&h->program);
    MEM_FREE(&h->environment);
    MEM_FREE(&h);
}

/* Nobody wants it any more. */
static void end_child(struct handover_child *h)
{
    if (h->error == 0 && kill(h->pid, SIGKILL) == 0)
        (void)waitpid(h->pid, NULL, 0);
    free_child(h);
}

static void on_told(void *arg)
{
    struct handover_child *h = arg;

    if (h->fn == NULL) {
        end_child(h);
        return;
    }
    pthread_join(h->thread, NULL);
    h->fn(h->arg, h->pid, h->error);
    free_child(h);
}

static void *run(void *arg)
{
    struct handover_child *h = arg;

    atomic_store(&h->thread_id, gettid());
    h->error = spawn(h);
    close(h->fd);
    if (atomic_exchange(&h->state, STATE_TOLD) == STATE_PENDING)
        mailbox_post_call(h->mailbox, on_told, h);
    else
        end_child(h);
    return NULL;
}

struct handover_child *handover_child_start(const char *program, char *const *arguments, int fd,
                                            struct mailbox *mailbox, handover_child_fn *fn,
                                            void *arg)
{
    struct handover_child *h = mem_new(sizeof(*h));

    snprintf(h->variable, sizeof(h->variable), "%s=%d", HANDOVER_VARIABLE, LINK_FD);
    h->program = mem_copy_text(program, strlen(program));
    h->arguments = arguments;
    h->environment = make_environment(h->variable);
    h->fd = fd;
    h->mailbox = mailbox;
    h->fn = fn;
    h->arg = arg;
    if (thread_try_start(&h->thread, "upgrade", run, h))
        return h;
    close(fd);
    free_child(h);
    return NULL;
}

/* The kernel knows its children by the thread that started them. Where it does not tell
 * (CONFIG_PROC_CHILDREN) the child ends when it finds nobody at the other end of its link. */
void handover_child_kill(const struct handover_child *h)
{
    char path[64];
    char said[32];
    uint64_t pid = 0;

    snprintf(path, sizeof(path), "/proc/self/task/%d/children", atomic_load(&h->thread_id));
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    struct text rest = text_of(fgets(said, sizeof(said), file));
    struct text first = text_first(rest, text_find_byte(rest, ' '));
    fclose(file);
    if (text_parse_u64(first, &pid) && pid > 1 && pid <= INT32_MAX)
        kill((pid_t)pid, SIGKILL);
}

void handover_child_free(struct handover_child **at)
{
    struct handover_child *h = *at;

    if (h == NULL)
        return;
    *at = NULL;
    handover_child_kill(h);
    pthread_t thread = h->thread;
    h->fn = NULL;
    if (atomic_exchange(&h->state, STATE_LEFT) == STATE_PENDING)
        pthread_detach(thread);
    else
        pthread_join(thread, NULL); /* what it posted is on its way */
}
