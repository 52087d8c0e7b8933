/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socket_private.h - between socket.c and its parts.
 */
#ifndef GATEWAYD_NET_SOCKET_PRIVATE_H
#define GATEWAYD_NET_SOCKET_PRIVATE_H

#include "gatewayd/net/socket.h"

/* Notes why from an errno (or EAGAIN: nothing); the answer for the caller. */
enum io socket_fail(struct socket *s, int error);

/* on_writable is wanted. */
void socket_expect_room(struct socket *s);

#endif
