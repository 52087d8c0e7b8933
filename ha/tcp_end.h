/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcp_end.h - ends the TCP connections to virtual addresses: the kernel resets them, and
 * who waits at the other end learns it at once, whatever the process that has them does (it may be
 * stopped). Listening sockets stay.
 */
#ifndef HA_TCP_END_H
#define HA_TCP_END_H

#include "ha/site_file.h"

/* For `limit_ms` at most; what is left then stays. How many, or -1: the kernel does not do it
 * (errno). Needs CAP_NET_ADMIN. */
long tcp_end_all(const struct site_file *site, int limit_ms);

#endif
