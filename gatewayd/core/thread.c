/* SPDX-License-Identifier: Apache-2.0 */
/* thread.c - see thread.h. */
#include "gatewayd/core/thread.h"

#include <signal.h>
#include <stdio.h>

#include "conf/base/mem.h"

struct birth {
    char name[16];
    thread_fn *fn;
    void *arg;
};

/* It names itself. Another thread would do that by a file, which glibc opens without O_CLOEXEC: a
 * program that is started in that moment would have it. */
static void *begin(void *arg)
{
    struct birth *birth = arg;
    thread_fn *fn = birth->fn;
    void *fn_arg = birth->arg;

    pthread_setname_np(pthread_self(), birth->name);
    MEM_FREE(&birth);
    return fn(fn_arg);
}

bool thread_try_start(pthread_t *thread_out, const char *name, thread_fn *fn, void *arg)
{
    struct birth *birth = mem_new(sizeof(*birth));
    sigset_t all;
    sigset_t before;

    snprintf(birth->name, sizeof(birth->name), "%s", name);
    birth->fn = fn;
    birth->arg = arg;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(thread_out, NULL, begin, birth);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        MEM_FREE(&birth);
    return error == 0;
}

void thread_start(pthread_t *thread_out, const char *name, thread_fn *fn, void *arg)
{
    MUST(thread_try_start(thread_out, name, fn, arg));
}
