/* SPDX-License-Identifier: Apache-2.0 */
/*
 * must.c - how the process ends when an assumption of our own turns out false.
 */
#include "conf/base/must.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static _Atomic(must_dump_fn *) dump;
static atomic_flag dumped = ATOMIC_FLAG_INIT;

void must_set_dump(must_dump_fn *fn)
{
    atomic_store(&dump, fn);
}

/* No stdio stream: its lock may be held by the very code that failed. */
static void write_stderr(const char *bytes, int length)
{
    while (length > 0) {
        ssize_t n = write(STDERR_FILENO, bytes, (size_t)length);
        if (n <= 0)
            return;
        bytes += n;
        length -= (int)n;
    }
}

void must_fail(const char *file, int line, const char *function, const char *expression)
{
    char message[512];
    int length = snprintf(message, sizeof(message), "gatewayd: BUG at %s:%d in %s(): %s\n", file,
                          line, function, expression);
    if (length >= (int)sizeof(message))
        length = (int)sizeof(message) - 1;
    write_stderr(message, length);

    /* A dumper that fails itself comes back here: only the first gets to run it. */
    must_dump_fn *fn = atomic_load(&dump);
    if (fn != NULL && !atomic_flag_test_and_set(&dumped))
        fn();
    abort();
}
