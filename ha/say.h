/* SPDX-License-Identifier: Apache-2.0 */
/*
 * say.h - a line of the log of a program beside keepalived: whoever started it (systemd, mostly)
 * keeps what it writes to its standard error.
 */
#ifndef HA_SAY_H
#define HA_SAY_H

/* "PROGRAM: " and the sentence, cut at 511 bytes, in one write. %m is errno. Any thread. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

#endif
