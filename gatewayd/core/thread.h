/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread.h - starting the threads of the process.
 */
#ifndef GATEWAYD_CORE_THREAD_H
#define GATEWAYD_CORE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

#include "conf/base/must.h"

typedef void *thread_fn(void *arg);

/* Runs fn(arg) on a thread of its own, with all signals blocked: they are the control thread's.
 * `name` is shown by ps and top, of at most 15 bytes. The caller joins it. */
void thread_start(pthread_t *thread_out, const char *name, thread_fn *fn, void *arg);

/* The same while the process is at work, when there may be none to be had: false. */
MUST_USE bool thread_try_start(pthread_t *thread_out, const char *name, thread_fn *fn, void *arg);

#endif
