/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keepalived.h - is a process keepalived's, by its pid file and what /proc says of it. A pid file
 * may be old and its number another's by now.
 */
#ifndef HA_KEEPALIVED_H
#define HA_KEEPALIVED_H

#include <sys/types.h>

#define KEEPALIVED_PIDFILES_MOST 4 /* that a program is told of */

/* The number in the file, or 0: there is none. Blocks as short as a file of /run does. */
pid_t keepalived_read_pid(const char *file);

enum keepalived_sight {
    KEEPALIVED_RUNS,
    KEEPALIVED_NOT,    /* nothing of that number runs, or another program; one that has ended and
                          was not waited for yet runs no more */
    KEEPALIVED_HIDDEN, /* something runs whose name is kept from us (hidepid): it may be it */
};
enum keepalived_sight keepalived_look(pid_t pid);

#endif
