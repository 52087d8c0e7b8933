/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_writer.h - the thread that takes log lines out of the rings and writes them: log lines to
 * stderr, access lines to stdout or a file. Any thread may call; start and stop once.
 */
#ifndef GATEWAYD_CORE_LOG_WRITER_H
#define GATEWAYD_CORE_LOG_WRITER_H

#include "conf/base/text.h"

/* `access` is "off", "stdout" or a path. False: the file cannot be opened (the reason is logged);
 * then access lines go nowhere and everything else works. */
MUST_USE bool log_writer_start(struct text access);

/* Another destination for access lines, from the next batch on. False as above: the old one stays.
 */
MUST_USE bool log_writer_set_access(struct text access);

/* Opens the access file again (after it was moved away). */
void log_writer_reopen(void);

/* Returns when everything logged before the call is written (at most a second). */
void log_writer_flush(void);

/* Writes what is left and ends the thread; logging is synchronous again. When all other threads
 * have ended. */
void log_writer_stop(void);

#endif
