/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify.h - tells the supervisor (systemd, sd_notify(3)) how we are. Nothing without one.
 */
#ifndef GATEWAYD_NOTIFY_H
#define GATEWAYD_NOTIFY_H

#include <stdbool.h>

/* "READY=1", "STOPPING=1", "STATUS=…"; several parted by newlines. Any thread; never blocks. */
void notify_send(const char *state);

/* From now on another process speaks for the node; or we do. Control thread. */
void notify_mute(bool is_mute);

#endif
