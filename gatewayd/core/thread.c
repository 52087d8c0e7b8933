/* SPDX-License-Identifier: Apache-2.0 */
/* thread.c - see thread.h. */
#include "gatewayd/core/thread.h"

#include <signal.h>

#include "conf/base/must.h"

void thread_start(pthread_t *thread_out, const char *name, thread_fn *fn, void *arg)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(thread_out, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    MUST(error == 0);
    pthread_setname_np(*thread_out, name);
}
