/* SPDX-License-Identifier: Apache-2.0 */
/* say.c - see say.h. */
#include "ha/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_SIZE 512

void say(const char *format, ...)
{
    char line[LINE_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    dprintf(STDERR_FILENO, "%s: %s\n", program_invocation_short_name, line);
}
