/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interrupt.h - SIGINT, SIGTERM and SIGHUP ask a verb of several steps to end where nothing is left
 * half done; a second one ends the program at once. Nobody who reads its output any more (SIGPIPE)
 * does not end it at all.
 */
#ifndef ADMIN_CTL_INTERRUPT_H
#define ADMIN_CTL_INTERRUPT_H

#include <stdbool.h>

void interrupt_start(void);
void interrupt_stop(void); /* as before */
bool interrupt_is_asked(void);

#endif
