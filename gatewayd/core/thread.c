/* SPDX-License-Identifier: Apache-2.0 */
/* thread.c - see thread.h. */
#include "gatewayd/core/thread.h"

#include <signal.h>

bool thread_try_start(pthread_t *thread_out, const char *name, thread_fn *fn, void *arg)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(thread_out, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        pthread_setname_np(*thread_out, name);
    return error == 0;
}

void thread_start(pthread_t *thread_out, const char *name, thread_fn *fn, void *arg)
{
    MUST(thread_try_start(thread_out, name, fn, arg));
}
