/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/interrupt.h"

#include <signal.h>
#include <stddef.h>

#include "conf/base/must.h"

static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };

#define COUNT (sizeof(numbers) / sizeof(numbers[0]))

static volatile sig_atomic_t is_asked;
static struct sigaction before[COUNT];
static struct sigaction before_pipe;

static void on_signal(int number)
{
    (void)number;
    is_asked = 1;
}

/* What was ignored stays so: under nohup a terminal that goes away is nothing. */
void interrupt_start(void)
{
    struct sigaction ask = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND };
    struct sigaction ignore = { .sa_handler = SIG_IGN };

    is_asked = 0;
    for (size_t i = 0; i < COUNT; i++) {
        MUST(sigaction(numbers[i], NULL, &before[i]) == 0);
        if (before[i].sa_handler != SIG_IGN)
            MUST(sigaction(numbers[i], &ask, NULL) == 0);
    }
    MUST(sigaction(SIGPIPE, &ignore, &before_pipe) == 0);
}

void interrupt_stop(void)
{
    for (size_t i = 0; i < COUNT; i++)
        MUST(sigaction(numbers[i], &before[i], NULL) == 0);
    MUST(sigaction(SIGPIPE, &before_pipe, NULL) == 0);
}

bool interrupt_is_asked(void)
{
    return is_asked != 0;
}
